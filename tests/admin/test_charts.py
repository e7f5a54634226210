"""The bar chart of the reports."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from booking.admin.charts import draw_chart
from booking.services import Line

FIRST_DAY = date(2026, 1, 1)


def drawn(sold):
    days = [Line(FIRST_DAY + timedelta(days=n), number, Decimal(0), 1, 100, 0) for n, number in enumerate(sold)]
    chart = draw_chart(days)
    return chart.unit, [(bar.label, bar.sold, float(bar.share)) for bar in chart.bars]


def test_each_day_has_a_bar_with_its_number():
    assert drawn([3, 0, 6]) == (
        "day",
        [("Thu 1 Jan 2026", 3, 0.5), ("Fri 2 Jan 2026", 0, 0), ("Sat 3 Jan 2026", 6, 1)],
    )


def test_a_longer_period_has_a_bar_for_each_week():
    unit, bars = drawn([1] * 32)
    assert (unit, bars[:2], len(bars)) == (
        "week",
        [("Week of 29 Dec 2025", 4, pytest.approx(4 / 7, abs=0.001)), ("Week of 5 Jan 2026", 7, 1)],
        5,
    )


def test_a_year_has_a_bar_for_each_month():
    unit, bars = drawn([1] * 365)
    assert (unit, len(bars), bars[1]) == ("month", 12, ("Feb 2026", 28, pytest.approx(28 / 31, abs=0.001)))


def test_the_bars_of_a_period_without_sales_have_the_height_0():
    assert drawn([0]) == ("day", [("Thu 1 Jan 2026", 0, 0)])
