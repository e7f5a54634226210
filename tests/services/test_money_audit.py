"""Breaches of each rule of money, stored without the services, are found by `manage.py audit`."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from booking.models import Booking, Order, Payment, PaymentEvent, Receipt, Refund, Show
from booking.services.audit import find_breaches
from tests.door import DOORS, admit, make_door_staff, offline
from tests.factories import NOW, make_price_list, make_priced_booking

pytestmark = pytest.mark.django_db


def breaches():
    return list(find_breaches())


@pytest.fixture
def booking(user):
    return make_priced_booking(user=user)


def make_payment(booking, amount=12, **fields):
    defaults = {"status": "paid", "settled_at": NOW, "currency": "EUR", "provider": "demo", "created_at": NOW}
    of_order = {"show": booking.show, "reference": booking.reference}
    return Payment.objects.create(amount=Decimal(str(amount)), **(of_order | defaults | fields))


def make_refund(payment, amount=12, **fields):
    of_payment = {name: getattr(payment, name) for name in ("show", "reference", "provider", "currency")}
    defaults = {"amount": Decimal(str(amount)), "created_at": NOW, "payment": payment}
    return Refund.objects.create(**(of_payment | defaults | fields))


def test_paid_refunded_and_unpaid_orders_are_valid(booking, user):
    make_payment(booking)
    make_refund(make_payment(booking, 3), 3)
    make_payment(booking, 99, status="pending", settled_at=None)
    make_payment(booking, 99, status="failed")
    assert breaches() == []


def test_sums_are_exact(booking):
    """On SQLite, 0.1 + 0.2 is more than 0.3."""
    Booking.objects.update(price=Decimal("0.3"), ticket_type=None, category="")
    for amount in ("0.1", "0.2"):
        make_payment(booking, amount)
    assert [breach for breach in breaches() if "neither" in breach] == []


def test_payments_without_seats_or_refunds(booking):
    make_payment(booking, 20)
    name = f"Show {booking.show_id}: order {booking.reference}"
    assert breaches() == [f"{name} has neither seats nor a refund for 8.00 of its 20.00"]
    Booking.objects.update(status="cancelled", cancelled_at=NOW)
    assert breaches() == [f"{name} has neither seats nor a refund for 20.00 of its 20.00"]


def test_a_refund_above_its_payment(booking):
    payment = make_payment(booking)
    make_refund(payment, 10)
    make_refund(payment, 3)
    name = f"Show {booking.show_id}: payment {payment.pk} of order {booking.reference}"
    assert breaches() == [f"{name} is refunded with 13.00 of 12.00"]


def test_refunds_of_another_order_and_of_a_payment_that_was_not_received(booking):
    pending = make_payment(booking, status="pending", settled_at=None)
    first, second = make_refund(make_payment(booking), reference="AAAAAAAA"), make_refund(pending)
    name = f"Show {booking.show_id}: refund"
    assert breaches() == [
        f"{name} {first.pk} of order AAAAAAAA is for payment {first.payment_id}, which is of another order or provider",
        f"{name} {second.pk} of order {booking.reference} is for payment {pending.pk}, which was not received",
    ]


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_refund_that_takes_longer_than_a_day(booking, status):
    refund = make_refund(make_payment(booking), status=status, created_at=timezone.now() - timedelta(days=1, hours=1))
    at_the_counter = make_payment(booking, provider="counter")
    make_refund(at_the_counter, created_at=refund.created_at)
    name = f"Show {booking.show_id}: refund {refund.pk} of order {booking.reference}"
    assert breaches() == [f"{name} has been {status} for more than a day"]


@pytest.mark.parametrize(("days", "found"), [(1, 0), (3, 1)])
def test_a_payment_that_is_pending_for_more_than_two_days(booking, days, found):
    at = timezone.now() - timedelta(days=days)
    payment = make_payment(booking, status="pending", settled_at=None, created_at=at)
    name = f"Show {booking.show_id}: payment {payment.pk} of order {booking.reference}"
    assert breaches() == [f"{name} has been pending for more than two days"] * found


def test_a_payment_without_an_order(booking):
    payment = make_payment(booking, status="failed")
    Order.objects.all().delete()
    name = f"Show {booking.show_id}: payment {payment.pk} of order {booking.reference}"
    assert breaches()[1:] == [f"{name} has no order"]


def test_an_order_with_a_payment_needs_no_bookings(booking):
    make_payment(booking, status="failed")
    Booking.objects.all().delete()
    assert breaches() == []


def test_a_payment_in_another_currency(booking):
    payment = make_payment(booking, currency="USD")
    name = f"Show {booking.show_id}: payment {payment.pk} of order {booking.reference}"
    assert breaches() == [f"{name} is in USD, not in EUR"]


def make_receipt(booking, year, number, reference=None):
    fields = {"show": booking.show, "reference": reference or f"{year}{number:04}", "created_at": NOW}
    return Receipt.objects.create(year=year, number=number, **fields)


def test_receipts_with_gaps(booking):
    for year, number in [(2098, 1), (2098, 3), (2099, 4)]:
        make_receipt(booking, year, number)
    missing = ["Receipt 2098-000002 is missing", "Receipts 2099-000001 to 2099-000003 are missing"]
    assert [breach for breach in breaches() if "missing" in breach] == missing


def test_a_receipt_for_nothing(booking):
    make_receipt(booking, 2099, 1, booking.reference)
    name = f"Show {booking.show_id}: receipt 2099-000001 of order {booking.reference}"
    assert breaches() == [f"{name} has no payment"]
    make_payment(booking)
    assert breaches() == []


@pytest.mark.parametrize(("days", "number"), [(29, 1), (31, 0)])
def test_an_event_that_changed_nothing_is_reported_for_a_month(booking, days, number):
    received_at = timezone.now() - timedelta(days=days)
    PaymentEvent.objects.create(provider="demo", event_id="7", received_at=received_at, problem="It is about 1 EUR.")
    PaymentEvent.objects.create(provider="demo", event_id="8", received_at=received_at, processed_at=received_at)
    assert breaches() == ["Event 7 of demo changed nothing: It is about 1 EUR."] * number


def test_a_seat_that_is_admitted_although_it_is_not_paid(booking):
    offline(booking, make_door_staff())
    name = f"Show {booking.show_id}: booking {booking.reference} of seat A1"
    assert breaches() == [f"{name} is admitted once, but 12.00 is due for the order"]
    make_payment(booking)
    assert breaches() == []


def test_a_seat_whose_payment_was_not_checked_before_the_doors_opened(booking):
    early = DOORS - timedelta(hours=1)
    offline(booking, make_door_staff(), scanned_at=early, now=early)
    name = f"Show {booking.show_id}: booking {booking.reference} of seat A1"
    assert breaches() == [f"{name} is admitted once, but 12.00 is due for the order"]


def test_an_admitted_seat_that_moves_to_a_dearer_one_is_no_breach(booking):
    make_payment(booking)
    admit(booking, make_door_staff())
    dearer = make_price_list({("S", booking.ticket_type): 15})
    Show.objects.update(price_list=dearer)
    Booking.objects.update(price=15)
    assert breaches() == []
