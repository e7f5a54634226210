"""Serializers of tickets."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from rest_framework import serializers

from booking import services
from booking.models import represent_amount
from booking.serializers.bookings import BOOKING_EXAMPLE
from booking.serializers.common import AmountField, ReferenceField, example

TICKET_EXAMPLE = {
    "booking": BOOKING_EXAMPLE["id"],
    "reference": BOOKING_EXAMPLE["reference"],
    "seat_number": BOOKING_EXAMPLE["seat_number"],
    "seat_label": BOOKING_EXAMPLE["seat_label"],
    "ticket": "eyJhbGciOiJFZERTQSIsImtpZCI6InVZMEdMbyJ9.eyJzIjoxLCJiIjo0MiwibiI6NSwidiI6MX0.c2lnbmF0dXJl",
    "url": "https://tickets.example.com/t/1-42-1.c2lnbmF0dXJl/",
    "currency": settings.CURRENCY,
    "due": "0.00",
}
KEY_EXAMPLE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "alg": "EdDSA",
    "use": "sig",
    "kid": "uY0GLo",
    "x": "BCsihHRZ1IDaR_APIBiZJ6fbK8OJ99F5fTNiQKqbZ4c",
}


class TicketSerializer(serializers.Serializer[Any]):
    """The e-ticket of a booked seat."""

    booking = serializers.IntegerField(min_value=1, help_text="The id of the booking.")
    reference = ReferenceField()
    seat_number = serializers.IntegerField(min_value=1)
    seat_label = serializers.CharField()
    ticket = serializers.CharField(help_text="What the QR code contains: a JWS that the keys verify.")
    url = serializers.URLField(help_text="A page with the QR code, which opens without an account.")
    currency = serializers.CharField(help_text="The code of the currency (ISO 4217).")
    due = AmountField(
        help_text="What is still to be paid for the booked seats of the order; the door stops unpaid tickets."
    )

    class Meta:
        swagger_schema_fields = example(**TICKET_EXAMPLE)


class OrderTicketsSerializer(serializers.Serializer[Any]):
    """The e-tickets of an order."""

    reference = ReferenceField()
    tickets = TicketSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(reference=TICKET_EXAMPLE["reference"], tickets=[TICKET_EXAMPLE])


class TicketKeySerializer(serializers.Serializer[Any]):
    """A public key (RFC 7517, RFC 8037)."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    alg = serializers.CharField()
    use = serializers.CharField()
    kid = serializers.CharField(help_text="The `kid` in the header of the tickets that this key verifies.")
    x = serializers.CharField(help_text="The key in base64url.")

    class Meta:
        swagger_schema_fields = example(**KEY_EXAMPLE)


class TicketKeysSerializer(serializers.Serializer[Any]):
    """A JSON Web Key Set."""

    keys = TicketKeySerializer(many=True)

    class Meta:
        swagger_schema_fields = example(keys=[KEY_EXAMPLE])


def represent_ticket(ticket: services.Ticket, host: str) -> dict[str, Any]:
    """Return the ticket; `host` is the origin of the request."""
    booking = ticket.booking
    return {
        "booking": booking.pk,
        "reference": booking.reference,
        "seat_number": booking.seat_number,
        "seat_label": booking.label,
        "ticket": services.sign_ticket(booking=booking),
        "url": services.ticket_url(booking=booking, host=host),
        "currency": settings.CURRENCY,
        "due": represent_amount(ticket.due),
    }


def represent_tickets(tickets: Sequence[services.Ticket], host: str) -> dict[str, Any]:
    return {
        "reference": tickets[0].booking.reference,
        "tickets": [represent_ticket(ticket, host) for ticket in tickets],
    }
