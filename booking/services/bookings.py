"""Booking a seat and giving it back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Count, Q

from booking.models import Booking, Show, User
from booking.prepared import PreparedInsert, PreparedQuery
from booking.services.locks import (
    Contested,
    is_contested,
    lock_show,
    lock_show_if_free,
    retried,
    write_transaction,
)
from booking.services.receipts import Receipt
from booking.services.refusals import Busy, NotFound, Refusal


class SeatTaken(Refusal):
    code = "seat_taken"
    field = "seat_number"

    def __init__(self, show: Show, seat_number: int) -> None:
        super().__init__(f"Seat {show.seat_label(seat_number)} is already taken.", seats=[seat_number])


class SoldOut(Refusal):
    code = "sold_out"

    def __init__(self) -> None:
        super().__init__("This show is sold out.")


class ShowStarted(Refusal):
    code = "show_started"

    def __init__(self) -> None:
        super().__init__("This show has already started.")


class ShowCancelled(Refusal):
    code = "show_cancelled"

    def __init__(self) -> None:
        super().__init__("This show has been cancelled.")


class AlreadyCancelled(Refusal):
    code = "already_cancelled"

    def __init__(self) -> None:
        super().__init__("This booking is already cancelled.")


class NoSuchSeat(Refusal):
    code = "no_such_seat"
    field = "seat_number"

    def __init__(self, show: Show) -> None:
        super().__init__(f"This show has seats 1 to {show.total_seats}.")


class SeatLimitReached(Refusal):
    code = "seat_limit_reached"

    def __init__(self) -> None:
        super().__init__(f"One customer may have {settings.MAX_SEATS_PER_USER} seats in a show.")


# All that is asked before a seat is sold: who has it, and the seats this customer has in the show.
_seat_or_customer = PreparedQuery(
    lambda show, seat_number, user: (
        Booking.objects.live()
        .filter(show=show)
        .filter(Q(seat_number=seat_number) | Q(user=user))
        .only("seat_number", "user")
        .order_by()
    ),
    3,
)
_holder = PreparedQuery(
    lambda show, seat_number: (
        Booking.objects.live().filter(show=show, seat_number=seat_number).select_related("show").order_by()
    ),
    2,
)
_bookings = PreparedInsert(Booking)


@lru_cache
def _count_sold(shows: int) -> PreparedQuery:
    """For so many shows, the ids of those with live bookings, each with their number."""
    live = Booking.objects.live().order_by()
    return PreparedQuery(lambda *pks: live.filter(show__in=pks).values_list("show").annotate(Count("pk")), shows)


def seats_sold(shows: Sequence[int]) -> dict[int, int]:
    """The number of live bookings of each of the shows, by id; one without is left out."""
    return dict(_count_sold(len(shows))(*shows)) if shows else {}


@retried
def book_seat(
    *, user: User, show_id: int, seat_number: int, now: datetime, receipt: Receipt[Booking] | None = None
) -> Booking:
    """Books one seat for `user` and returns the booking, with its show, movie and screen loaded.

    `now` is UTC. A `receipt` makes the same request safe to send again. Raises NotFound, ShowCancelled,
    ShowStarted, NoSuchSeat, SeatTaken, SoldOut, SeatLimitReached, IdempotencyKeyReused or Busy, and
    Replay where the receipt shows that this was done before.
    """
    booking = Booking(user=user, show_id=show_id, seat_number=seat_number, created_at=now)
    try:
        if not is_contested(show_id):
            with suppress(Contested):
                return _book(booking, receipt, lock_show_if_free)
        # Most who come while a hot show sells want a seat that is gone. They are told without the lock, which
        # stays free for those who still have a chance.
        _look(booking, receipt)
        return _book(booking, receipt, lock_show)
    except IntegrityError as error:
        # The constraint has the last word should a seat ever be written without the lock.
        _look(booking)
        # The user was deleted at this very moment; asked again, the request is refused for it.
        raise Busy from error


def _look(booking: Booking, receipt: Receipt[Booking] | None = None) -> None:
    """Refuses a seat that somebody has."""
    for holder in _holder(booking.show_id, booking.seat_number):
        if receipt:
            receipt.look_up(booking.user, holder.show)
        raise _taken(holder.show, booking.seat_number)


def _book(booking: Booking, receipt: Receipt[Booking] | None, lock: Callable[[int], Show]) -> Booking:
    """Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show."""
    with write_transaction():
        booking.show = lock(booking.show_id)
        if receipt:
            receipt.look_up(booking.user, booking.show)
        refusal = _refusal(booking)
        if refusal is None:
            _bookings.insert(booking)
            if receipt:
                receipt.keep(booking.user, booking.show, booking)
            return booking
    # Out here, as with a rollback psycopg would forget the statements it has prepared.
    raise refusal


def _refusal(booking: Booking) -> Refusal | None:
    show = booking.show
    if show.is_cancelled:
        return ShowCancelled()
    if show.has_started(booking.created_at):
        return ShowStarted()
    if not show.has_seat(booking.seat_number):
        return NoSuchSeat(show)
    rivals = _seat_or_customer(show.pk, booking.seat_number, booking.user_id)
    if any(rival.seat_number == booking.seat_number for rival in rivals):
        return _taken(show, booking.seat_number)
    if len(rivals) >= settings.MAX_SEATS_PER_USER:
        return SeatLimitReached()
    return None


def _taken(show: Show, seat_number: int) -> Refusal:
    sold = seats_sold([show.pk]).get(show.pk, 0)
    return SoldOut() if sold >= show.total_seats else SeatTaken(show, seat_number)


@retried
def cancel_booking(*, booking_id: int, now: datetime, user: User | None = None) -> Booking:
    """Cancels a booking, of `user` alone where one is given, and returns it; its seat is free again.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.select_related("show__movie", "show__screen")
    if user is not None:
        bookings = bookings.filter(user=user)
    booking = bookings.filter(pk=booking_id).first()
    if booking is None:
        raise NotFound
    with write_transaction():
        # Race: a second cancel, or staff calling the show off.
        show = lock_show(booking.show_id)
        booking.refresh_from_db(fields=["status"], from_queryset=Booking.objects.filter(show=show))
        if not booking.is_live:
            raise AlreadyCancelled
        if show.has_started(now):
            raise ShowStarted
        booking.status = Booking.Status.CANCELLED
        booking.cancelled_at = now
        booking.save(update_fields=["status", "cancelled_at"])
    return booking
