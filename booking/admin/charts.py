"""The bar chart of seats sold in a period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import cast

from booking import services

# A number above its bar can be read with this many bars at most.
MAX_BARS = 31


@dataclass(frozen=True)
class Bar:
    """`share` is the bar's part of the highest bar, from 0 to 1."""

    label: str
    sold: int
    share: str


@dataclass(frozen=True)
class Chart:
    """One bar for each day, week or month."""

    unit: str
    bars: list[Bar]


def draw_chart(days: Sequence[services.Line]) -> Chart:
    """Return the chart of the days, which are consecutive. Weeks begin on Monday."""
    if len(days) <= MAX_BARS:
        return _chart("day", [(line.label, line.sold) for line in days])
    sold = [(cast(date, line.name), line.sold) for line in days]
    if len(days) <= MAX_BARS * 7:
        weeks = groupby(sold, lambda line: line[0] - timedelta(days=line[0].weekday()))
        return _chart("week", [(_week(monday), sum(n for _, n in lines)) for monday, lines in weeks])
    months = groupby(sold, lambda line: f"{line[0]:%b %Y}")
    return _chart("month", [(month, sum(n for _, n in lines)) for month, lines in months])


def _week(monday: date) -> str:
    return f"Week of {monday.day} {monday:%b %Y}"


def _chart(unit: str, sums: Sequence[tuple[str, int]]) -> Chart:
    highest = max(1, *(sold for _, sold in sums))
    return Chart(unit, [Bar(label, sold, f"{sold / highest:.3f}") for label, sold in sums])
