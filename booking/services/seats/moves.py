"""Moving bookings to other seats of their show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.models import CHANGE
from django.db.models import F

from booking.infrastructure.statements import Call, Update, send
from booking.models import Booking, Show, User, represent_amount
from booking.services.mail.outbox import address_for, enqueue_new_tickets_mail, moved_ticket_mail_calls
from booking.services.money.refunds import refund_overpaid
from booking.services.refusals import NotFound, Refusal
from booking.services.seats.bookings import find_booking, log_entry, update_values
from booking.services.seats.facts import Action, Facts, SeatRequest, SeatRow, lock_and_read
from booking.services.seats.idempotency import IdempotentRequest
from booking.services.seats.orders import own_holds
from booking.services.seats.prices import PriceChanged, price_seats
from booking.services.seats.rules import choose_seats
from booking.services.seats.sales import Change, Sale, release_expired
from booking.services.seats.seen_seats import SeatsChanged, SeenSeat, check_unchanged, moved
from booking.services.transactions import lock_show, retried, write_transaction

_cancel_hold = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {"status": Booking.Status.CANCELLED, "cancelled_at": p.now, "cancelled_by": p.cancelled_by},
    )
)
_change_seat = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {
            "seat_number": p.seat_number,
            "seat_label": p.seat_label,
            "category": p.category,
            "ticket_type": p.ticket_type_id,
            "price": p.price,
            "moved_by": p.moved_by,
            # The ticket of the old seat is not valid any more.
            "ticket_serial": F("ticket_serial") + 1,
        },
    )
)


class OtherPrice(Refusal):
    """The new seats cost more or less than the old ones, and the request does not confirm that."""

    code = "other_price"
    example: ClassVar[dict[str, Any]] = {"detail": "The new seats cost 15.00 and the old ones 12.00.", "total": "15.00"}

    def __init__(self, before: Decimal, total: Decimal) -> None:
        amount = represent_amount(total)
        super().__init__(f"The new seats cost {amount} and the old ones {represent_amount(before)}.", total=amount)
        self.before, self.total = before, total


def move_booking(
    *,
    user: User | None,
    booking_id: int,
    seat_number: int,
    now: datetime,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    expected_total: Decimal | None = None,
    moved_by: User | None = None,
    seen_seat: int | None = None,
) -> Booking:
    """Moves a booking of `user` to another seat of its show and returns it.

    `now` is UTC. The new seat may be one that the user holds. In the same category the booking keeps its price; in
    another one it costs what its ticket type costs there, which `expected_total` may confirm. `moved_by` is the member
    of staff who moves it. With `seen_seat`, only a booking on that seat is moved. Raises NotFound, the refusals of
    the rules, SeatsChanged, IdempotencyKeyReused, Busy or Replay.
    """
    booking = find_booking(Booking.objects.filter(user=user, pk=booking_id))
    request = SeatRequest(
        Action.MOVE,
        booking.show_id,
        user,
        now,
        [seat_number],
        is_for_one_seat=True,
        expected_total=expected_total,
        staff=moved_by,
        booking_id=booking_id,
        idempotency=idempotency,
    )
    [moved_booking] = Sale(request, partial(_move, booking, seen_seat)).carry_out()
    return moved_booking


@retried
def move_bookings(
    *,
    show_id: int,
    seen: Sequence[SeenSeat],
    seat_numbers: Sequence[int],
    now: datetime,
    moved_by: User,
    expected_total: Decimal | None = None,
) -> list[Booking]:
    """Moves bookings of a show that are still as they were seen to as many other seats, all or none; for staff.

    `now` is UTC. The booking with the lowest seat number gets the lowest of the new seats, and so on. `expected_total`
    is what the new seats cost together; without it they must cost as much as the old ones. Each customer gets one mail.
    Returns the bookings by seat. Raises NotFound, the refusals of the rules, SeatsChanged, OtherPrice, PriceChanged or
    Busy.
    """
    ids = [one.booking_id for one in sorted(seen, key=lambda one: one.seat_number)]
    with write_transaction():
        # Race: another member of staff moves or cancels one of them, a customer books one of the new seats.
        show = lock_show(show_id)
        check_unchanged(show, seen, now)
        rows = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(show=show).select_related("user")
        found = rows.in_bulk(ids)
        if len(found) < len(ids):
            raise NotFound
        bookings = [found[pk] for pk in ids]
        before = {booking.pk: booking.price for booking in bookings}
        for booking, seat in zip(bookings, sorted(seat_numbers), strict=True):
            _move_locked(booking, seat, now, moved_by)
        _check_total(sum(before.values(), Decimal(0)), sum((one.price for one in bookings), Decimal(0)), expected_total)
        cheaper = {booking.reference for booking in bookings if booking.price < before[booking.pk]}
        if cheaper:
            refund_overpaid(show=show, references=cheaper, now=now, reason="Moved to cheaper seats.", by=moved_by)
        for reference in sorted({booking.reference for booking in bookings}):
            enqueue_new_tickets_mail(show=show, reference=reference, now=now)
    return bookings


def _move_locked(booking: Booking, seat: int, now: datetime, moved_by: User) -> None:
    """Moves a booking whose show is locked. The caller refunds the difference and tells the customer."""
    request = SeatRequest(
        Action.MOVE,
        booking.show_id,
        booking.user,
        now,
        [seat],
        is_for_one_seat=True,
        staff=moved_by,
        booking_id=booking.pk,
    )
    facts = lock_and_read(request, wait=True, is_locked=True)
    send(*_change_calls(booking, _row_of(booking, facts), request, facts, choose_seats(facts, request)))


def _check_total(before: Decimal, total: Decimal, expected: Decimal | None) -> None:
    if expected is None and total != before:
        raise OtherPrice(before, total)
    if expected not in (None, total):
        raise PriceChanged(total)


def _move(booking: Booking, seen_seat: int | None, request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
    show, row, mover = facts.show, _row_of(booking, facts), request.staff
    # Race: the booking was moved since the page showed it.
    if seen_seat is not None and seen_seat != row.seat_number:
        raise SeatsChanged([moved(show, row.reference, seen_seat, row.seat_number)])
    calls = _change_calls(booking, row, request, facts, seats)
    if not calls:
        return Change([booking], [])
    is_cheaper = booking.price < row.price

    def refund_difference() -> list[Call]:
        if is_cheaper:
            refund_overpaid(
                show=show,
                references=[booking.reference],
                now=request.now,
                reason=_message(show, row, seats[0]),
                by=mover,
                by_customer=mover is None,
            )
        if request.user is None:
            enqueue_new_tickets_mail(show=show, reference=row.reference, now=request.now)
        return []

    address = address_for(email="", user=request.user)
    tickets = moved_ticket_mail_calls(show_id=show.pk, reference=row.reference, address=address, now=request.now)
    return Change([booking], [*calls, *tickets], refund_difference if is_cheaper or request.user is None else None)


def _row_of(booking: Booking, facts: Facts) -> SeatRow:
    [row] = [row for row in facts.rows if row.pk == booking.pk]
    return row


def _message(show: Show, row: SeatRow, seat: int) -> str:
    return f"Moved from {show.seat_label(row.seat_number)} to {show.seat_label(seat)}."


def _change_calls(booking: Booking, row: SeatRow, request: SeatRequest, facts: Facts, seats: list[int]) -> list[Call]:
    """Change the instance and return the statements that move it; none if it is on the seat already."""
    show, [seat] = facts.show, seats
    # The values that were read under the lock.
    booking.show, booking.seat_number, booking.reference = show, row.seat_number, row.reference
    booking.status, booking.created_at = row.status, row.created_at
    booking.held_since, booking.expires_at = row.held_since, row.expires_at
    if seat == row.seat_number:
        return []
    holds, priced, mover = own_holds(request, facts, seats), price_seats(facts, request, seats)[seat], request.staff
    cancelled = [
        _cancel_hold.bind(
            show_id=show.pk, booking_id=hold.pk, now=request.now, cancelled_by=mover.pk if mover else None
        )
        for hold in holds.values()
    ]
    by = mover or request.user
    log = [log_entry(by, booking, CHANGE, _message(show, row, seat))] if by else []
    booking.seat_number, booking.moved_by = seat, mover
    for name, value in priced.columns.items():
        setattr(booking, name, value)
    change_seat = _change_seat.choose(update_values(booking))
    # It is read from the database where it is needed.
    booking.__dict__.pop("ticket_serial", None)
    return [*release_expired(facts, seats, request.now), *cancelled, *log, change_seat]
