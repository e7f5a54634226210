"""Receipts: each order that something was paid for can have one number, without gaps within a year."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from booking.models import Booking, Order, Payment, Receipt, Refund, currency_decimals
from booking.services.money.amounts import OrderAmounts, read_money
from booking.services.refusals import Refusal
from booking.services.transactions import lock_receipts, lock_show, retried, write_transaction


class NothingPaid(Refusal):
    code = "nothing_paid"
    example: ClassVar[dict[str, Any]] = {"detail": "Nothing was paid for this order yet."}


@retried
def issue_receipt(*, order: Order, now: datetime) -> Receipt:
    """Return the order's receipt, with the next number of this year if it has none yet. Raises NothingPaid and Busy."""
    with write_transaction():
        lock_show(order.show_id)
        found = Receipt.objects.filter(show=order.show_id, reference=order.reference).first()
        if found:
            return found
        if not Payment.objects.of_order(order.show_id, order.reference).received().exists():
            raise NothingPaid
        year = timezone.localtime(now).year
        # Race: receipts of other shows. A transaction that is rolled back frees its number for the next one.
        lock_receipts()
        last = Receipt.objects.filter(year=year).aggregate(last=Max("number"))["last"] or 0
        return Receipt.objects.create(
            year=year, number=last + 1, show_id=order.show_id, reference=order.reference, created_at=now
        )


@dataclass(frozen=True)
class ReceiptContent:
    """What a receipt says now: the booked seats of the order, by seat number, and its money."""

    receipt: Receipt
    order: Order
    seats: list[Booking]
    payments: list[Payment]
    refunds: list[Refund]
    amounts: OrderAmounts
    # The tax that the prices of the seats contain; 0 without TAX_PERCENT.
    tax: Decimal


def read_receipt(*, order: Order) -> ReceiptContent | None:
    """Return the content of the order's receipt, or None if none was issued."""
    receipt = Receipt.objects.filter(show=order.show_id, reference=order.reference).first()
    if receipt is None:
        return None
    key = (order.show_id, order.reference)
    sold = Booking.objects.sold().filter(show=order.show_id, reference=order.reference)
    seats = list(sold.select_related("show__movie", "show__screen", "ticket_type").order_by("seat_number"))
    money = read_money(keys=[key])[key]
    payments = [payment for payment in money.payments if payment.status == Payment.Status.PAID]
    amounts = money.amounts(seats)
    return ReceiptContent(
        receipt, order, seats, payments, list(money.refunds), amounts, tax_contained(amount=amounts.total)
    )


def tax_contained(*, amount: Decimal) -> Decimal:
    """Return the tax of TAX_PERCENT that the amount contains, rounded to the currency's decimals."""
    tax: Decimal = amount * settings.TAX_PERCENT / (100 + settings.TAX_PERCENT)
    return tax.quantize(Decimal(1).scaleb(-currency_decimals()), ROUND_HALF_UP)
