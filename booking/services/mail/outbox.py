"""Mail that the services enqueue in the transaction of a change; booking/tasks.py sends it after the commit.

Orders whose customer has no e-mail address get no task. The rows contain no address: it is read when mail is sent.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Exists, Q

from booking.infrastructure.statements import Call
from booking.infrastructure.tasks import enqueue, insert_task, new_task
from booking.models import Booking, BookingQuerySet, Order, Show, User, of_outer_order, represent_amount

SEND_ORDER_MAIL = "booking.tasks.send_order_mail"
# Refunds and other work for money come first.
PRIORITY = -10
# The same rule as `address_for`, in SQL.
_WITH_ADDRESS = ~Q(email="") | Q(user__is_active=True) & ~Q(user__email="")


def address_for(*, email: str, user: User | None) -> str:
    """Return the address of the customer of an order with this e-mail address and account, or ""."""
    return email or (user.email if user and user.is_active else "")


class Mail(Enum):
    """The kinds of mail; the values are the names of the templates."""

    CONFIRMED = "order_confirmed"
    CANCELLED = "order_cancelled"
    SHOW_CANCELLED = "show_cancelled"
    TIME_CHANGED = "time_changed"
    PAID = "payment_received"
    REFUNDED = "payment_refunded"
    SEATS_LOST = "seats_lost"
    TICKETS = "new_tickets"


def confirmation_mail_calls(*, show_id: int, reference: str, address: str, now: datetime) -> list[Call]:
    """Return the statement that enqueues the confirmation of an order whose customer has this address or none.

    It belongs in the last round trip of a sale. `now` is UTC.
    """
    if not (address and settings.SENDS_MAIL):
        return []
    return [insert_task(_task(Mail.CONFIRMED, show_id, reference, now))]


def moved_ticket_mail_calls(*, show_id: int, reference: str, address: str, now: datetime) -> list[Call]:
    """Return the statement that enqueues the new tickets of an order with a moved seat; see the function above."""
    if not (address and settings.SENDS_MAIL):
        return []
    return [insert_task(_task(Mail.TICKETS, show_id, reference, now))]


def enqueue_new_tickets_mail(*, show: Show, reference: str, now: datetime) -> None:
    """Enqueues a mail with the tickets of an order, some of which replace earlier ones since `now` (UTC)."""
    _enqueue(_task(Mail.TICKETS, show.pk, one, now) for one in _reachable(show, [reference]))


def enqueue_cancelled_seats_mail(
    *, show: Show, bookings: Iterable[Booking], now: datetime, by_staff: bool = False, note: str = ""
) -> None:
    """Enqueues a mail for each order with one of these bookings, which were cancelled at `now` (UTC).

    `note` is by staff.
    """
    ids: dict[str, list[int]] = {}
    for booking in bookings:
        ids.setdefault(booking.reference, []).append(booking.pk)
    _enqueue(
        _task(Mail.CANCELLED, show.pk, reference, now, bookings=ids[reference], by_staff=by_staff, note=note)
        for reference in _reachable(show, ids)
    )


def enqueue_cancelled_show_mail(*, show: Show, references: Sequence[str], note: str, now: datetime) -> None:
    """Enqueues a mail for each of these orders of a show that was cancelled at `now` (UTC); `note` is by staff."""
    _enqueue(
        _task(Mail.SHOW_CANCELLED, show.pk, reference, now, note=note) for reference in _reachable(show, references)
    )


def enqueue_new_time_mail(
    *, show: Show, old_start: datetime, references: Sequence[str], note: str, now: datetime
) -> None:
    """Enqueues a mail for each of these orders of a show whose start was moved at `now` (UTC); `note` is by staff."""
    _enqueue(
        _task(Mail.TIME_CHANGED, show.pk, reference, now, note=note, old_start=old_start.isoformat())
        for reference in _reachable(show, references)
    )


def enqueue_payment_mail(*, show: Show, reference: str, amount: Decimal, now: datetime) -> None:
    """Enqueues a mail about a payment for an order that was received at `now` (UTC)."""
    _enqueue(
        _task(Mail.PAID, show.pk, reference, now, amount=represent_amount(amount))
        for reference in _reachable(show, [reference])
    )


def enqueue_lost_seats_mail(*, show: Show, reference: str, amount: Decimal, reason: str, now: datetime) -> None:
    """Enqueues a mail about money that goes back because a payment got no seats at `now` (UTC).

    `reason` is a sentence.
    """
    details = {"amount": represent_amount(amount), "reason": reason}
    _enqueue(_task(Mail.SEATS_LOST, show.pk, one, now, **details) for one in _reachable(show, [reference]))


def enqueue_refund_mail(
    *, show: Show, reference: str, amount: Decimal, reason: str, now: datetime, at_counter: bool = False
) -> None:
    """Enqueues a mail about money that went back to the customer at `now` (UTC); `reason` is a sentence or empty."""
    details = {"amount": represent_amount(amount), "reason": reason, "at_counter": at_counter}
    _enqueue(_task(Mail.REFUNDED, show.pk, reference, now, **details) for reference in _reachable(show, [reference]))


class Reach(NamedTuple):
    """The numbers of orders whose customers will get mail about a change, and of the others."""

    reached: int
    unreached: int


def count_reachable(*, bookings: BookingQuerySet) -> Reach:
    """Return how many orders have booked ones of these bookings, by whether their customers get mail; in one query."""
    booked = bookings.filter(status=Booking.Status.BOOKED).order_by()
    of_order = of_outer_order(booked)
    orders = Order.objects.filter(Exists(of_order), show__in=booked.values("show"))
    numbers = orders.aggregate(all=Count("pk"), reached=Count("pk", filter=_WITH_ADDRESS))
    reached = numbers["reached"] if settings.SENDS_MAIL else 0
    return Reach(reached, numbers["all"] - reached)


def booked_references(show: Show) -> list[str]:
    """Return the references of orders with booked seats."""
    booked = Booking.objects.filter(show=show, status=Booking.Status.BOOKED)
    return sorted(set(booked.order_by().values_list("reference", flat=True)))


def _reachable(show: Show, references: Iterable[str]) -> list[str]:
    """Return those of the orders whose customer has an e-mail address."""
    if not settings.SENDS_MAIL:
        return []
    orders = Order.objects.filter(_WITH_ADDRESS, show=show, reference__in=[*references])
    return list(orders.order_by("reference").values_list("reference", flat=True))


def _task(mail: Mail, show_id: int, reference: str, now: datetime, **details: Any) -> Any:
    arguments = {"mail": mail.value, "show_id": show_id, "reference": reference, **details}
    return new_task(SEND_ORDER_MAIL, now=now, priority=PRIORITY, **arguments)


def _enqueue(tasks: Iterable[Any]) -> None:
    if waiting := list(tasks):
        enqueue(*waiting)
