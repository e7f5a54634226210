"""Booking seats, moving to another one and giving them back."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import IntegrityError

from booking.metrics import SEATS_BOOKED
from booking.models import Booking, BookingQuerySet, Show, User
from booking.prepared import PreparedInsert
from booking.services.at_once import CAN_SELL_AT_ONCE, sell_at_once
from booking.services.attempts import Attempt
from booking.services.claims import (
    Claim,
    ShowStarted,
    Wish,
    check_free,
    check_seats,
    clear_seats,
    rows_on_seats,
    shared_reference,
)
from booking.services.locks import lock_show, retried, write_transaction
from booking.services.receipts import Receipt
from booking.services.refusals import Busy, NotFound, Refusal


class AlreadyCancelled(Refusal):
    code = "already_cancelled"

    def __init__(self) -> None:
        super().__init__("This booking is already cancelled.")


class NotBooked(Refusal):
    code = "not_booked"

    def __init__(self) -> None:
        super().__init__("This seat is only held; hold or book the other one instead.")


_bookings = PreparedInsert(Booking)
# How the admin's history tells that staff cancelled a booking.
CANCELLED = "Cancelled."


def book_seat(
    *,
    user: User,
    show_id: int,
    seat_number: int,
    now: datetime,
    receipt: Receipt[list[Booking]] | None = None,
    sold_by: User | None = None,
    attempt: Attempt | None = None,
) -> Booking:
    """Books one seat for `user` and returns the booking, with its show, movie and screen loaded.

    `now` is UTC. A seat that the user holds becomes booked. A `receipt` makes the same request safe to send
    again; an `attempt` was made at this time. The admin's history tells who of the staff it was `sold_by`. Raises
    NotFound, ShowCancelled, ShowStarted, NoSuchSeat, SeatTaken, SoldOut, SeatLimitReached, IdempotencyKeyReused or
    Busy, and Replay where the receipt shows that this was done before.
    """
    if attempt and attempt.booking:
        SEATS_BOOKED.inc()
        return attempt.booking
    claim = Claim(user, show_id, Wish([seat_number]), now, receipt)
    if attempt:
        claim.look, claim.is_tried, claim.may_be_done = attempt.look, attempt.is_in_vain, attempt.may_be_done
    # What is kept beside the booking, in its transaction, names its id.
    is_alone = CAN_SELL_AT_ONCE and not receipt and not sold_by and not claim.is_tried
    at_once = partial(sell_at_once, user=user, show_id=show_id, seat_number=seat_number, now=now)
    [booking] = claim.carry_out(partial(_sell, user, now, sold_by), at_once if is_alone else None)
    SEATS_BOOKED.inc()
    return booking


def book_seats(
    *,
    user: User,
    show_id: int,
    now: datetime,
    seat_numbers: Sequence[int] = (),
    count: int = 0,
    split: bool = False,
    receipt: Receipt[list[Booking]] | None = None,
    sold_by: User | None = None,
) -> list[Booking]:
    """Books these seats, or the best `count` seats, all or none, under one reference.

    Otherwise as `book_seat`. SeatTaken names all that are taken, with `alternatives`; raises NoBlock too.
    """
    claim = Claim(user, show_id, Wish(seat_numbers, count, split), now, receipt)
    bookings = claim.carry_out_or_offer(partial(_sell, user, now, sold_by))
    SEATS_BOOKED.inc(len(bookings))
    return bookings


def _sell(
    user: User, now: datetime, sold_by: User | None, show: Show, seats: list[int], rows: list[Booking]
) -> list[Booking]:
    clear_seats(show, rows, now)
    held = {row.seat_number: row for row in rows if row.is_hold_of(user, now)}
    reference = shared_reference(held.values())
    if held:
        news = {"status": Booking.Status.BOOKED, "reference": reference, "created_at": now, "expires_at": None}
        Booking.objects.filter(show=show, pk__in=[hold.pk for hold in held.values()]).update(**news)
        for hold in held.values():
            hold.show = show
            for name, value in news.items():
                setattr(hold, name, value)
    sold = [
        held.get(seat) or Booking(user=user, show=show, seat_number=seat, reference=reference, created_at=now)
        for seat in seats
    ]
    new = [booking for booking in sold if booking.pk is None]
    if len(new) == 1:
        _bookings.insert(new[0])
    else:
        Booking.objects.bulk_create(new)
    if sold_by:
        _log(sold_by, sold, ADDITION, f"Sold to {user}.")
    return sold


def _log(by: User, bookings: Sequence[Booking], flag: int, message: str) -> None:
    """Tells the admin's history in the transaction of what is told: neither is there without the other."""
    LogEntry.objects.log_actions(by.pk, bookings, flag, change_message=message)


@retried
def move_booking(
    *,
    user: User,
    booking_id: int,
    seat_number: int,
    now: datetime,
    receipt: Receipt[list[Booking]] | None = None,
    moved_by: User | None = None,
) -> Booking:
    """Moves a booking of `user` to another seat of its show and returns it.

    `now` is UTC. A seat that the user holds is free for that. The admin's history tells of it, under the name of
    `moved_by` where that is somebody else than the user. Raises NotFound, AlreadyCancelled, NotBooked,
    ShowStarted, NoSuchSeat, SeatTaken, SoldOut, IdempotencyKeyReused, Busy or Replay.
    """
    bookings = Booking.objects.filter(user=user, pk=booking_id)
    booking = _find(bookings)
    try:
        with write_transaction():
            # Race: a buyer of the other seat, a cancel or another move of this one.
            show = lock_show(booking.show_id)
            if receipt:
                receipt.look_up(user, show)
            [booking] = _live(bookings, show, now)
            if booking.status == Booking.Status.HELD:
                raise NotBooked
            check_seats(show, [seat_number])
            if seat_number != booking.seat_number:
                _put_on(booking, seat_number, user, now, moved_by or user)
            if receipt:
                receipt.keep(user, show, [booking])
            return booking
    except IntegrityError as error:
        check_free(booking.show, rows_on_seats(booking.show, [seat_number]), [seat_number], user, now)
        raise Busy from error


def _put_on(booking: Booking, seat_number: int, user: User, now: datetime, moved_by: User) -> None:
    show = booking.show
    rows = rows_on_seats(show, [seat_number])
    check_free(show, rows, [seat_number], user, now)
    clear_seats(show, rows, now)
    _cancel([row for row in rows if row.is_hold_of(user, now)], show, now)
    _log_move(booking, seat_number, moved_by)
    Booking.objects.filter(show=show, pk=booking.pk).update(seat_number=seat_number, held_since=None)
    if booking.held_since:
        _leave_hold_behind(booking, booking.held_since, now)
    booking.seat_number, booking.held_since = seat_number, None


def _leave_hold_behind(booking: Booking, held_since: datetime, now: datetime) -> None:
    """When this customer first held the seat that is left is still to be known there."""
    Booking.objects.create(
        user=booking.user,
        show=booking.show,
        seat_number=booking.seat_number,
        status=Booking.Status.CANCELLED,
        created_at=held_since,
        held_since=held_since,
        expires_at=now,
        cancelled_at=now,
    )


def _log_move(booking: Booking, seat_number: int, by: User) -> None:
    """Nothing else would remember the seat that is left."""
    _log(by, [booking], CHANGE, f"Moved from {booking.seat_label} to {booking.show.seat_label(seat_number)}.")


@retried
def cancel_booking(
    *, booking_id: int, now: datetime, user: User | None = None, cancelled_by: User | None = None
) -> Booking:
    """Cancels a booking or a hold, of `user` alone where one is given, and returns it; its seat is free again.

    `now` is UTC. The admin's history tells who of the staff it was `cancelled_by`. Raises NotFound,
    AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk=booking_id)
    if user is not None:
        bookings = bookings.filter(user=user)
    [booking] = _cancel_live(bookings, _find(bookings).show_id, now, cancelled_by)
    return booking


@retried
def cancel_reference(*, user: User, reference: str, now: datetime) -> list[Booking]:
    """Cancels all seats that `user` has under one reference, all or none, and returns them.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.filter(user=user, reference=reference)
    # A reference is of one show; by the chance of 1 to 10¹¹ that it is not, of the newest.
    return _cancel_live(bookings, _find(bookings).show_id, now)


def _find(bookings: BookingQuerySet) -> Booking:
    booking = bookings.select_related("show__movie", "show__screen").first()
    if booking is None:
        raise NotFound
    return booking


def _cancel_live(
    bookings: BookingQuerySet, show_id: int, now: datetime, cancelled_by: User | None = None
) -> list[Booking]:
    """Cancels those of the bookings that are live, of one show."""
    with write_transaction():
        # Race: a second cancel, a move, another seat booked under the reference, staff calling the show off.
        show = lock_show(show_id)
        live = _live(bookings, show, now)
        _cancel(live, show, now)
        if cancelled_by:
            _log(cancelled_by, live, CHANGE, CANCELLED)
    return live


def _live(bookings: BookingQuerySet, show: Show, now: datetime) -> list[Booking]:
    """Those that are live, as they are now that the show is locked. Raises AlreadyCancelled or ShowStarted."""
    live = list(bookings.live(now).filter(show=show).order_by("seat_number"))
    if not live:
        raise AlreadyCancelled
    if show.has_started(now):
        raise ShowStarted
    for booking in live:
        booking.show = show
    return live


def _cancel(bookings: Sequence[Booking], show: Show, now: datetime) -> None:
    if not bookings:
        return
    pks = [booking.pk for booking in bookings]
    Booking.objects.filter(show=show, pk__in=pks).update(status=Booking.Status.CANCELLED, cancelled_at=now)
    for booking in bookings:
        booking.status, booking.cancelled_at = Booking.Status.CANCELLED, now
