"""Money that was taken and paid back, by day and clerk."""

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from booking.models import Refund
from booking.services import read_money_report
from tests.tills import make_clerk, make_payment, make_refund, till_of

pytestmark = pytest.mark.django_db
DAY = date(2099, 6, 1)


def at(day, hour=12):
    return datetime(2099, 6, day, hour, tzinfo=timezone.utc)


def read(last_day=DAY):
    return read_money_report(first_day=DAY, last_day=last_day)


def shown(lines):
    return [(line.day and line.day.day, line.clerk, dict(line.taken), line.refunded, line.net) for line in lines]


def pay_out(payment, clerk, when):
    refund = make_refund(payment, status="done", settled_at=when)
    Refund.objects.filter(pk=refund.pk).update(till=till_of(clerk) if clerk else None)


def test_payments_count_by_day_clerk_and_method():
    anna, bo = make_clerk("anna"), make_clerk("bo")
    make_payment(created_by=bo, settled_at=at(1))
    make_payment(created_by=anna, settled_at=at(1), amount=Decimal("0.10"))
    make_payment(created_by=anna, settled_at=at(1), amount=Decimal("0.20"))
    make_payment(created_by=anna, settled_at=at(2), method="card")
    make_payment(provider="demo", settled_at=at(1))
    report = read(date(2099, 6, 2))
    assert shown(report.lines) == [
        (1, "(online)", {"online": 12}, 0, 12),
        (1, "anna", {"cash": Decimal("0.30")}, 0, Decimal("0.30")),
        (1, "bo", {"cash": 12}, 0, 12),
        (2, "anna", {"card": 12}, 0, 12),
    ]
    assert shown(report.clerks)[1] == (None, "anna", {"cash": Decimal("0.30"), "card": 12}, 0, Decimal("12.30"))
    assert shown([report.total]) == [
        (None, "", {"online": 12, "cash": Decimal("12.30"), "card": 12}, 0, Decimal("36.30"))
    ]


def test_a_refund_counts_on_its_own_day_for_the_clerk_who_paid_it_out():
    anna, bo = make_clerk("anna"), make_clerk("bo")
    pay_out(make_payment(created_by=anna, settled_at=at(1)), bo, at(2))
    pay_out(make_payment(provider="demo", settled_at=at(1)), None, at(2))
    lines = read_money_report(first_day=date(2099, 6, 2), last_day=date(2099, 6, 2)).lines
    assert shown(lines) == [(2, "(online)", {}, 12, -12), (2, "bo", {}, 12, -12)]


def test_pending_payments_and_other_days_are_not_counted():
    make_payment(provider="demo", status="pending", settled_at=None)
    make_payment(provider="demo", status="failed", settled_at=at(1))
    for day in (2, 3):
        make_payment(settled_at=at(day, 0))
    make_refund(make_payment(settled_at=at(4)), status="failed")
    report = read()
    assert (report.lines, report.clerks, report.total.net) == ([], [], 0)


def test_days_are_those_of_the_cinema(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    make_payment(provider="demo", settled_at=at(1, 14))
    make_payment(provider="demo", settled_at=at(1, 15))
    assert shown(read().lines) == [(1, "(online)", {"online": 12}, 0, 12)]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_report_takes_two_queries(rows, django_assert_num_queries):
    for number in range(rows):
        make_payment(created_by=make_clerk(f"clerk{number}"), settled_at=at(1))
    with django_assert_num_queries(2):
        assert len(read().lines) == rows
