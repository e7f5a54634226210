"""Booking seats, for customers and for staff."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType

from booking.infrastructure.metrics import SEATS_BOOKED
from booking.infrastructure.statements import Call, Insert, Update
from booking.models import Booking, BookingQuerySet, User
from booking.services.mail.outbox import address_for, confirmation_mail_calls
from booking.services.refusals import Refusal, first_or_not_found
from booking.services.seats.facts import Action, Contact, Facts, SeatRequest, read_all
from booking.services.seats.idempotency import IdempotentRequest
from booking.services.seats.orders import own_holds, remove_empty_orders, shared_reference, write_order
from booking.services.seats.prices import price_seats, seats_without_types
from booking.services.seats.rules import closed_seats
from booking.services.seats.rules.seats import SeatTaken
from booking.services.seats.sales import Change, Sale, release_expired
from booking.services.seats.seating import nearest_block
from booking.services.transactions import retried

_insert_log_entry = Insert(LogEntry)
# The message in the admin's history for a buyer without an account.
SOLD_TO_NOBODY = "Sold to a customer without an account."
_book_hold = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {
            "status": Booking.Status.BOOKED,
            "reference": p.reference,
            "created_at": p.now,
            "expires_at": None,
            "sold_by": p.sold_by,
            "seat_label": p.seat_label,
            "category": p.category,
            "ticket_type": p.ticket_type_id,
            "price": p.price,
        },
    )
)


class CustomerInactive(Refusal):
    """Staff sell to a deactivated account."""

    code = "customer_inactive"
    field = "customer"

    def __init__(self, customer: User) -> None:
        super().__init__(f"The account {customer} is deactivated. Activate it first, or sell to another one.")


def book_seat(
    *,
    user: User | None,
    show_id: int,
    seat_number: int,
    now: datetime,
    ticket_type: int | None = None,
    expected_total: Decimal | None = None,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    sold_by: User | None = None,
    contact: Contact | None = None,
) -> Booking:
    """Books one seat for `user` and returns the booking, with its show, movie and screen loaded.

    `now` is UTC. A seat that the user holds becomes booked. Without `ticket_type`, the seat is sold as the first active
    type. With `idempotency` its user may safely send the request again. For a sale by staff, `sold_by` is the member of
    staff; `user` is then None for a customer without an account, whose `contact` the order keeps. Raises NotFound, the
    refusals of the rules, CustomerInactive, IdempotencyKeyReused or Busy, and Replay if the same request was carried
    out before.
    """
    if sold_by and user:
        _check_is_active(user)
    request = SeatRequest(
        Action.BOOK,
        show_id,
        user,
        now,
        [seat_number],
        ticket_types={} if ticket_type is None else {seat_number: ticket_type},
        is_for_one_seat=True,
        expected_total=expected_total,
        idempotency=idempotency,
        staff=sold_by,
        contact=contact or Contact(),
    )
    [booking] = Sale(request, _book).carry_out()
    SEATS_BOOKED.inc()
    return booking


def book_seats(
    *,
    user: User | None,
    show_id: int,
    now: datetime,
    seat_numbers: Sequence[int] = (),
    count: int = 0,
    split: bool = False,
    accessible: bool = False,
    ticket_types: Mapping[int, int] | None = None,
    expected_total: Decimal | None = None,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    sold_by: User | None = None,
    contact: Contact | None = None,
    in_transaction: Callable[[list[Booking]], None] | None = None,
) -> list[Booking]:
    """Books the given seats, or the best `count` seats, all or none, under one reference.

    See `book_seat` and, for `ticket_types`, SeatRequest. `in_transaction` is called with the saved bookings before a
    sale by staff is committed, with the show locked; a Refusal that it raises rolls the sale back. SeatTaken lists all
    taken seats and `alternatives`. Also raises NoBlock and NoAccessibleSeat.
    """
    if sold_by and user:
        _check_is_active(user)
    request = SeatRequest(
        Action.BOOK,
        show_id,
        user,
        now,
        seat_numbers,
        count,
        split,
        accessible,
        ticket_types or {},
        expected_total=expected_total,
        idempotency=idempotency,
        staff=sold_by,
        contact=contact or Contact(),
    )
    bookings = carry_out_or_suggest(request, Sale(request, partial(_book, in_transaction=in_transaction)))
    SEATS_BOOKED.inc(len(bookings))
    return bookings


def _check_is_active(customer: User) -> None:
    """Raises CustomerInactive. Customers who book themselves are signed in, so their accounts are active."""
    if not customer.is_active:
        raise CustomerInactive(customer)


def carry_out_or_suggest(request: SeatRequest, sale: Sale) -> list[Booking]:
    """Carries out the sale. Adds `alternatives` to SeatTaken: the nearest block of available seats of the same size."""
    try:
        return sale.carry_out()
    except SeatTaken as refusal:
        show = refusal.show
        facts = read_all(show)
        closed = closed_seats(facts, request).union(seats_without_types(facts, request))
        refusal.extra["alternatives"] = nearest_block(show.hall, closed, request.seat_numbers)
        raise


def _book(
    request: SeatRequest,
    facts: Facts,
    seats: list[int],
    in_transaction: Callable[[list[Booking]], None] | None = None,
) -> Change:
    show, now, seller = facts.show, request.now, request.staff
    holds, priced = own_holds(request, facts, seats), price_seats(facts, request, seats)
    reference = shared_reference(request, holds)
    bookings = [
        Booking.build(
            id=holds[seat].pk if seat in holds else None,
            user=request.user,
            show=show,
            seat_number=seat,
            reference=reference,
            created_at=now,
            held_since=holds[seat].held_since if seat in holds else None,
            sold_by=seller,
            **priced[seat].columns,
        )
        for seat in seats
    ]
    booked = [_book_hold.choose(update_values(booking)) for booking in bookings if booking.pk]

    def log_sale() -> list[Call]:
        if in_transaction:
            in_transaction(bookings)
        # Without the name of the contact, which the order keeps for a limited time only.
        message = f"Sold to {request.user}." if request.user else SOLD_TO_NOBODY
        return [log_entry(seller, booking, ADDITION, message) for booking in bookings] if seller else []

    address = address_for(email=request.contact.email, user=request.user)
    before = [
        *release_expired(facts, seats, now),
        *write_order(request, facts, holds),
        *booked,
        *remove_empty_orders(facts, holds, reference),
        *confirmation_mail_calls(show_id=show.pk, reference=reference, address=address, now=now),
    ]
    return Change(bookings, before, log_sale if seller else None)


def update_values(booking: Booking) -> dict[str, Any]:
    """Return the values for the statements that update a booking."""
    return {
        "show_id": booking.show_id,
        "booking_id": booking.pk,
        "reference": booking.reference,
        "now": booking.created_at,
        "seat_number": booking.seat_number,
        "seat_label": booking.seat_label,
        "category": booking.category,
        "ticket_type_id": booking.ticket_type_id,
        "price": booking.price,
        "sold_by": booking.sold_by_id,
        "moved_by": booking.moved_by_id,
    }


def log_entry(by: User, booking: Booking, flag: int, message: str) -> Call:
    """Return the statement that writes an entry of the admin's history."""
    return _insert_log_entry.of(
        LogEntry(
            user_id=by.pk,
            content_type_id=ContentType.objects.get_for_model(Booking).pk,
            object_id=str(booking.pk),
            object_repr=str(booking)[:200],
            action_flag=flag,
            change_message=message,
        )
    )


def forget_buyers(bookings: BookingQuerySet) -> None:
    """Removes the names of customers from the admin's history of bookings that staff sold."""
    keys = [str(pk) for pk in bookings.filter(sold_by__isnull=False).order_by().values_list("pk", flat=True)]
    if keys:
        sales = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Booking), action_flag=ADDITION)
        sales.filter(object_id__in=keys, change_message__startswith="Sold to ").update(change_message=SOLD_TO_NOBODY)


@retried
def find_booking(bookings: BookingQuerySet) -> Booking:
    """Return the first of the bookings, with its show and ticket type loaded. Raises NotFound or Busy."""
    return first_or_not_found(bookings.select_related("show__movie", "show__screen", "ticket_type"))
