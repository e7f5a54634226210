"""The payments and refunds of a period, by day and clerk; reads only."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models.functions import TruncDate
from django.utils import timezone

from booking.models import Payment, Refund
from booking.services.money.sums import total_of
from booking.services.programme.local_time import day_bounds
from booking.services.reports import ONLINE


@dataclass
class MoneyLine:
    """The payments by method, and the refunds: of a day, of a clerk, or both."""

    day: date | None
    clerk: str
    taken: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    refunded: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return sum(self.taken.values(), Decimal(0)) - self.refunded


@dataclass(frozen=True)
class MoneyReport:
    """The lines by day and clerk, in this order, and their sums by clerk and of the whole period."""

    lines: list[MoneyLine]
    clerks: list[MoneyLine]
    total: MoneyLine


def read_money_report(*, first_day: date, last_day: date) -> MoneyReport:
    """Return the payments that arrived and the refunds that were carried out from `first_day` to `last_day`, inclusive.

    A payment counts for the member of staff who took it, a refund for the one out of whose till it was paid.
    """
    begin, end = day_bounds(first=first_day, last=last_day)
    period = {"settled_at__gte": begin, "settled_at__lt": end}
    lines: dict[tuple[date, str], MoneyLine] = {}
    payments = Payment.objects.received().filter(**period)
    for day, clerk, method, amount in _sums(payments, "created_by__username", "method"):
        _line(lines, day, clerk).taken[method] += amount
    refunds = Refund.objects.filter(status=Refund.Status.DONE, **period)
    for day, clerk, amount in _sums(refunds, "till__clerk__username"):
        _line(lines, day, clerk).refunded += amount
    rows = [lines[key] for key in sorted(lines)]
    clerks = sorted({row.clerk for row in rows})
    return MoneyReport(
        rows,
        [_sum_of((row for row in rows if row.clerk == clerk), clerk) for clerk in clerks],
        _sum_of(rows, ""),
    )


def _sums(rows: Any, *columns: str) -> Any:
    """Return rows of the day, the columns and the sum of the amounts; the database groups them in one query."""
    days = rows.annotate(day=TruncDate("settled_at", tzinfo=timezone.get_current_timezone()))
    return days.order_by().values_list("day", *columns).annotate(sum=total_of("amount"))


def _line(lines: dict[tuple[date, str], MoneyLine], day: date, clerk: str | None) -> MoneyLine:
    key = (day, clerk or ONLINE)
    return lines.setdefault(key, MoneyLine(*key))


def _sum_of(rows: Iterable[MoneyLine], clerk: str) -> MoneyLine:
    total = MoneyLine(None, clerk)
    for row in rows:
        for method, amount in row.taken.items():
            total.taken[method] += amount
        total.refunded += row.refunded
    return total
