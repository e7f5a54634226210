"""Payments on the page of an order: amounts paid and due, and payments at the counter."""

import re
from decimal import Decimal

import pytest
from django.utils import timezone

from booking.models import Booking, Order, Payment, User
from booking.services import cancel_order, cancel_show
from tests.admin.orders import ORDERS, page_of, text_of
from tests.factories import make_booking
from tests.staff import page_messages, staff_with
from tests.tills import make_priced_show, sell, take, till_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    """Seat A1 for 12.00."""
    return sell(make_priced_show(), 1)


@pytest.fixture
def seller(box_office):
    """The clerk of `box_office`, with an open till."""
    seller = User.objects.get(username="seller")
    till_of(seller)
    return seller


def pay(client, order, **form):
    return client.post(f"{ORDERS}{order.pk}/pay/", {"expected": "12.00", "method": "cash"} | form)


def test_cash_is_taken_with_change(box_office, seller, order):
    response = pay(box_office, order, given="20")
    assert page_messages(response) == ["Took 12.00 EUR in cash. Change: 8.00 EUR."]
    text = text_of(box_office.get(response.url))
    assert "Total 12.00 Paid 12.00 Refunded 0.00 Due 0.00" in text
    assert re.search("Cash 12.00 Paid .* seller 20.00 given, 8.00 change", text)
    assert "Take cash" not in text


def test_cash_takes_a_decimal_comma(box_office, seller, order):
    assert page_messages(pay(box_office, order, given="20,50")) == ["Took 12.00 EUR in cash. Change: 8.50 EUR."]


def test_a_card_is_taken(box_office, seller, order):
    assert page_messages(pay(box_office, order, method="card")) == ["Took 12.00 EUR by card."]
    assert Payment.objects.get().method == "card"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"given": "11"}, "12.00 is due."),
        ({"expected": "11.00"}, "12.00 is due now."),
        ({"method": "gold"}, "Choose cash or card."),
        ({"given": "x"}, "Enter a number."),
        ({"given": "1,234.50"}, "Enter the number without separators of thousands."),
        ({"expected": ""}, "This field is required."),
    ],
)
def test_an_invalid_payment_is_refused(box_office, seller, order, form, message):
    assert page_messages(pay(box_office, order, **form)) == [message]
    assert not Payment.objects.exists()


def test_a_paid_amount_is_not_taken_again(box_office, seller, order):
    take(order, seller)
    assert page_messages(pay(box_office, order)) == ["Nothing is due for this order."]
    assert Payment.objects.count() == 1


def test_without_a_till_the_page_links_to_the_form_that_opens_one(box_office, order):
    page = box_office.get(page_of(order)).content.decode()
    assert '<a href="/admin/booking/till/add/">Open your till</a> to take the payment of 12.00 EUR.' in page
    assert page_messages(pay(box_office, order)) == ["Open your till first."]


def test_a_user_who_may_not_take_payments_sees_the_amount_due(order):
    client = staff_with("view_order", "change_order")
    text = text_of(client.get(page_of(order)))
    assert ("Due 12.00" in text, "Open your till" in text, "Take cash" in text) == (True, False, False)
    assert pay(client, order).status_code == 403


def test_staff_who_may_not_see_orders_take_no_payments(order):
    assert pay(staff_with("take_payment"), order).status_code == 403


def test_refunds_are_listed_with_their_reason(box_office, seller, order, user):
    Booking.objects.update(user=user)
    Order.objects.update(user=user)
    take(order, seller, given=Decimal(12))
    cancel_order(user=user, reference=order.reference, now=timezone.now())
    text = text_of(box_office.get(page_of(order)))
    assert "Total 0.00 Paid 12.00 Refunded 12.00 Due 0.00" in text
    assert "Refund −12.00 Pending" in text  # noqa: RUF001


def test_no_payment_is_offered_for_a_free_order_or_a_cancelled_show(box_office, seller, order):
    free = make_booking()
    cancel_show(show_id=order.show_id, now=timezone.now())
    for one in (order, Order.objects.get(show=free.show)):
        assert 'id="payments"' not in box_office.get(page_of(one)).content.decode()


@pytest.mark.parametrize("number", [1, 3])
def test_the_page_takes_the_same_queries_for_any_number_of_payments(
    box_office, seller, order, number, django_assert_num_queries
):
    take(order, seller)
    payment = Payment.objects.get()
    for _ in range(number - 1):
        payment.pk = None
        payment.save()
    box_office.get(page_of(order))
    # As for an unpaid order, with the receipts, and the clerks of the payments instead of the clerk's till.
    with django_assert_num_queries(10):
        box_office.get(page_of(order))


@pytest.mark.parametrize(
    ("permissions", "rows"),
    [([], 0), (["view_payment"], 1), (["view_refund"], 1), (["view_payment", "view_refund"], 2)],
)
def test_payments_and_refunds_are_shown_to_those_who_may_see_their_lists(seller, order, permissions, rows):
    take(order, seller)
    cancel_show(show_id=order.show_id, now=timezone.now())
    client = staff_with("view_order", *permissions)
    html = client.get(page_of(order)).content.decode()
    table = html.partition('id="payments"')[2]
    assert (table.count("<tr><td>"), "Paid 12.00 Refunded 12.00" in text_of(client.get(page_of(order)))) == (rows, True)
