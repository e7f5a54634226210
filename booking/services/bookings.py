"""Booking seats, moving a booking to another seat, and cancelling."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from booking.infrastructure.metrics import SEATS_BOOKED
from booking.infrastructure.statements import Call, Insert, Update
from booking.models import Booking, BookingQuerySet, Show, User
from booking.services.facts import Action, Facts, SeatRequest, SeatRow, read_all
from booking.services.idempotency import IdempotentRequest
from booking.services.refusals import NotFound, Refusal
from booking.services.rules import AlreadyCancelled, SeatTaken, ShowStarted, closed_seats
from booking.services.sales import Change, Sale, release_expired
from booking.services.seating import nearest_block
from booking.services.seen_seats import SeatsChanged, SeenSeat, check_unchanged, moved
from booking.services.transactions import lock_show, retried, write_transaction

# The message in the admin's history when staff cancel a booking.
CANCELLED = "Cancelled."

_insert_log_entry = Insert(LogEntry)
_book_hold = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {
            "status": Booking.Status.BOOKED,
            "reference": p.reference,
            "created_at": p.now,
            "expires_at": None,
            "sold_by": p.sold_by,
        },
    )
)
_cancel_hold = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {"status": Booking.Status.CANCELLED, "cancelled_at": p.now, "cancelled_by": p.cancelled_by},
    )
)
_change_seat = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {"seat_number": p.seat_number, "moved_by": p.moved_by},
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
    user: User,
    show_id: int,
    seat_number: int,
    now: datetime,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    sold_by: User | None = None,
) -> Booking:
    """Books one seat for `user` and returns the booking, with its show, movie and screen loaded.

    `now` is UTC. A seat that the user holds becomes booked. With `idempotency` the request is safe to send again. For
    a sale by staff, `sold_by` is the member of staff. Raises NotFound, the refusals of
    services/rules.py, CustomerInactive, IdempotencyKeyReused or Busy, and Replay if the same request was carried out
    before.
    """
    if sold_by:
        _check_is_active(user)
    request = SeatRequest(Action.BOOK, show_id, user, now, [seat_number], idempotency=idempotency)
    [booking] = Sale(request, partial(_book, sold_by)).carry_out()
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
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    sold_by: User | None = None,
) -> list[Booking]:
    """Books the given seats, or the best `count` seats, all or none, under one reference.

    See `book_seat`. SeatTaken lists all taken seats and `alternatives`. Also raises NoBlock.
    """
    if sold_by:
        _check_is_active(user)
    request = SeatRequest(Action.BOOK, show_id, user, now, seat_numbers, count, split, idempotency=idempotency)
    bookings = carry_out_or_suggest(request, Sale(request, partial(_book, sold_by)))
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
        hall = (show.total_seats, show.seats_per_row, closed_seats(read_all(show), request))
        refusal.extra["alternatives"] = nearest_block(*hall, request.seat_numbers)
        raise


def own_holds(request: SeatRequest, facts: Facts, seats: Sequence[int]) -> dict[int, SeatRow]:
    """Return the customer's active holds on the seats, by seat number."""
    return {
        row.seat_number: row
        for row in facts.rows
        if row.seat_number in seats and row.is_hold_of(request.user, request.now)
    }


def shared_reference(request: SeatRequest, holds: dict[int, SeatRow]) -> str:
    """Return the reference of the holds if they share one, otherwise the request's new reference."""
    references = {hold.reference for hold in holds.values()}
    return references.pop() if len(references) == 1 else request.reference


def _book(sold_by: User | None, request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
    show, now = facts.show, request.now
    holds = own_holds(request, facts, seats)
    reference = shared_reference(request, holds)
    seller = {"sold_by": sold_by.pk if sold_by else None}
    booked = [
        _book_hold.bind(show_id=show.pk, booking_id=hold.pk, reference=reference, now=now, **seller)
        for hold in holds.values()
    ]
    bookings = [
        Booking(
            pk=holds[seat].pk if seat in holds else None,
            user=request.user,
            show=show,
            seat_number=seat,
            reference=reference,
            created_at=now,
            held_since=holds[seat].held_since if seat in holds else None,
            sold_by=sold_by,
        )
        for seat in seats
    ]

    def log_sale() -> list[Call]:
        message = f"Sold to {request.user}."
        return [log_entry(sold_by, booking, ADDITION, message) for booking in bookings] if sold_by else []

    return Change(bookings, [*release_expired(facts, seats, now), *booked], log_sale if sold_by else None)


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


def move_booking(
    *,
    user: User,
    booking_id: int,
    seat_number: int,
    now: datetime,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
    moved_by: User | None = None,
    seen_seat: int | None = None,
) -> Booking:
    """Moves a booking of `user` to another seat of its show and returns it.

    `now` is UTC. The new seat may be one that the user holds. `moved_by` is the member of staff who moves it. With
    `seen_seat`, only a booking on that seat is moved. Raises NotFound, the refusals of services/rules.py, SeatsChanged,
    IdempotencyKeyReused, Busy or Replay.
    """
    booking = _find(Booking.objects.filter(user=user, pk=booking_id))
    request = SeatRequest(
        Action.MOVE, booking.show_id, user, now, [seat_number], booking_id=booking_id, idempotency=idempotency
    )
    [moved] = Sale(request, partial(_move, booking, user, moved_by, seen_seat)).carry_out()
    return moved


def _move(
    booking: Booking,
    user: User,
    moved_by: User | None,
    seen_seat: int | None,
    request: SeatRequest,
    facts: Facts,
    seats: list[int],
) -> Change:
    show, [seat] = facts.show, seats
    [row] = [row for row in facts.rows if row.pk == booking.pk]
    # Race: the booking was moved since the page showed it.
    if seen_seat is not None and seen_seat != row.seat_number:
        raise SeatsChanged([moved(show, row.reference, seen_seat, row.seat_number)])
    # The values that were read under the lock.
    booking.show, booking.seat_number, booking.reference = show, row.seat_number, row.reference
    booking.status, booking.created_at = row.status, row.created_at
    booking.held_since, booking.expires_at = row.held_since, row.expires_at
    if seat == row.seat_number:
        return Change([booking], [])
    holds = own_holds(request, facts, seats)
    mover = moved_by.pk if moved_by else None
    cancelled = [
        _cancel_hold.bind(show_id=show.pk, booking_id=hold.pk, now=request.now, cancelled_by=mover)
        for hold in holds.values()
    ]
    message = f"Moved from {show.seat_label(row.seat_number)} to {show.seat_label(seat)}."
    log = log_entry(moved_by or user, booking, CHANGE, message)
    booking.seat_number, booking.moved_by = seat, moved_by
    change_seat = _change_seat.bind(show_id=show.pk, booking_id=booking.pk, seat_number=seat, moved_by=mover)
    return Change([booking], [*release_expired(facts, seats, request.now), *cancelled, log, change_seat])


@retried
def cancel_booking(
    *, booking_id: int, now: datetime, user: User | None = None, cancelled_by: User | None = None
) -> Booking:
    """Cancels a booking or a hold, which frees its seat, and returns it. With `user`, only one of that user.

    `now` is UTC. `cancelled_by` is the member of staff who cancels it. Raises NotFound, AlreadyCancelled, ShowStarted
    or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk=booking_id)
    if user is not None:
        bookings = bookings.filter(user=user)
    [booking] = _cancel_active(bookings, _find(bookings).show_id, now, cancelled_by)
    return booking


@retried
def cancel_bookings(
    *, show_id: int, seen: Sequence[SeenSeat], now: datetime, cancelled_by: User | None = None
) -> list[Booking]:
    """Cancels bookings and holds of a show that are still as they were seen, all or none, and returns them.

    `now` is UTC. `cancelled_by` is the member of staff who cancels them. Raises NotFound, SeatsChanged,
    AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk__in=[one.booking_id for one in seen])
    return _cancel_active(bookings.select_related("user"), show_id, now, cancelled_by, seen)


@retried
def cancel_reference(*, user: User, reference: str, now: datetime) -> list[Booking]:
    """Cancels all active bookings of `user` with this reference, all or none, and returns them.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.filter(user=user, reference=reference)
    # With a probability of 1 in 10¹¹ two shows share a reference; then the newest booking's show is chosen.
    return _cancel_active(bookings, _find(bookings).show_id, now)


@retried
def _find(bookings: BookingQuerySet) -> Booking:
    booking = bookings.select_related("show__movie", "show__screen").first()
    if booking is None:
        raise NotFound
    return booking


def _cancel_active(
    bookings: BookingQuerySet,
    show_id: int,
    now: datetime,
    cancelled_by: User | None = None,
    seen: Sequence[SeenSeat] = (),
) -> list[Booking]:
    """Cancels those of the bookings that are active in the show."""
    with write_transaction():
        # Race: a second cancellation, a move, a booking under the same reference, the show's cancellation.
        show = lock_show(show_id)
        check_unchanged(show, seen, now)
        active = _active(bookings, show, now)
        pks = [booking.pk for booking in active]
        cancelled = {"status": Booking.Status.CANCELLED, "cancelled_at": now, "cancelled_by": cancelled_by}
        Booking.objects.filter(show=show, pk__in=pks).update(**cancelled)
        for booking in active:
            booking.status, booking.cancelled_at = Booking.Status.CANCELLED, now
            booking.cancelled_by = cancelled_by
        if cancelled_by:
            LogEntry.objects.log_actions(cancelled_by.pk, active, CHANGE, change_message=CANCELLED)
    return active


def _active(bookings: BookingQuerySet, show: Show, now: datetime) -> list[Booking]:
    """Return those that are active; the show is locked. Raises AlreadyCancelled or ShowStarted."""
    active = list(bookings.active(now).filter(show=show).order_by("seat_number"))
    if not active:
        raise AlreadyCancelled
    if show.has_started(now):
        raise ShowStarted
    for booking in active:
        booking.show = show
    return active
