"""Booking a seat and giving it back."""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q

from booking.models import Booking, Show, User
from booking.services.locks import lock_show, write_transaction
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


def book_seat(*, user: User, show_id: int, seat_number: int, now: datetime) -> Booking:
    """Books one seat for `user` and returns the booking, with its show, movie and screen loaded.

    `now` is UTC. Raises NotFound, ShowCancelled, ShowStarted, NoSuchSeat, SeatTaken, SoldOut,
    SeatLimitReached or Busy.
    """
    show = Show.objects.select_related("movie", "screen").filter(pk=show_id).first()
    if show is None:
        raise NotFound
    _check_on_sale(show, seat_number, now)
    try:
        with write_transaction():
            # Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show.
            locked = lock_show(show_id)
            _check_on_sale(locked, seat_number, now)
            _check_free(locked, user, seat_number)
            return Booking.objects.create(user=user, show=show, seat_number=seat_number, created_at=now)
    except IntegrityError as error:
        # The constraint has the last word should a seat ever be written without the lock.
        if Booking.objects.live().filter(show=show, seat_number=seat_number).exists():
            raise SeatTaken(show, seat_number) from None
        # The show or the user was deleted at this very moment; asked again, the request is refused for it.
        raise Busy from error


def _check_on_sale(show: Show, seat_number: int, now: datetime) -> None:
    if show.is_cancelled:
        raise ShowCancelled
    if show.has_started(now):
        raise ShowStarted
    if not show.has_seat(seat_number):
        raise NoSuchSeat(show)


def _check_free(show: Show, user: User, seat_number: int) -> None:
    live = Booking.objects.live().filter(show=show)
    rivals = list(live.filter(Q(seat_number=seat_number) | Q(user=user)).values_list("seat_number", "user_id"))
    if any(seat == seat_number for seat, _ in rivals):
        raise SoldOut if live.count() >= show.total_seats else SeatTaken(show, seat_number)
    if sum(owner == user.pk for _, owner in rivals) >= settings.MAX_SEATS_PER_USER:
        raise SeatLimitReached


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
