"""Attempts to get seats or money that were not paid for, over the API. docs/security.md lists them."""

import json
from decimal import Decimal
from functools import partial

import pytest
from django.utils import timezone

from booking.models import Booking, Payment, PaymentEvent, Refund
from booking.services import book_seats, move_booking
from booking.services.money.providers import demo
from booking.services.money.providers.base import EventKind
from tests.conftest import signed_in
from tests.factories import make_price_list, make_show, make_ticket_type, make_user
from tests.races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


@pytest.fixture
def show():
    """Row A costs 12.00, row B 15.00."""
    adult = make_ticket_type()
    return make_show(layout="SSSSS\nPPPPP", price_list=make_price_list({("S", adult): 12, ("P", adult): 15}))


@pytest.fixture
def order(user, show):
    """The reference of a booked seat that costs 12.00."""
    return book_seats(user=user, show_id=show.pk, seat_numbers=[1], now=timezone.now())[0].reference


@pytest.fixture
def event(client, order):
    """The provider's event about the payment of the order."""
    pay(client, order)
    return demo.make_event(Payment.objects.get(), EventKind.PAID)


def pay(client, reference, **body):
    return client.post(f"/api/orders/{reference}/pay/", body)


def send(client, body, signature=None):
    headers = {demo.SIGNATURE: signature or demo.sign(body)}
    return client.generic("POST", "/api/payments/demo/events/", body, "application/json", headers=headers)


def cancel(client, reference):
    return client.post(f"/api/orders/{reference}/cancel/")


def changed(event, **values):
    return json.dumps(json.loads(event) | values).encode()


def balance():
    """Return the received money without refunds, and the prices of booked seats."""
    received = sum((payment.amount for payment in Payment.objects.received()), Decimal(0))
    refunded = sum((refund.amount for refund in Refund.objects.all()), Decimal(0))
    return received - refunded, sum((one.price for one in Booking.objects.sold()), Decimal(0))


# --- The order of somebody else, and another amount -------------------------------------------


def test_the_order_of_another_user_can_not_be_paid(order):
    assert pay(signed_in(make_user()), order).status_code == 404
    assert not Payment.objects.exists()


@pytest.mark.parametrize("field", ["amount", "total", "due", "price", "expected_total"])
def test_a_client_can_not_set_the_price(client, order, field):
    answer = pay(client, order, **{field: "0.01", "currency": "JPY", "status": "paid"})
    assert [answer.json()[name] for name in ("amount", "currency", "status")] == ["12.00", "EUR", "pending"]


@pytest.mark.parametrize("values", [{"amount": "0.01"}, {"amount": "-12"}, {"amount": "1200"}, {"currency": "IDR"}])
def test_an_event_about_one_cent_does_not_settle_the_payment(client, event, values):
    assert send(client, changed(event, **values)).status_code == 200
    assert (Payment.objects.get().status, bool(PaymentEvent.objects.get().problem)) == ("pending", True)


def test_a_payment_for_a_cheap_seat_does_not_pay_for_a_dearer_one(client, user, order, event):
    move_booking(user=user, booking_id=Booking.objects.get().pk, seat_number=6, now=timezone.now())
    send(client, event)
    body = client.get(f"/api/orders/{order}/").json()
    assert [body[name] for name in ("total", "paid", "due")] == ["15.00", "12.00", "3.00"]


def test_the_event_of_one_payment_does_not_settle_another(client, user, show, event):
    dear = book_seats(user=user, show_id=show.pk, seat_numbers=[6], now=timezone.now())[0].reference
    pay(client, dear)
    other = Payment.objects.get(reference=dear)
    send(client, changed(event, payment=other.pk))
    other.refresh_from_db()
    assert other.status == "pending"


# --- Events that were sent before, or by somebody else ----------------------------------------


def test_a_replayed_event_changes_nothing(client, order, event):
    send(client, event)
    cancel(client, order)
    assert [send(client, event).status_code for _ in range(2)] == [200, 200]
    assert (balance(), Refund.objects.count(), PaymentEvent.objects.count()) == ((Decimal(0), Decimal(0)), 1, 1)


def test_a_replayed_event_with_another_id_changes_nothing(client, order, event):
    send(client, event)
    cancel(client, order)
    send(client, changed(event, id="another"))
    assert (balance(), Refund.objects.count()) == ((Decimal(0), Decimal(0)), 1)


def test_an_event_with_the_signature_of_another_event_is_refused(client, event):
    assert send(client, changed(event, id="another"), demo.sign(event)).status_code == 400
    assert Payment.objects.get().status == "pending"


def test_an_event_that_is_too_large_is_refused(anyone):
    answer = send(anyone, b"x" * 1_000_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


# --- At the same time -------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(3))
def test_an_order_that_is_cancelled_five_times_at_the_same_time_is_refunded_once(client, user, order, event, turn):
    send(client, event)
    answers = at_once([partial(cancel, signed_in(user), order) for _ in range(5)])
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    assert (balance(), Refund.objects.count()) == ((Decimal(0), Decimal(0)), 1)


@pytest.mark.parametrize("turn", range(3))
def test_an_order_that_is_cancelled_while_it_is_paid_is_refunded(client, user, anyone, order, event, turn):
    at_once([partial(send, anyone, event), partial(cancel, signed_in(user), order)])
    # Provider and customer repeat requests that were refused because the show was locked for too long.
    assert (send(anyone, event).status_code, cancel(client, order).status_code in {200, 409}) == (200, True)
    assert balance() == (Decimal(0), Decimal(0))


@pytest.mark.parametrize("turn", range(3))
def test_two_requests_to_pay_at_the_same_time_are_one_payment(user, order, turn):
    answers = at_once([partial(pay, signed_in(user), order) for _ in range(4)])
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert Payment.objects.count() == 1
