"""The pages behind the links in mail: keep the seats, cancel them or pay for them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from booking.models import Booking, Order, Payment
from booking.services.mail.links import sign_order, sign_order_to_pay
from booking.services.money.providers.base import StartedPayment
from tests.bank import Bank
from tests.factories import make_booking, make_hold, make_priced_booking, make_show

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def booking(user):
    return make_booking(user=user, created_at=timezone.now())


def address(name, booking):
    return reverse(name, args=[sign_order(Order.objects.get(reference=booking.reference))])


def test_keeping_the_seats_changes_nothing(anyone, booking):
    answer = anyone.get(address("order_keep", booking))
    assert (answer.status_code, Booking.objects.get().status) == (200, "booked")


def test_cancelling_needs_a_confirmation(anyone, booking):
    page = address("order_cancel", booking)
    assert (anyone.get(page).status_code, Booking.objects.get().status) == (200, "booked")
    assert (anyone.post(page).status_code, Booking.objects.get().status) == (200, "cancelled")


def test_a_second_cancellation_is_refused_with_the_reason(anyone, booking):
    page = address("order_cancel", booking)
    anyone.post(page)
    assert b"already cancelled" in anyone.post(page).content


@pytest.mark.parametrize("name", ["order_keep", "order_cancel", "order_pay"])
def test_an_invalid_link_is_not_found(anyone, db, name):
    page = reverse(name, args=["x"])
    assert (anyone.get(page).status_code, anyone.post(page).status_code) == (
        404,
        405 if name == "order_keep" else 404,
    )


# --- Paying -----------------------------------------------------------------------------------


@pytest.fixture
def unpaid(user):
    return make_priced_booking(user=user, created_at=timezone.now())


def pay_page(booking):
    return reverse("order_pay", args=[sign_order_to_pay(Order.objects.get(reference=booking.reference))])


def test_the_page_has_the_amount_due_and_redirects_to_the_provider(anyone, unpaid):
    page = pay_page(unpaid)
    assert b'value="Pay 12.00 EUR"' in anyone.get(page).content
    assert not Payment.objects.exists()
    provider = anyone.post(page)
    assert (provider.status_code, Payment.objects.get().amount) == (302, 12)
    assert anyone.post(provider["Location"], {"action": "pay"})["Location"] == f"http://testserver{page}"
    assert b"Your seats are paid." in anyone.get(page).content
    assert b"Your seats are paid." in anyone.post(page).content


class BankWithoutPage(Bank):
    """A provider whose page is closed, because the payment is being processed."""

    def create_payment(self, payment, return_url):
        return StartedPayment(f"demo-{payment.pk}")


def test_a_payment_without_a_page_leads_to_no_address(anyone, unpaid, settings):
    settings.PAYMENT_PROVIDERS = {"demo": f"{__name__}.BankWithoutPage"}
    answer = anyone.post(pay_page(unpaid))
    assert (answer.status_code, b"Have you just paid?" in answer.content) == (200, True)


def test_payments_by_the_link_are_limited(anyone, unpaid, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (2, 3600)}
    answers = [anyone.post(pay_page(unpaid)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]
    wait = answers[-1]["Retry-After"]
    assert f"Too many attempts. Please try again in {wait} seconds." in answers[-1].content.decode()
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]


def test_the_limit_counts_each_order_by_itself(anyone, user, unpaid, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (1, 3600)}
    other = make_priced_booking(user=user, created_at=timezone.now())
    assert [anyone.post(pay_page(booking)).status_code for booking in (unpaid, unpaid, other)] == [302, 429, 302]


def test_the_page_lists_the_held_seats_that_are_to_pay_too(anyone, unpaid):
    held = {"reference": unpaid.reference, "seat_number": 2, "price": 12, "user": unpaid.user, "show": unpaid.show}
    end = timezone.localtime() + timedelta(minutes=10)
    make_hold(**held, held_since=timezone.now(), expires_at=end)
    make_hold(**held | {"seat_number": 3}, held_since=timezone.now(), expires_at=timezone.now())
    page = anyone.get(pay_page(unpaid)).content.decode()
    assert f"A2, held until {end:%H:%M}" in page
    assert ("A3, held" in page, 'value="Pay 24.00 EUR"' in page) == (False, True)


def test_an_order_with_held_seats_alone_is_not_paid_by_the_link(anyone, unpaid):
    now = timezone.now()
    Booking.objects.update(status="held", held_since=now, expires_at=now + timedelta(minutes=10))
    page = pay_page(unpaid)
    for answer in (anyone.get(page), anyone.post(page)):
        assert b"No seat of this order is booked any more." in answer.content
    assert not Payment.objects.exists()


def test_a_payment_under_way_is_continued(anyone, unpaid):
    page = pay_page(unpaid)
    first, second = anyone.post(page), anyone.post(page)
    assert first["Location"].partition(":")[0] == second["Location"].partition(":")[0]
    assert b"Have you just paid?" in anyone.get(page).content
    assert Payment.objects.count() == 1


def test_a_walk_in_customer_pays_by_the_link(anyone):
    booking = make_priced_booking(created_at=timezone.now())
    Order.objects.update(user=None)
    Booking.objects.update(user=None)
    page = pay_page(booking)
    anyone.post(anyone.post(page)["Location"], {"action": "pay"})
    assert Payment.objects.get().status == "paid"


def test_the_page_may_lead_to_a_provider_at_another_host(anyone, unpaid):
    policy = anyone.get(pay_page(unpaid))["Content-Security-Policy"]
    assert "; form-action 'self' https:; frame-ancestors 'none'" in policy
    assert "https:" not in anyone.get(address("order_keep", unpaid))["Content-Security-Policy"]


def test_without_a_provider_s_page_the_customer_pays_at_the_cinema(anyone, unpaid, settings):
    settings.PAYMENT_PROVIDERS = {"counter": settings.PAYMENT_PROVIDERS["counter"]}
    page = pay_page(unpaid)
    assert b"Please pay at the cinema." in anyone.get(page).content
    assert b"Online payment is not available; pay at the counter." in anyone.post(page).content


def test_seats_of_a_show_that_has_started_are_not_paid_by_the_link(anyone, user):
    booking = make_priced_booking(
        user=user, show=make_show(starts_at=timezone.now() - timedelta(hours=1)), created_at=timezone.now()
    )
    page = pay_page(booking)
    assert b"The show has started or was cancelled" in anyone.get(page).content
    assert b"errornote" in anyone.post(page).content
    assert not Payment.objects.exists()


def test_the_link_to_pay_neither_cancels_nor_the_other_way_round(anyone, unpaid):
    order = Order.objects.get()
    cancel, pay = (
        reverse("order_cancel", args=[sign_order_to_pay(order)]),
        reverse("order_pay", args=[sign_order(order)]),
    )
    assert [anyone.post(page).status_code for page in (cancel, pay)] == [404, 404]
    assert (Booking.objects.get().status, Payment.objects.count()) == ("booked", 0)
