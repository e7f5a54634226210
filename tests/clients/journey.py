"""A customer's journey with the package `tickets` that openapi-python-client generates."""

import sys
from datetime import datetime
from typing import TypeVar

from tickets import AuthenticatedClient, Client
from tickets.api.account import sign_in, sign_up
from tickets.api.bookings import (
    book_seat,
    book_seats,
    cancel_booking,
    hold_seats,
    list_bookings,
    move_booking,
)
from tickets.api.movies import list_movies
from tickets.api.orders import cancel_order
from tickets.api.shows import get_seat_map, list_movie_shows
from tickets.api.tickets import get_calendar_entry, get_ticket, get_ticket_file
from tickets.models import (
    Account,
    BookedShow,
    Booking,
    BookingPage,
    BookingStatus,
    BookSeatResponse409,
    BookSeatResponse409Code,
    BookSeatsResponse400,
    GetTicketFileResponse409,
    Hold,
    ListBookingsStatus,
    Move,
    MoviePage,
    Order,
    Seat,
    SeatMap,
    Seats,
    ShowPage,
    Signup,
    Ticket,
    Token,
    TokenPair,
)
from tickets.types import File, Unset

T = TypeVar("T")
PASSWORD = "red-velvet-seats"


def the(kind: type[T], answer: object) -> T:
    """Return the response if it has the type that the next step needs."""
    assert isinstance(answer, kind), answer
    return answer


def travel(url: str, username: str) -> None:
    visitor = Client(base_url=url)
    account = the(Account, sign_up.sync(client=visitor, body=Signup(username=username, password=PASSWORD)))
    assert account.username == username
    tokens = the(TokenPair, sign_in.sync(client=visitor, body=Token(username=username, password=PASSWORD)))
    client = AuthenticatedClient(base_url=url, token=tokens.access)

    movies = the(MoviePage, list_movies.sync(client=visitor, page=1, page_size=5))
    next_page: str | None = movies.next_
    minutes: int | None = movies.results[0].duration_minutes
    assert (next_page, bool(minutes)) == (None, True)
    shows = the(ShowPage, list_movie_shows.sync(movies.results[0].id, client=visitor))
    show = shows.results[0].id
    seat_map = the(SeatMap, get_seat_map.sync(show, client=client))
    assert [seat for seat in seat_map.unavailable if seat.mine is True] == []

    held = the(Hold, hold_seats.sync(show, client=client, body=Seats(count=1))).bookings[0]
    ends_at: datetime | None = held.expires_at
    assert held.status == BookingStatus.HELD
    assert ends_at
    seat = Seat(seat_number=held.seat_number)
    booked = the(Booking, book_seat.sync(show, client=client, body=seat, idempotency_key=username))
    of_show: BookedShow = booked.show
    assert (booked.status, booked.expires_at, of_show.id) == (BookingStatus.BOOKED, None, show)
    again = book_seat.sync_detailed(show, client=client, body=seat, idempotency_key=username)
    assert again.headers["Idempotency-Replayed"] == "true"
    group = the(Order, book_seats.sync(show, client=client, body=Seats(count=2)))
    assert len(group.bookings) == 2

    refused = the(BookSeatResponse409, book_seat.sync(show, client=client, body=seat))
    assert refused.code == BookSeatResponse409Code.SEAT_TAKEN
    assert refused.seats == [held.seat_number]
    invalid = the(BookSeatsResponse400, book_seats.sync(show, client=client, body=Seats()))
    assert not isinstance(invalid.errors, Unset)
    assert invalid.errors[0].field == "seat_numbers"

    ticket = the(Ticket, get_ticket.sync(group.bookings[0].id, client=client))
    assert (ticket.seat_label, ticket.due) == (group.bookings[0].seat_label, group.due)
    assert the(File, get_ticket_file.sync(ticket.booking, client=client)).payload.read(5) == b"%PDF-"
    entry = the(File, get_calendar_entry.sync(ticket.booking, client=client)).payload.read()
    assert entry.startswith(b"BEGIN:VCALENDAR")

    page = the(BookingPage, list_bookings.sync(client=client, status=ListBookingsStatus.BOOKED))
    assert page.count == 3
    free = the(Hold, hold_seats.sync(show, client=client, body=Seats(count=1))).bookings[0].seat_number
    moved = the(Booking, move_booking.sync(booked.id, client=client, body=Move(seat_number=free)))
    assert moved.seat_number == free
    cancelled = the(Booking, cancel_booking.sync(booked.id, client=client))
    assert (cancelled.status, cancelled.cancelled_by) == (BookingStatus.CANCELLED, "customer")
    rest = the(Order, cancel_order.sync(group.reference, client=client))
    assert None not in [booking.cancelled_at for booking in rest.bookings]
    no_ticket = the(GetTicketFileResponse409, get_ticket_file.sync(ticket.booking, client=client))
    assert no_ticket.code == "no_ticket"
    print("The journey is complete.")


travel(*sys.argv[1:])
