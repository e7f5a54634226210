"""Concurrent payments, refunds and the closing of a till, with controls without the locks."""

from collections import Counter
from decimal import Decimal
from functools import partial

import pytest
from django.db.models import QuerySet, Sum

from booking.models import Booking, Payment, Refund, Till
from booking.services import (
    cancel_order,
    close_till,
    open_till,
    pay_out_refund,
    record_payment,
    sell_and_take_payment,
)
from tests.factories import NOW
from tests.races import all_read_before_one_writes, at_once, outcome, parallel_writers
from tests.tills import make_clerk, make_priced_show, sell, take, till_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


@pytest.fixture
def clerk():
    return make_clerk()


@pytest.fixture
def till(clerk):
    return till_of(clerk)


@pytest.fixture
def no_till_lock(monkeypatch):
    """Removes the lock of tills."""
    lock = QuerySet.select_for_update

    def unless_till(self, *args, **kwargs):
        return self if self.model is Till else lock(self, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "select_for_update", unless_till)


def closing(till):
    counted = {"counted_cash": Decimal(50), "note": "", "now": NOW}
    return partial(outcome, close_till, till_id=till.pk, clerk=till.clerk, **counted)


def paying(order, clerk):
    payment = {"show_id": order.show_id, "reference": order.reference, "method": "cash", "expected": Decimal(12)}
    return partial(outcome, record_payment, **payment, by=clerk, now=NOW)


def selling(show, seat, clerk):
    sale = {"user": None, "show_id": show.pk, "seat_numbers": [seat], "method": "cash"}
    return partial(outcome, sell_and_take_payment, **sale, sold_by=clerk, now=NOW)


def counted_and_taken(till):
    """Return the expected cash of the closed till, and the cash by its payments."""
    till.refresh_from_db()
    taken = Payment.objects.filter(till=till).aggregate(sum=Sum("amount"))["sum"] or 0
    return till.expected_cash, till.opening_float + taken


def test_a_payment_is_counted_by_the_till_or_refused(clerk, till):
    show = make_priced_show()
    orders = [sell(show, seat) for seat in range(1, 11)]
    *outcomes, closed = at_once([*(paying(order, clerk) for order in orders), closing(till)])
    assert (closed, set(outcomes) <= {"done", "no_open_till"}) == ("done", True)
    assert counted_and_taken(till) == (50 + 12 * outcomes.count("done"),) * 2


def test_a_paid_sale_is_counted_by_the_till_or_nothing_is_sold(clerk, till):
    show = make_priced_show()
    *outcomes, closed = at_once([*(selling(show, seat, clerk) for seat in range(1, 11)), closing(till)])
    assert (closed, set(outcomes) <= {"done", "no_open_till"}) == ("done", True)
    assert counted_and_taken(till) == (50 + 12 * outcomes.count("done"),) * 2
    assert Booking.objects.sold().count() == outcomes.count("done")


def test_a_till_that_is_closed_10_times_at_the_same_time_is_closed_once(till):
    assert Counter(at_once([closing(till)] * 10)) == {"done": 1, "till_closed": 9}


def test_a_clerk_who_opens_10_tills_at_the_same_time_has_one(clerk):
    opening = partial(outcome, open_till, clerk=clerk, opening_float=Decimal(50), now=NOW)
    assert Counter(at_once([opening] * 10)) == {"done": 1, "till_already_open": 9}


# --- Refunds ----------------------------------------------------------------------------------


@pytest.fixture
def refund(user, clerk, till):
    """A refund of 12.00 that waits to be paid out."""
    order = sell(make_priced_show(), 1, user=user)
    take(order, clerk)
    cancel_order(user=user, reference=order.reference, now=NOW)
    return Refund.objects.get()


def paying_out(refund, clerk):
    return partial(outcome, pay_out_refund, refund_id=refund.pk, by=clerk, now=NOW)


def clerks_with_tills(number):
    clerks = [make_clerk(f"clerk{n}") for n in range(number)]
    for clerk in clerks:
        till_of(clerk)
    return clerks


def test_a_refund_that_10_clerks_pay_out_at_the_same_time_is_paid_out_once(refund):
    outcomes = at_once([paying_out(refund, clerk) for clerk in clerks_with_tills(10)])
    assert Counter(outcomes) == {"done": 1, "already_refunded": 9}


def test_a_refund_is_counted_by_the_till_or_refused(refund, clerk, till):
    paid_out, closed = at_once([paying_out(refund, clerk), closing(till)])
    till.refresh_from_db()
    assert (closed, paid_out, till.expected_cash) in {("done", "done", 50), ("done", "no_open_till", 62)}


# --- Controls: without the locks, the races do happen ---------------------------------------------


@parallel_writers
@pytest.mark.usefixtures("no_till_lock")
def test_without_the_lock_a_closed_till_gets_a_payment(clerk, till):
    order = sell(make_priced_show(), 1)
    assert all_read_before_one_writes([paying(order, clerk), closing(till)]) == ["done", "done"]
    assert counted_and_taken(till) == (50, 62)


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_two_clerks_pay_the_same_refund_out(refund):
    calls = [paying_out(refund, clerk) for clerk in clerks_with_tills(2)]
    assert all_read_before_one_writes(calls) == ["done", "done"]
