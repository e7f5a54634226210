"""The amounts due for the orders of a show."""

from decimal import Decimal

import pytest

from booking.services import hold_seats, read_due
from tests.factories import NOW
from tests.tills import make_payment, make_priced_show, make_refund, sell

pytestmark = pytest.mark.django_db


def test_orders_are_listed_with_the_prices_less_payments_plus_refunds():
    show = make_priced_show()
    paid, due, partly, refunded = (sell(show, seat) for seat in (1, 2, 3, 4))
    sell(make_priced_show(price_list=show.price_list), 1)
    make_payment(paid)
    make_payment(due, provider="demo", status="failed")
    make_payment(partly, amount=Decimal("11.90"))
    make_refund(make_payment(refunded))
    assert read_due(show_id=show.pk, now=NOW) == {due: 12, partly: Decimal("0.10"), refunded: 12}


def test_a_hold_is_due_until_it_expires(user):
    show = make_priced_show()
    [hold] = hold_seats(user=user, show_id=show.pk, seat_numbers=[1], now=NOW)
    due = [read_due(show_id=show.pk, now=now) for now in (NOW, hold.expires_at)]
    assert [list(one.values()) for one in due] == [[12], []]
