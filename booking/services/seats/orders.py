"""Orders: the seats that a customer booked or holds under one reference, and what they cost."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from booking.infrastructure.statements import Call, Delete, Insert
from booking.models import Booking, Order, OrderQuerySet, User
from booking.services.seats.facts import Facts, SeatRequest, SeatRow

_insert = Insert(Order)
# The order of holds that are now booked under another reference. It stays if a payment was started for it, because
# the customer, staff and the mail about the refund of that payment need it.
_delete_if_empty = Delete(lambda p: Order.objects.without_content().filter(show=p.show_id, reference=p.reference))


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


def write_order(request: SeatRequest, facts: Facts, holds: dict[int, SeatRow]) -> list[Call]:
    """Return the statements that store the order of the request; holds that share a reference already have one."""
    if shared_reference(request, holds) != request.reference:
        return []
    contact = request.contact
    order = Order.build(
        reference=request.reference,
        show=facts.show,
        user=request.user,
        name=contact.name,
        email=contact.email,
        phone=contact.phone,
        created_at=request.now,
    )
    if contact.name:
        order.fold()
    return [_insert.of(order)]


def remove_empty_orders(facts: Facts, holds: dict[int, SeatRow], reference: str) -> list[Call]:
    """Return the statements that delete the orders of holds that are moved to another reference, if nothing is left."""
    left = sorted({hold.reference for hold in holds.values()} - {reference})
    return [_delete_if_empty.bind(show_id=facts.show.pk, reference=old) for old in left]


def orders_of(*, user: User) -> OrderQuerySet:
    """Return the user's orders, newest first, with show, movie and screen loaded.

    An order without seats is one of them if it has a payment: they were booked under another reference.
    """
    return Order.objects.filter(user=user).with_content().select_related("show__movie", "show__screen")


def read_bookings(*, orders: Sequence[Order], now: datetime) -> list[list[Booking]]:
    """Return the bookings of each order by seat number, including those that ended by `now` (UTC)."""
    of_orders = Booking.objects.filter(
        show__in={order.show_id for order in orders}, reference__in={order.reference for order in orders}
    )
    by_order: dict[tuple[int, str], list[Booking]] = {}
    loaded = of_orders.select_related("show__movie", "show__screen", "ticket_type").order_by("seat_number", "pk")
    for booking in loaded:
        by_order.setdefault((booking.show_id, booking.reference), []).append(booking.as_of(now))
    return [by_order.get((order.show_id, order.reference), []) for order in orders]


def read_names(*, bookings: Iterable[Booking]) -> dict[tuple[int, str], str]:
    """Return the names in the orders of bookings without an account, by show and reference."""
    keys = {(booking.show_id, booking.reference) for booking in bookings if booking.user_id is None}
    if not keys:
        return {}
    shows, references = zip(*keys, strict=True)
    orders = Order.objects.filter(show__in=set(shows), reference__in=references).order_by()
    named = orders.exclude(name="").values_list("show", "reference", "name")
    return {(show, reference): name for show, reference, name in named}
