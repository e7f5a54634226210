"""Booking a seat and giving it back."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q

from booking.models import Booking, Show, User
from booking.prepared import PreparedInsert, PreparedQuery
from booking.services.locks import lock_show, lock_show_if_free, retried, write_transaction
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
_show = PreparedQuery(lambda pk: Show.objects.select_related("movie", "screen").order_by().filter(pk=pk), 1)
_insert = PreparedInsert(Booking)


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
        with write_transaction():
            show = lock_show_if_free(show_id)
            if show is None:
                # Most who come while a hot show sells want a seat that is gone. They are told without the lock,
                # which stays free for those who still have a chance.
                for unlocked in _show(show_id):
                    _look(booking, unlocked, receipt)
                show = lock_show(show_id)
            return _book(booking, show, receipt)
    except IntegrityError as error:
        # The constraint has the last word should a seat ever be written without the lock.
        if Booking.objects.live().filter(show=show_id, seat_number=seat_number).exists():
            raise SeatTaken(Show.objects.get(pk=show_id), seat_number) from None
        # The user was deleted at this very moment; asked again, the request is refused for it.
        raise Busy from error


def _look(booking: Booking, show: Show, receipt: Receipt[Booking] | None) -> None:
    try:
        _check_allowed(booking, show, receipt)
    except Refusal:
        # Race: the same request, sent twice, took the seat between the look at the receipt and that at the seats.
        if receipt:
            receipt.look_up(booking.user, show)
        raise


def _book(booking: Booking, show: Show, receipt: Receipt[Booking] | None) -> Booking:
    """Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show."""
    _check_allowed(booking, show, receipt)
    booking.show = show
    _insert(booking)
    if receipt:
        receipt.keep(booking.user, show, booking)
    return booking


def _check_allowed(booking: Booking, show: Show, receipt: Receipt[Booking] | None) -> None:
    if receipt:
        receipt.look_up(booking.user, show)
    if show.is_cancelled:
        raise ShowCancelled
    if show.has_started(booking.created_at):
        raise ShowStarted
    if not show.has_seat(booking.seat_number):
        raise NoSuchSeat(show)
    rivals = _seat_or_customer(show.pk, booking.seat_number, booking.user_id)
    if any(rival.seat_number == booking.seat_number for rival in rivals):
        sold = Booking.objects.live().filter(show=show).count()
        raise SoldOut if sold >= show.total_seats else SeatTaken(show, booking.seat_number)
    if sum(rival.user_id == booking.user_id for rival in rivals) >= settings.MAX_SEATS_PER_USER:
        raise SeatLimitReached


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
