"""Paying over the API, the events of providers, and the page of the demo provider."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import override_settings
from django.utils import timezone

from booking.models import Booking, Payment, Show
from tests.bank import make_paid_show
from tests.factories import make_hold, make_priced_booking, make_show, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(user):
    """The reference of a booked seat that costs 12.00."""
    return make_priced_booking(user=user, created_at=timezone.now()).reference


def pay(client, reference, **body):
    return client.post(f"/api/orders/{reference}/pay/", body)


def page_of(answer):
    return urlsplit(answer.json()["next_url"]).path


def due(client, reference):
    body = client.get(f"/api/orders/{reference}/").json()
    return body["due"], [payment["status"] for payment in body["payments"]]


def test_a_payment_has_the_address_where_the_customer_pays(client, order):
    answer = pay(client, order)
    body = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, f"/api/orders/{order}/")
    assert [body[name] for name in ("provider", "status", "amount", "client_secret")] == [
        "demo",
        "pending",
        "12.00",
        None,
    ]
    assert body["next_url"].startswith("http://testserver/demo-payment/")


@pytest.mark.parametrize(
    ("action", "due_after", "status"),
    [("pay", "0.00", "paid"), ("twice", "0.00", "paid"), ("decline", "12.00", "failed")],
)
def test_the_demo_page_pays_or_declines(client, order, action, due_after, status):
    page = page_of(pay(client, order))
    answer = client.post(page, {"action": action}, format="multipart")
    assert (answer.status_code, answer["Location"]) == (302, "http://testserver/payment-done/")
    assert due(client, order) == (due_after, [status])


def test_the_demo_page_can_report_the_payment_later(client, order):
    page = page_of(pay(client, order))
    assert b"Tell the cinema now" in client.post(page, {"action": "late"}, format="multipart").content
    assert due(client, order) == ("12.00", ["pending"])


def test_the_demo_page_shows_the_amount(client, order):
    assert b"Pay 12.00 EUR" in client.get(page_of(pay(client, order))).content
    assert client.get("/payment-done/").status_code == 200


def test_a_held_seat_is_booked_by_its_payment(client, user):
    hold = make_hold(user=user, price=12, expires_at=timezone.now() + timedelta(minutes=5))
    client.post(page_of(pay(client, hold.reference)), {"action": "pay"}, format="multipart")
    assert Booking.objects.get().status == "booked"


@pytest.mark.parametrize("token", ["x", "x:y:z"])
def test_an_invalid_address_of_the_demo_page_is_not_found(client, db, token):
    assert client.get(f"/demo-payment/{token}/").status_code == 404


@override_settings(PAYMENT_PROVIDERS={})
def test_the_demo_page_needs_the_demo_provider(client, db):
    assert client.get("/demo-payment/x/").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://testserver.evil.example/",
        "http://testserver@evil.example/",
        "http://[",
        "http://testserver/ x",
        "/",
    ],
)
def test_a_return_address_at_a_foreign_host_is_refused(client, order, url):
    answer = pay(client, order, return_url=url)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "return_url")
    assert not Payment.objects.exists()


@pytest.mark.parametrize("url", ["http://testserver/done", "https://shop.example/done?order=1"])
def test_a_return_address_of_an_allowed_origin_is_used(client, order, settings, url):
    settings.PAYMENT_RETURN_ORIGINS = ["https://shop.example"]
    answer = client.post(page_of(pay(client, order, return_url=url)), {"action": "decline"}, format="multipart")
    assert answer["Location"] == url


def test_the_order_of_another_user_is_not_found(client):
    other = make_priced_booking(user=make_user(), show=make_show(), created_at=timezone.now())
    assert pay(client, other.reference).status_code == 404


@pytest.mark.parametrize(
    ("provider", "status", "code"),
    [("demo", 400, "event_rejected"), ("counter", 400, "event_rejected"), ("gold", 404, "not_found")],
)
def test_an_event_that_is_not_signed_is_refused(anyone, db, provider, status, code):
    answer = anyone.post(f"/api/payments/{provider}/events/", {"kind": "paid"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_signed_event_that_can_not_be_read_is_refused(client, anyone, order):
    from booking.services.money.providers import demo
    from booking.services.money.providers.base import EventKind

    pay(client, order)
    event = json.loads(demo.make_event(Payment.objects.get(), EventKind.PAID))
    faults = [{"amount": "x"}, {"amount": None}, {"payment": "x"}, {"id": "9" * 400}, {"id": 5}]
    for body in [json.dumps(event | fault).encode() for fault in faults] + [b"[]", b"{}", b"{", b"\xff"]:
        headers = {demo.SIGNATURE: demo.sign(body)}
        answer = anyone.generic("POST", "/api/payments/demo/events/", body, "application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "event_rejected"), body
    assert due(client, order)[1] == ["pending"]


def test_an_event_over_http_settles_the_payment(client, anyone, order):
    from booking.services.money.providers import demo
    from booking.services.money.providers.base import EventKind

    pay(client, order)
    body = demo.make_event(Payment.objects.get(), EventKind.PAID)
    headers = {demo.SIGNATURE: demo.sign(body)}
    answer = anyone.generic("POST", "/api/payments/demo/events/", body, "application/json", headers=headers)
    assert (answer.status_code, due(client, order)) == (200, ("0.00", ["paid"]))


# --- Whole orders -----------------------------------------------------------------------------


@pytest.fixture
def show(db):
    """An upcoming show with Standard seats 1 to 10 for 12.00 and Premium seats 11 to 20 for 15.00."""
    return make_paid_show(starts_at=timezone.now() + timedelta(days=1))


def demo(client, answer, action):
    client.post(page_of(answer), {"action": action}, format="multipart")


@override_settings(PAY_LATER=False)
def test_seats_that_must_be_paid_first_are_held_and_paid(client, show):
    refused = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1})
    assert (refused.status_code, refused.json()["code"]) == (402, "payment_required")
    held = client.post(f"/api/shows/{show.pk}/hold/", {"seat_numbers": [1]}).json()
    demo(client, pay(client, held["reference"]), "pay")
    assert (due(client, held["reference"]), Booking.objects.get().status) == (("0.00", ["paid"]), "booked")


def test_a_declined_payment_can_be_tried_again(client, order):
    demo(client, pay(client, order), "decline")
    demo(client, pay(client, order), "pay")
    assert due(client, order)[0] == "0.00"


def test_a_cancelled_part_and_an_exchange_change_what_is_due(client, show):
    order = client.post(f"/api/shows/{show.pk}/book-seats/", {"seat_numbers": [1, 2]}).json()
    reference, (first, second) = order["reference"], [seat["id"] for seat in order["bookings"]]
    demo(client, pay(client, reference), "pay")
    client.post(f"/api/bookings/{second}/cancel/")
    client.post(f"/api/bookings/{first}/move/", {"seat_number": 11})
    body = client.get(f"/api/orders/{reference}/").json()
    assert [body[name] for name in ("total", "paid", "refunded", "due")] == ["15.00", "24.00", "12.00", "3.00"]


def test_a_paid_seat_is_not_cancelled_shortly_before_the_show(client, show):
    Show.objects.update(starts_at=timezone.now() + timedelta(minutes=59))
    booking = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 1}).json()
    demo(client, pay(client, booking["reference"]), "pay")
    answer = client.post(f"/api/bookings/{booking['id']}/cancel/")
    assert (answer.status_code, answer.json()["code"]) == (409, "refund_ended")
