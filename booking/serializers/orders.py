"""Serializers of orders and their payments."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from booking import services
from booking.models import Booking, Order, Payment, represent_amount
from booking.serializers.bookings import (
    BOOKING_EXAMPLE,
    HOLD_EXAMPLE,
    BookedShowSerializer,
    BookingSerializer,
    represent_booked_show,
    represent_booking,
)
from booking.serializers.common import AmountField, ReferenceField, example, represent_time

PAYMENT_EXAMPLE = {
    "id": 7,
    "provider": "demo",
    "method": "online",
    "status": "paid",
    "amount": "12.00",
    "currency": settings.CURRENCY,
    "refunded": "0.00",
    "created_at": "2030-01-30T09:16:00Z",
    "settled_at": "2030-01-30T09:17:00Z",
}


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """A payment of an order."""

    amount = AmountField()
    refunded = AmountField(help_text="How much of it goes back or went back.")
    settled_at = serializers.DateTimeField(allow_null=True, help_text="When it was paid or failed.")

    class Meta:
        model = Payment
        fields = ["id", "provider", "method", "status", "amount", "currency", "refunded", "created_at", "settled_at"]
        swagger_schema_fields = example(**PAYMENT_EXAMPLE)


class PaySerializer(serializers.Serializer[Any]):
    """The method of payment for an order; all fields are optional."""

    return_url = serializers.CharField(
        required=False,
        max_length=1000,
        help_text="Where the customer returns to after paying; its origin must be one of PAYMENT_RETURN_ORIGINS.",
    )
    provider = serializers.CharField(required=False, max_length=20, help_text="One of the cinema's online providers.")

    class Meta:
        swagger_schema_fields = example()


class StartedPaymentSerializer(PaymentSerializer):
    """A pending payment, and how the customer pays it."""

    next_url = serializers.CharField(allow_null=True, help_text="The provider's page for the customer.")
    client_secret = serializers.CharField(allow_null=True, help_text="For the provider's library in the client.")

    class Meta(PaymentSerializer.Meta):
        fields = [*PaymentSerializer.Meta.fields, "next_url", "client_secret"]
        swagger_schema_fields = example(
            **PAYMENT_EXAMPLE
            | {
                "status": "pending",
                "settled_at": None,
                "next_url": "https://tickets.example.com/demo-payment/eyJwYXlt/",
                "client_secret": None,
            }
        )


ORDER_EXAMPLE = {
    "reference": BOOKING_EXAMPLE["reference"],
    "show": BOOKING_EXAMPLE["show"],
    "created_at": BOOKING_EXAMPLE["created_at"],
    "bookings": [BOOKING_EXAMPLE],
    "currency": settings.CURRENCY,
    "total": "12.00",
    "paid": "12.00",
    "refunded": "0.00",
    "due": "0.00",
    "payments": [PAYMENT_EXAMPLE],
}


class OrderSerializer(serializers.Serializer[Any]):
    """Seats that were booked together, what they cost and what is still to be paid."""

    reference = ReferenceField()
    show = BookedShowSerializer()
    created_at = serializers.DateTimeField()
    bookings = BookingSerializer(
        many=True,
        help_text="Empty if the seats that a payment was started for were booked under another reference.",
    )
    currency = serializers.CharField(help_text="The code of the currency (ISO 4217).")
    total = AmountField(help_text="The sum of the prices of the seats that are not cancelled.")
    paid = AmountField()
    refunded = AmountField(help_text="What goes back or went back of the payments.")
    due = AmountField(help_text="What is still to be paid; below 0 if the payments are more than the seats cost.")
    payments = PaymentSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(**ORDER_EXAMPLE)


class HoldSerializer(OrderSerializer):
    """Seats that are held together."""

    expires_at = serializers.DateTimeField(help_text="When the first of the holds expires.")
    expires_in_seconds = serializers.IntegerField(min_value=0)

    class Meta:
        swagger_schema_fields = example(
            **ORDER_EXAMPLE
            | {"bookings": [HOLD_EXAMPLE], "expires_at": HOLD_EXAMPLE["expires_at"], "expires_in_seconds": 600}
        )


# --- Response bodies --------------------------------------------------------------------------


def represent_payment(payment: Payment, money: services.OrderMoney = services.NO_MONEY) -> dict[str, Any]:
    zone = timezone.get_current_timezone()
    return {
        "id": payment.pk,
        "provider": payment.provider,
        "method": payment.method,
        "status": payment.status,
        "amount": represent_amount(payment.amount),
        "currency": payment.currency,
        "refunded": represent_amount(money.refunded_of(payment)),
        "created_at": represent_time(payment.created_at, zone),
        "settled_at": represent_time(payment.settled_at, zone),
    }


def represent_started_payment(started: services.StartedOrderPayment, next_url: str | None) -> dict[str, Any]:
    return {
        **represent_payment(started.payment),
        "next_url": next_url,
        "client_secret": started.started.client_secret,
    }


def represent_order(
    bookings: Sequence[Booking], order: Order | None = None, money: services.OrderMoney = services.NO_MONEY
) -> dict[str, Any]:
    """Return the body of an order, which may have no bookings.

    Without `order`, it is new, and its time is that of its first seat.
    """
    zone, row = timezone.get_current_timezone(), order or bookings[0]
    created_at = order.created_at if order else min(booking.held_since or booking.created_at for booking in bookings)
    amounts = money.amounts(bookings)
    return {
        "reference": row.reference,
        "show": represent_booked_show(row.show, zone),
        "created_at": represent_time(created_at, zone),
        "bookings": [represent_booking(booking) for booking in bookings],
        "currency": settings.CURRENCY,
        "total": represent_amount(amounts.total),
        "paid": represent_amount(amounts.paid),
        "refunded": represent_amount(amounts.refunded),
        "due": represent_amount(amounts.due),
        "payments": [represent_payment(payment, money) for payment in money.payments],
    }


def represent_hold(holds: Sequence[Booking], now: datetime) -> dict[str, Any]:
    expires_at = min(hold.expires_at for hold in holds if hold.expires_at)
    return {
        **represent_order(holds),
        "expires_at": represent_time(expires_at, timezone.get_current_timezone()),
        "expires_in_seconds": math.ceil((expires_at - now).total_seconds()),
    }
