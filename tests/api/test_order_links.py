"""The pages behind the links in mail about a new time: keep the seats or cancel them."""

import pytest
from django.urls import reverse
from django.utils import timezone

from booking.models import Booking, Order
from booking.services.mail.links import sign_order
from tests.factories import make_booking

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


@pytest.mark.parametrize("name", ["order_keep", "order_cancel"])
def test_an_invalid_link_is_not_found(anyone, db, name):
    page = reverse(name, args=["x"])
    assert (anyone.get(page).status_code, anyone.post(page).status_code) == (
        404,
        404 if name == "order_cancel" else 405,
    )
