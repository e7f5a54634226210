"""Booking seats, moving a booking to another seat, and cancelling."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F

from booking.infrastructure.metrics import SEATS_BOOKED
from booking.infrastructure.statements import Call, Insert, Update
from booking.models import Booking, BookingQuerySet, Show, User
from booking.services.mail.outbox import confirm_order, report_cancelled_seats
from booking.services.money.refunds import refund_overpaid
from booking.services.refusals import NotFound, Refusal
from booking.services.seats.facts import Action, Contact, Facts, SeatRequest, read_all
from booking.services.seats.idempotency import IdempotentRequest
from booking.services.seats.orders import own_holds, remove_empty_orders, shared_reference, write_order
from booking.services.seats.prices import tickets_for
from booking.services.seats.rules import closed_seats
from booking.services.seats.rules.sale import AlreadyCancelled, ShowStarted
from booking.services.seats.rules.seats import SeatTaken
from booking.services.seats.sales import Change, Sale, release_expired
from booking.services.seats.seating import nearest_block
from booking.services.seats.seen_seats import SeatsChanged, SeenSeat, check_unchanged, moved
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
            "seat_label": p.seat_label,
            "category": p.category,
            "ticket_type": p.ticket_type_id,
            "price": p.price,
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
    type. With `idempotency` the request is safe to send again. For a sale by staff, `sold_by` is the member of staff;
    `user` is then None for a customer without an account, whose `contact` the order keeps. Raises NotFound, the
    refusals of the rules, CustomerInactive, IdempotencyKeyReused or Busy, and Replay if the same request was
    carried out before.
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
) -> list[Booking]:
    """Books the given seats, or the best `count` seats, all or none, under one reference.

    See `book_seat` and, for `ticket_types`, SeatRequest. SeatTaken lists all taken seats and `alternatives`. Also
    raises NoBlock and NoAccessibleSeat.
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
    bookings = carry_out_or_suggest(request, Sale(request, _book))
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
        closed = closed_seats(read_all(show), request)
        refusal.extra["alternatives"] = nearest_block(show.hall, closed, request.seat_numbers)
        raise


def _book(request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
    show, now, seller = facts.show, request.now, request.staff
    holds, tickets = own_holds(request, facts, seats), tickets_for(facts, request, seats)
    reference = shared_reference(request, holds)
    bookings = [
        Booking(
            pk=holds[seat].pk if seat in holds else None,
            user=request.user,
            show=show,
            seat_number=seat,
            reference=reference,
            created_at=now,
            held_since=holds[seat].held_since if seat in holds else None,
            sold_by=seller,
            **tickets[seat].columns,
        )
        for seat in seats
    ]
    booked = [_book_hold.choose(_values(booking)) for booking in bookings if booking.pk]

    def log_sale() -> list[Call]:
        # Without the name of the contact, which the order keeps for a limited time only.
        message = f"Sold to {request.user or 'a customer without an account'}."
        return [log_entry(seller, booking, ADDITION, message) for booking in bookings] if seller else []

    before = [
        *release_expired(facts, seats, now),
        *write_order(request, facts, holds),
        *booked,
        *remove_empty_orders(facts, holds, reference),
        *confirm_order(show_id=show.pk, reference=reference, address=_address(request), now=now),
    ]
    return Change(bookings, before, log_sale if seller else None)


def _address(request: SeatRequest) -> str:
    return request.contact.email or (request.user.email if request.user else "")


def _values(booking: Booking) -> dict[str, Any]:
    """Return the parameters of `_book_hold` and `_change_seat`."""
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
    booking = _find(Booking.objects.filter(user=user, pk=booking_id))
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


def _move(booking: Booking, seen_seat: int | None, request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
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
    holds, ticket = own_holds(request, facts, seats), tickets_for(facts, request, seats)[seat]
    mover = request.staff
    cancelled = [
        _cancel_hold.bind(
            show_id=show.pk, booking_id=hold.pk, now=request.now, cancelled_by=mover.pk if mover else None
        )
        for hold in holds.values()
    ]
    by = mover or request.user
    message = f"Moved from {show.seat_label(row.seat_number)} to {show.seat_label(seat)}."
    log = [log_entry(by, booking, CHANGE, message)] if by else []
    booking.seat_number, booking.moved_by = seat, mover
    for name, value in ticket.columns.items():
        setattr(booking, name, value)
    change_seat = _change_seat.choose(_values(booking))
    # It is read from the database where it is needed.
    booking.__dict__.pop("ticket_serial", None)

    def refund_difference() -> list[Call]:
        refund_overpaid(
            show=show,
            references=[booking.reference],
            now=request.now,
            reason=message,
            by=mover,
            by_customer=mover is None,
        )
        return []

    before = [*release_expired(facts, seats, request.now), *cancelled, *log, change_seat]
    return Change([booking], before, refund_difference if ticket.price < row.price else None)


@retried
def cancel_booking(*, booking_id: int, now: datetime, user: User | None = None) -> Booking:
    """Cancels a booking or a hold, which frees its seat, and returns it. With `user`, only one of that user.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.exclude(status=Booking.Status.BLOCKED).filter(pk=booking_id)
    if user is not None:
        bookings = bookings.filter(user=user)
    [booking] = _cancel_active(bookings, _find(bookings).show_id, now)
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

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    bookings = Booking.objects.filter(user=user, reference=reference)
    # With a probability of 1 in 10¹¹ two shows share a reference; then the newest booking's show is chosen.
    return _cancel_active(bookings, _find(bookings).show_id, now)


@retried
def cancel_mailed_order(*, show_id: int, reference: str, now: datetime) -> list[Booking]:
    """Cancels all active bookings of an order whose signed link the customer followed, and returns them.

    `now` is UTC. Raises NotFound, AlreadyCancelled, ShowStarted or Busy.
    """
    return _cancel_active(Booking.objects.filter(show=show_id, reference=reference), show_id, now)


@retried
def _find(bookings: BookingQuerySet) -> Booking:
    booking = bookings.select_related("show__movie", "show__screen", "ticket_type").first()
    if booking is None:
        raise NotFound
    return booking


def _cancel_active(
    bookings: BookingQuerySet,
    show_id: int,
    now: datetime,
    cancelled_by: User | None = None,
    seen: Sequence[SeenSeat] = (),
    note: str = "",
) -> list[Booking]:
    """Cancels those of the bookings that are active in the show."""
    with write_transaction():
        # Race: a second cancellation, a move, a booking under the same reference, the show's cancellation.
        show = lock_show(show_id)
        check_unchanged(show, seen, now)
        active = _active(bookings, show, now)
        pks = [booking.pk for booking in active]
        cancelled = {"status": Booking.Status.CANCELLED, "cancelled_at": now, "cancelled_by": cancelled_by}
        Booking.objects.filter(show=show, pk__in=pks).update(**cancelled, ticket_serial=F("ticket_serial") + 1)
        for booking in active:
            booking.status, booking.cancelled_at = Booking.Status.CANCELLED, now
            booking.cancelled_by = cancelled_by
        refund_overpaid(
            show=show,
            references={booking.reference for booking in active},
            now=now,
            reason=CANCELLED,
            by=cancelled_by,
            by_customer=cancelled_by is None,
        )
        if cancelled_by:
            LogEntry.objects.log_actions(cancelled_by.pk, active, CHANGE, change_message=CANCELLED)
        booked = [booking for booking in active if booking.expires_at is None]
        report_cancelled_seats(show=show, bookings=booked, now=now, by_staff=cancelled_by is not None, note=note)
    return active


def _active(bookings: BookingQuerySet, show: Show, now: datetime) -> list[Booking]:
    """Return those that are active; the show is locked. Raises AlreadyCancelled or ShowStarted."""
    active = list(bookings.active(now).filter(show=show).select_related("ticket_type").order_by("seat_number"))
    if not active:
        raise AlreadyCancelled
    if show.has_started(now):
        raise ShowStarted
    for booking in active:
        booking.show = show
    return active
