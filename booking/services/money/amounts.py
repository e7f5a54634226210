"""The price of an order, the amount paid and the amount due. They are computed, not stored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from booking.models import Booking, Order, Payment, Refund
from booking.services.money.sums import sum_of_order

OrderKey = tuple[int, str]


@dataclass(frozen=True)
class OrderAmounts:
    """Amounts of an order; `refunded` includes refunds that are not carried out yet. `due` below 0 is overpaid."""

    total: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)

    @property
    def due(self) -> Decimal:
        return self.total - self.paid + self.refunded


def price_of(*, bookings: Iterable[Booking]) -> Decimal:
    """Return the sum of the prices of the seats that are booked or held."""
    return sum((booking.price for booking in bookings if booking.status in Booking.OCCUPYING), Decimal(0))


@dataclass(frozen=True)
class OrderMoney:
    """The payments of an order, oldest first, and their refunds."""

    payments: Sequence[Payment] = ()
    refunds: Sequence[Refund] = ()

    def amounts(self, bookings: Iterable[Booking]) -> OrderAmounts:
        """Return the price of these bookings, and what was paid and refunded for the order."""
        received = [payment.amount for payment in self.payments if payment.status == Payment.Status.PAID]
        refunded = [refund.amount for refund in self.refunds]
        return OrderAmounts(price_of(bookings=bookings), sum(received, Decimal(0)), sum(refunded, Decimal(0)))

    def refunded_of(self, payment: Payment) -> Decimal:
        """Return how much of the payment goes back or went back."""
        return sum((refund.amount for refund in self.refunds if refund.payment_id == payment.pk), Decimal(0))

    def due_for_tickets(self, bookings: Iterable[Booking]) -> Decimal:
        """Return what is still to be paid before the customer enters: for the booked ones of the order's bookings.

        Seats that are only held have no tickets. An order that is overpaid owes nothing.
        """
        booked = [booking for booking in bookings if booking.status == Booking.Status.BOOKED]
        return max(self.amounts(booked).due, Decimal(0))


NO_MONEY = OrderMoney()


def read_money(*, keys: Collection[OrderKey]) -> dict[OrderKey, OrderMoney]:
    """Return the money of these orders in two queries; orders without any are left out."""
    of_orders: dict[str, Any] = {
        "show__in": {show for show, _ in keys},
        "reference__in": {reference for _, reference in keys},
    }
    payments, refunds = _by_order(Payment, of_orders), _by_order(Refund, of_orders)
    return {key: OrderMoney(payments[key], refunds.get(key, [])) for key in keys if key in payments}


def read_order_money(*, show_id: int, reference: str) -> OrderMoney:
    """Return the money of an order, in two queries."""
    key = (show_id, reference)
    return read_money(keys=[key]).get(key, NO_MONEY)


def _by_order(model: Any, of_orders: dict[str, Any]) -> dict[OrderKey, list[Any]]:
    rows: dict[OrderKey, list[Any]] = {}
    for row in model.objects.filter(**of_orders).order_by("created_at", "pk"):
        rows.setdefault((row.show_id, row.reference), []).append(row)
    return rows


def read_due(*, show_id: int, now: datetime) -> dict[Order, Decimal]:
    """Return the orders of a show for which something is due at `now` (UTC), with the amount, in one query."""
    active = Booking.objects.active(now)
    amounts = {"total": sum_of_order(active, "price"), "paid": sum_of_order(Payment.objects.received(), "amount")}
    amounts["refunded"] = sum_of_order(Refund.objects.all(), "amount")
    orders = Order.objects.filter(show=show_id).order_by("pk").annotate(**amounts)
    due = {order: OrderAmounts(order.total, order.paid, order.refunded).due for order in orders}  # type: ignore[attr-defined]
    return {order: amount for order, amount in due.items() if amount > 0}
