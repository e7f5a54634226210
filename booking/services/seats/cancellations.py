"""Cancelling bookings, holds and orders, which frees their seats."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.admin.models import CHANGE, LogEntry

from booking.models import Booking, BookingQuerySet, Show, User
from booking.services.door.admitted import refuse_admitted
from booking.services.mail.outbox import enqueue_cancelled_seats_mail
from booking.services.money.refunds import refund_overpaid
from booking.services.refusals import Refusal
from booking.services.seats.bookings import find_booking
from booking.services.seats.rules.sale import AlreadyCancelled, ShowStarted
from booking.services.seats.seen_seats import SeenSeat, check_unchanged
from booking.services.transactions import lock_show, retried, write_transaction

# The message in the admin's history when staff cancel a booking.
CANCELLED = "Cancelled."


@retried
def cancel_booking(*, booking_id: int, now: datetime, user: User | None = None) -> Booking:
    """Cancels a booking or a hold, which frees its seat, and returns it. With `user`, only one of that user.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted, SeatAdmitted or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk=booking_id)
    if user is not None:
        bookings = bookings.filter(user=user)
    [booking] = _cancel_active(bookings, find_booking(bookings).show_id, now)
    return booking


@retried
def cancel_bookings(
    *, show_id: int, seen: Sequence[SeenSeat], now: datetime, cancelled_by: User, note: str = ""
) -> list[Booking]:
    """Cancels bookings and holds of a show that are still as they were seen, all or none, and returns them.

    `now` is UTC. `cancelled_by` is the member of staff who cancels them. Customers are told, with `note`. Raises
    NotFound, SeatsChanged, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk__in=[one.booking_id for one in seen])
    return _cancel_active(bookings.select_related("user"), show_id, now, cancelled_by, seen, note)


@retried
def cancel_order(*, user: User, reference: str, now: datetime) -> list[Booking]:
    """Cancels all active bookings of an order of `user`, all or none, and returns them.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted, SeatAdmitted or Busy.
    """
    bookings = Booking.objects.filter(user=user, reference=reference)
    # With a probability of 1 in 10¹¹ two shows share a reference; then the newest booking's show is chosen.
    return _cancel_active(bookings, find_booking(bookings).show_id, now)


@retried
def cancel_mailed_order(*, show_id: int, reference: str, now: datetime) -> list[Booking]:
    """Cancels all active bookings of an order whose signed link the customer followed, and returns them.

    The link is in the mail about a new start, so the money goes back until the show starts: it was the cinema that
    changed the show. `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted, SeatAdmitted or Busy.
    """
    bookings = Booking.objects.filter(show=show_id, reference=reference)
    return _cancel_active(bookings, show_id, now, refunds_end=False)


def _cancel_active(
    bookings: BookingQuerySet,
    show_id: int,
    now: datetime,
    cancelled_by: User | None = None,
    seen: Sequence[SeenSeat] = (),
    note: str = "",
    *,
    refunds_end: bool = True,
) -> list[Booking]:
    """Cancels those of the bookings that are active in the show; with `refunds_end`, customers may be too late."""
    with write_transaction():
        # Race: a second cancellation, a move, a booking under the same reference, the show's cancellation.
        show = lock_show(show_id)
        check_unchanged(show, seen, now)
        active = _active(bookings, show, now)
        pks = [booking.pk for booking in active]
        if cancelled_by is None:
            refuse_admitted(show=show, booking_ids=pks)
        Booking.objects.filter(show=show, pk__in=pks).cancel(now, cancelled_by)
        for booking in active:
            booking.status, booking.cancelled_at = Booking.Status.CANCELLED, now
            booking.cancelled_by = cancelled_by
        refund_overpaid(
            show=show,
            references={booking.reference for booking in active},
            now=now,
            reason=CANCELLED,
            by=cancelled_by,
            by_customer=cancelled_by is None and refunds_end,
        )
        if cancelled_by:
            LogEntry.objects.log_actions(cancelled_by.pk, active, CHANGE, change_message=CANCELLED)
        booked = [booking for booking in active if booking.expires_at is None]
        enqueue_cancelled_seats_mail(show=show, bookings=booked, now=now, by_staff=cancelled_by is not None, note=note)
    return active


def _active(bookings: BookingQuerySet, show: Show, now: datetime) -> list[Booking]:
    """Return those that are active; the show is locked. Raises AlreadyCancelled or ShowStarted."""
    active = list(bookings.active(now).filter(show=show).select_related("ticket_type").order_by("seat_number"))
    if not active:
        raise AlreadyCancelled
    for booking in active:
        booking.show = show
        if refusal := why_not_cancellable(booking=booking, now=now):
            raise refusal
    return active


class SeatBlocked(Refusal):
    """Staff cancel a blocked seat, which is no booking."""

    code = "seat_blocked"

    def __init__(self) -> None:
        super().__init__("This seat is blocked; unblock it in the hall of its show.")


def why_not_cancellable(*, booking: Booking, now: datetime) -> Refusal | None:
    """Return why nobody can cancel the booking, or None. `now` is UTC."""
    if booking.status == Booking.Status.BLOCKED:
        return SeatBlocked()
    if not booking.is_active(now):
        return AlreadyCancelled()
    return ShowStarted() if booking.show.has_started(now) else None
