"""Receipts of orders, numbered without gaps within a year; further ones are for what was paid or refunded later."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone

from booking.models import Booking, Order, Payment, Receipt, Refund, represent_amount
from booking.services.money.amounts import OrderMoney, read_order_money
from booking.services.money.receipt_lines import (
    ReceiptLines,
    movements,
    write_lines,
    write_movements,
    write_paid_back,
)
from booking.services.refusals import Refusal
from booking.services.transactions import lock_receipts, lock_show, retried, write_transaction


class NothingPaid(Refusal):
    code = "nothing_paid"
    example: ClassVar[dict[str, Any]] = {"detail": "Nothing was paid for this order yet."}


@retried
def issue_receipt(*, order: Order, now: datetime) -> Receipt:
    """Return the order's last receipt, or one with the next number of this year if it has none for all of its money.

    A further receipt is for what was paid or refunded since the last one. Raises NothingPaid and Busy.
    """
    with write_transaction():
        lock_show(order.show_id)
        seats, money = _read(order)
        last = _receipts_of(order).last()
        rows = _rows_since(last, money)
        if last and not rows:
            return last
        if not rows:
            raise NothingPaid
        year = timezone.localtime(now).year
        # Race: receipts of other shows. A transaction that is rolled back frees its number for the next one.
        lock_receipts()
        number = Receipt.objects.filter(year=year).aggregate(last=Max("number"))["last"] or 0
        receipt = Receipt(year=year, number=number + 1, show_id=order.show_id, reference=order.reference)
        receipt.position, receipt.created_at = last.position + 1 if last else 1, now
        receipt.content = _content_of(receipt, order, seats, money, last)
        receipt.save(force_insert=True)
        return receipt


def find_receipts(*, order: Order, money: OrderMoney) -> tuple[list[Receipt], bool]:
    """Return the order's receipts, the first one first, and whether there is money for which one can be issued."""
    if not movements(money):
        return [], False
    receipts = list(_receipts_of(order))
    return receipts, bool(_rows_since(receipts[-1] if receipts else None, money))


@dataclass(frozen=True)
class ReceiptContent:
    """A receipt and what it says: the stored texts, then payments and refunds that came later."""

    receipt: Receipt
    lines: ReceiptLines


def read_receipt(*, order: Order, position: int = 1) -> ReceiptContent | None:
    """Return the content of the order's receipt at this position, or None if it was not issued.

    A receipt without stored content is computed from the current rows.
    """
    receipt = _receipts_of(order).filter(position=position).first()
    if receipt is None:
        return None
    seats, money = _read(order)
    stored = receipt.content or _content_of(receipt, order, seats, money, None)
    # JSON has no tuples.
    rows = {name: [*map(tuple, stored["lines"][name])] for name in ("seats", "sums", "payments")}
    lines = ReceiptLines(**stored["lines"] | rows)
    later = [*write_movements(_rows_since(receipt, money)), *write_paid_back(_waiting_at(receipt, money))]
    lines.payments.extend((f"Later: {text}", amount) for text, amount in later)
    return ReceiptContent(receipt, lines)


def _receipts_of(order: Order) -> QuerySet[Receipt]:
    return Receipt.objects.filter(show=order.show_id, reference=order.reference).order_by("position")


def _read(order: Order) -> tuple[list[Booking], OrderMoney]:
    """Return the booked seats of the order, by seat number, and its money."""
    sold = Booking.objects.sold().filter(show=order.show_id, reference=order.reference)
    seats = sold.select_related("show__movie", "show__screen", "ticket_type").order_by("seat_number")
    return list(seats), read_order_money(show_id=order.show_id, reference=order.reference)


def _rows_since(receipt: Receipt | None, money: OrderMoney) -> list[Payment | Refund]:
    """Return the payments and refunds that came after the receipt, or all. One without stored content has all."""
    if receipt is None:
        return movements(money)
    if not receipt.content:
        return []
    listed = [(name, pk) for name, pk, _ in receipt.content["movements"]]
    return [row for row in movements(money) if (type(row).__name__, row.pk) not in listed]


def _waiting_at(receipt: Receipt, money: OrderMoney) -> list[Refund]:
    """Return the refunds that were not paid back yet when the receipt was issued."""
    listed = receipt.content["movements"] if receipt.content else []
    return [row for row in money.refunds if ["Refund", row.pk, False] in listed]


def _content_of(
    receipt: Receipt, order: Order, seats: list[Booking], money: OrderMoney, last: Receipt | None
) -> dict[str, Any]:
    """Return the content that is stored with the receipt; `last` is the one before. It has no personal data."""
    # One rate for all receipts of an order, so that a refund contains the tax that was on the receipt of the payment.
    tax_percent = Decimal(last.content["tax_percent"]) if last and last.content else settings.TAX_PERCENT
    lines = write_lines(
        title=f"Receipt {receipt}",
        order=order,
        seats=seats,
        money=money,
        issued_at=receipt.created_at,
        tax_percent=tax_percent,
        total_before=Decimal(last.content["total"]) if last and last.content else None,
        rows=_rows_since(last, money),
    )
    return {
        "lines": asdict(lines),
        # With whether a refund was paid back when the receipt was issued.
        "movements": [[type(row).__name__, row.pk, row.settled_at is not None] for row in movements(money)],
        "total": represent_amount(money.amounts(seats).total),
        "tax_percent": str(tax_percent),
        "currency": settings.CURRENCY,
    }


def receipt_pdf(*, content: ReceiptContent) -> bytes:
    """Return the receipt as a PDF; with many seats it has several pages."""
    # Not at the top, for the reason that `ticket_pdf` gives.
    from booking.services.money.receipt_files import draw_receipt

    return draw_receipt(content)
