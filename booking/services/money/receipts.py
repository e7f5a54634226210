"""Receipts: each order that something was paid for can have one number, without gaps within a year."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from booking.models import Booking, Order, Payment, Receipt, Refund, represent_amount
from booking.services.money.amounts import OrderMoney, read_order_money
from booking.services.money.receipt_lines import ReceiptLines, movements, write_lines, write_movements
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
        receipt = Receipt(year=year, number=last + 1, show_id=order.show_id, reference=order.reference, created_at=now)
        seats, money = _read(order)
        receipt.content = _content_of(receipt, order, seats, money)
        receipt.save(force_insert=True)
        return receipt


@dataclass(frozen=True)
class ReceiptContent:
    """A receipt and what it says: the texts of its time, then payments and refunds that came later."""

    receipt: Receipt
    lines: ReceiptLines


def read_receipt(*, order: Order) -> ReceiptContent | None:
    """Return the content of the order's receipt, or None if none was issued.

    A receipt without stored content is computed from the current rows.
    """
    receipt = Receipt.objects.filter(show=order.show_id, reference=order.reference).first()
    if receipt is None:
        return None
    seats, money = _read(order)
    stored = receipt.content or _content_of(receipt, order, seats, money)
    # JSON has no tuples.
    rows = {name: [*map(tuple, stored["lines"][name])] for name in ("seats", "sums", "payments")}
    lines = ReceiptLines(**stored["lines"] | rows)
    later = [row for row in movements(money) if _key(row) not in stored["movements"]]
    lines.payments.extend((f"Later: {text}", amount) for text, amount in write_movements(later))
    return ReceiptContent(receipt, lines)


def _read(order: Order) -> tuple[list[Booking], OrderMoney]:
    """Return the booked seats of the order, by seat number, and its money."""
    sold = Booking.objects.sold().filter(show=order.show_id, reference=order.reference)
    seats = sold.select_related("show__movie", "show__screen", "ticket_type").order_by("seat_number")
    return list(seats), read_order_money(show_id=order.show_id, reference=order.reference)


def _content_of(receipt: Receipt, order: Order, seats: list[Booking], money: OrderMoney) -> dict[str, Any]:
    """Return the content that is stored with the receipt. It has no personal data."""
    title, issued_at = f"Receipt {receipt}", receipt.created_at
    return {
        "lines": asdict(write_lines(title=title, order=order, seats=seats, money=money, issued_at=issued_at)),
        "movements": [_key(row) for row in movements(money)],
        "total": represent_amount(money.amounts(seats).total),
        "tax_percent": str(settings.TAX_PERCENT),
        "currency": settings.CURRENCY,
    }


def _key(row: Payment | Refund) -> list[Any]:
    """Return the identity of a payment or refund and, for a refund, whether it is carried out."""
    return [type(row).__name__, row.pk, row.settled_at is not None]
