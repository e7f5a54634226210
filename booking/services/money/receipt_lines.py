"""The texts of receipts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.utils import timezone
from django.utils.dateformat import format as format_date

from booking.models import Booking, Order, Payment, Refund, currency_decimals, represent_amount
from booking.services.money.amounts import OrderMoney

DATE = "j F Y, H:i"
# The method of payment, within a sentence.
METHODS = {"cash": "in cash", "card": "by card", "online": "online"}
# A text and an amount.
Row = tuple[str, str]


@dataclass(frozen=True)
class ReceiptLines:
    """The texts of a receipt. `head` begins with the lines of RECEIPT_ISSUER."""

    head: list[str]
    title: str
    order: list[str]
    seats: list[Row]
    sums: list[Row]
    payments: list[Row]


def write_lines(
    *,
    title: str,
    order: Order,
    seats: Sequence[Booking],
    money: OrderMoney,
    issued_at: datetime,
    tax_percent: Decimal,
    total_before: Decimal | None = None,
    rows: Iterable[Payment | Refund],
) -> ReceiptLines:
    """Return the texts of a receipt for the booked seats, with times of the cinema's time zone.

    It lists the `rows` of the order's money. `total_before` is the total on the receipt before this one.
    """
    show, amounts = order.show, money.amounts(seats)
    return ReceiptLines(
        settings.RECEIPT_ISSUER,
        title,
        [
            f"{_time(issued_at)}, order {order.reference}",
            f"{show.movie.title}, {show.screen}, {_time(show.starts_at)}",
        ],
        [(f"{seat.label}, {seat.ticket_type or 'free'}", represent_amount(seat.price)) for seat in seats],
        list(_sums(amounts.total, total_before, tax_percent)),
        [
            *write_movements(rows),
            *([(f"Due in {settings.CURRENCY}", represent_amount(amounts.due))] if amounts.due > 0 else []),
        ],
    )


def movements(money: OrderMoney) -> list[Payment | Refund]:
    """Return the payments that arrived and the refunds, which a receipt lists."""
    return [*(one for one in money.payments if one.status == Payment.Status.PAID), *money.refunds]


def write_movements(rows: Iterable[Payment | Refund]) -> list[Row]:
    return [
        (_payment(row), represent_amount(row.amount))
        if isinstance(row, Payment)
        else (_refund(row), _with_sign(-row.amount))
        for row in rows
    ]


def write_paid_back(refunds: Iterable[Refund]) -> list[Row]:
    """Return the lines of the refunds that are paid back; the receipt has listed their amounts before."""
    return [
        (f"Refund of {_time(refund.created_at)}, paid back, {_time(refund.settled_at)}", "")
        for refund in refunds
        if refund.settled_at
    ]


def _with_sign(amount: Decimal) -> str:
    """Return the amount with a typographic minus sign if it is below 0."""
    return f"\N{MINUS SIGN}{represent_amount(-amount)}" if amount < 0 else represent_amount(amount)


def tax_contained(*, amount: Decimal, percent: Decimal) -> Decimal:
    """Return the tax of `percent` that the amount contains, rounded to the currency's decimals."""
    tax = amount * percent / (100 + percent)
    return tax.quantize(Decimal(1).scaleb(-currency_decimals()), ROUND_HALF_UP)


def _sums(total: Decimal, before: Decimal | None, tax_percent: Decimal) -> Iterator[Row]:
    tax = tax_contained(amount=total, percent=tax_percent)
    yield f"Total in {settings.CURRENCY}", represent_amount(total)
    if before is not None:
        # The difference of the taxes, which may differ from the tax of the difference by a rounding.
        tax -= tax_contained(amount=before, percent=tax_percent)
        yield "On earlier receipts", represent_amount(before)
        yield f"Difference in {settings.CURRENCY}", _with_sign(total - before)
    if tax_percent:
        yield f"Contains {tax_percent.normalize():f}% tax", _with_sign(tax)


def _time(moment: datetime) -> str:
    return str(format_date(timezone.localtime(moment), DATE))


def _payment(payment: Payment) -> str:
    text = f"Paid {METHODS[payment.method]}, {_time(payment.settled_at or payment.created_at)}"
    if payment.given is None or payment.change is None:
        return text
    return f"{text} ({represent_amount(payment.given)} given, {represent_amount(payment.change)} change)"


def _refund(refund: Refund) -> str:
    if refund.settled_at is None:
        return f"Refund of {_time(refund.created_at)}, not paid back yet"
    return f"Paid back, {_time(refund.settled_at)}"
