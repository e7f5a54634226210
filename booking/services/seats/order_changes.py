"""Changes of an order by staff: its contact, its ticket types, and splitting it.

Each change locks the show, as sales do, and writes an entry of the admin's history of the order. The entries contain no
personal data, because they are stored for longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry

from booking.models import Booking, Order, Payment, Show, User, represent_amount
from booking.services.money.refunds import refund_overpaid
from booking.services.refusals import Refusal, first_or_not_found
from booking.services.seats.facts import Action, Facts, SeatRequest, lock_and_read
from booking.services.seats.prices import PricedSeat, price_seats
from booking.services.seats.rules import choose_seats
from booking.services.seats.seen_seats import SeenSeat, check_unchanged
from booking.services.transactions import lock_show, retried, write_transaction


class CustomerHasAccount(Refusal):
    """Only orders without an account have a contact."""

    code = "customer_has_account"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The customer of this order has an account; change the name and the e-mail address there."
    }


class OrderPaid(Refusal):
    """A payment belongs to one order. One that was declined or never finished may still arrive."""

    code = "order_paid"
    example: ClassVar[dict[str, Any]] = {
        "detail": "A payment was made or begun for this order, so it can't be split any more."
    }


@dataclass(frozen=True)
class TicketChange:
    """A booking as it is, and what it becomes."""

    booking: Booking
    seat: PricedSeat

    @property
    def difference(self) -> Decimal:
        """The difference to the earlier price; negative if the seat costs less."""
        return self.seat.price - self.booking.price

    def __str__(self) -> str:
        was, becomes = self.booking.ticket_type or "no ticket type", self.seat.ticket_type
        prices = f"{represent_amount(self.booking.price)} to {represent_amount(self.seat.price)}"
        return f"{self.seat.label} from {was} to {becomes}, {prices}"


@retried
def change_contact(
    *,
    order_id: int,
    changed_by: User,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
) -> Order:
    """Changes the name, e-mail address or phone number of an order without an account; None leaves it as it is.

    Raises NotFound, CustomerHasAccount or Busy.
    """
    given = {"name": name, "email": email, "phone": phone}
    with write_transaction():
        # Race: another member of staff changes it, the account is deleted.
        lock_show(_find(order_id).show_id)
        order = _find(order_id)
        if order.user_id is not None:
            raise CustomerHasAccount
        changes = {field: value for field, value in given.items() if value not in (None, getattr(order, field))}
        for field, value in changes.items():
            setattr(order, field, value)
        if changes:
            order.save(update_fields=changes.keys())
            names = {"name": "name", "email": "e-mail address", "phone": "phone number"}
            _log(changed_by, order, CHANGE, f"Changed {', '.join(names[field] for field in changes)}.")
    return order


@retried
def split_order(
    *, order_id: int, seat_numbers: Sequence[int], now: datetime, split_by: User, seen: Sequence[SeenSeat] = ()
) -> Order:
    """Moves some active seats of an order to a new order of the same customer, and returns that order.

    With `seen`, the seats' bookings must still be as they were seen. `now` is UTC. Raises NotFound, SeatsChanged,
    NotInOrder, WholeOrder, OrderPaid, ShowStarted, ShowCancelled or Busy.
    """
    order = _find(order_id)
    request = SeatRequest(
        Action.SPLIT, order.show_id, order.user, now, seat_numbers, staff=split_by, order=order.reference
    )
    with write_transaction():
        # Race: another member of staff splits or cancels the order, or moves its seats.
        facts = lock_and_read(request, wait=True)
        check_unchanged(facts.show, seen, now)
        seats = choose_seats(facts, request)
        order = _find(order_id)
        if Payment.objects.of_order(order.show_id, order.reference).exists():
            raise OrderPaid
        customer = {field: getattr(order, field) for field in ("user", "name", "email", "phone")}
        new = Order.objects.create(reference=request.reference, show=facts.show, created_at=now, **customer)
        _rows_of(facts, request).update(reference=new.reference)
        labels = _labels(facts.show, sorted(seats))
        _log(split_by, order, CHANGE, f"{labels} split off as order {new.reference}.")
        _log(split_by, new, ADDITION, f"{labels} split off from order {order.reference}.")
    return new


@retried
def change_ticket_types(
    *,
    order_id: int,
    ticket_types: Mapping[int, int],
    now: datetime,
    changed_by: User,
    expected_total: Decimal | None = None,
) -> list[Booking]:
    """Sells active seats of an order as other ticket types, all or none, and returns their bookings.

    `ticket_types` are ids by seat number; the prices are those of the show's price list now, and `expected_total` is
    their sum. `now` is UTC. Raises NotFound, NotInOrder, UnknownTicketType, PriceChanged, ShowStarted, ShowCancelled or
    Busy.
    """
    order = _find(order_id)
    request = _types_request(order, ticket_types, now, changed_by, expected_total)
    with write_transaction():
        # Race: another member of staff changes the seats, the show gets another price list.
        facts = lock_and_read(request, wait=True)
        changes = _changes(facts, request)
        for change in changes:
            of_booking = Booking.objects.filter(show=facts.show, pk=change.booking.pk)
            of_booking.update(**change.seat.columns)
        message = f"Changed {'; '.join(map(str, changes))}."
        _log(changed_by, order, CHANGE, message)
        refund_overpaid(
            show=facts.show, references=[order.reference], now=now, reason="Other ticket types.", by=changed_by
        )
    for change in changes:
        for name, value in change.seat.columns.items():
            setattr(change.booking, name, value)
    return [change.booking for change in changes]


@retried
def preview_ticket_types(
    *, order_id: int, ticket_types: Mapping[int, int], now: datetime, changed_by: User
) -> list[TicketChange]:
    """Return what `change_ticket_types` would change, by seat number. Raises the same refusals."""
    request = _types_request(_find(order_id), ticket_types, now, changed_by)
    with write_transaction():
        return _changes(lock_and_read(request), request)


@retried
def preview_move(*, booking: Booking, seat_number: int, now: datetime, moved_by: User) -> TicketChange:
    """Return what `move_booking` by staff would change. Raises the same refusals."""
    request = SeatRequest(
        Action.MOVE,
        booking.show_id,
        booking.user,
        now,
        [seat_number],
        is_for_one_seat=True,
        staff=moved_by,
        booking_id=booking.pk,
    )
    with write_transaction():
        facts = lock_and_read(request)
        [seat] = choose_seats(facts, request)
        return TicketChange(booking, price_seats(facts, request, [seat])[seat])


def _find(order_id: int) -> Order:
    """Return the order; its show and reference never change. Raises NotFound."""
    return first_or_not_found(Order.objects.select_related("user").filter(pk=order_id))


def _types_request(
    order: Order, ticket_types: Mapping[int, int], now: datetime, staff: User, expected_total: Decimal | None = None
) -> SeatRequest:
    return SeatRequest(
        Action.CHANGE_TYPES,
        order.show_id,
        order.user,
        now,
        sorted(ticket_types),
        ticket_types=ticket_types,
        expected_total=expected_total,
        staff=staff,
        order=order.reference,
    )


def _rows_of(facts: Facts, request: SeatRequest) -> Any:
    """Return the order's bookings on the requested seats."""
    rows = [row.pk for row in facts.active_rows(request.now) if row.seat_number in request.seat_numbers]
    return Booking.objects.filter(show=facts.show, pk__in=rows)


def _changes(facts: Facts, request: SeatRequest) -> list[TicketChange]:
    """Return the changes of ticket types, by seat number. Raises the refusals of the rules."""
    priced = price_seats(facts, request, choose_seats(facts, request))
    bookings = _rows_of(facts, request).select_related("ticket_type").order_by("seat_number")
    return [TicketChange(booking, priced[booking.seat_number]) for booking in bookings]


def _labels(show: Show, seats: Sequence[int]) -> str:
    return ", ".join(map(show.seat_label, seats))


def _log(by: User, order: Order, flag: int, message: str) -> None:
    LogEntry.objects.log_actions(by.pk, [order], flag, change_message=message)
