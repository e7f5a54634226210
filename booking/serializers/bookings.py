"""Serializers of bookings and holds."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from booking.models import Booking, Show
from booking.serializers.catalogue import SHOW_EXAMPLE, MovieBriefSerializer, ScreenSerializer
from booking.serializers.common import PlainBooleanField, PlainIntegerField, ReferenceField, example, represent_time

BOOKING_EXAMPLE = {
    "id": 42,
    "reference": "K7QXW4NA",
    "show": {name: SHOW_EXAMPLE[name] for name in ("id", "movie", "screen", "starts_at", "ends_at", "cancelled_at")},
    "seat_number": 5,
    "seat_label": "A5",
    "status": "booked",
    "created_at": "2030-01-30T09:15:00Z",
    "cancelled_at": None,
    "cancelled_by": None,
    "expires_at": None,
}
HOLD_EXAMPLE = BOOKING_EXAMPLE | {"status": "held", "expires_at": "2030-01-30T09:25:00Z"}


class SeatSerializer(serializers.Serializer[Booking]):
    seat_number = PlainIntegerField(help_text="1 is A1, counted row by row.")

    class Meta:
        swagger_schema_fields = example(seat_number=5)


class MoveSerializer(SeatSerializer):
    """The seat to move to."""

    class Meta:
        swagger_schema_fields = example(seat_number=6)


class BookedShowSerializer(serializers.ModelSerializer[Show]):
    movie = MovieBriefSerializer()
    screen = ScreenSerializer()

    class Meta:
        model = Show
        fields = ["id", "movie", "screen", "starts_at", "ends_at", "cancelled_at"]


class BookingSerializer(serializers.ModelSerializer[Booking]):
    reference = ReferenceField()
    show = BookedShowSerializer()
    seat_label = serializers.CharField(help_text="The label printed on the seat, such as C7.")
    cancelled_by = serializers.ChoiceField(
        source="canceller",
        choices=Booking.Canceller.values,
        allow_null=True,
        help_text="Who cancelled it; null if it is not cancelled, or if it was a hold that expired.",
    )

    class Meta:
        model = Booking
        fields = [
            "id",
            "reference",
            "show",
            "seat_number",
            "seat_label",
            "status",
            "created_at",
            "cancelled_at",
            "cancelled_by",
            "expires_at",
        ]
        extra_kwargs = {
            "status": {"choices": ["booked", "held", "cancelled"]},
            "expires_at": {"help_text": "When the hold expires or expired; null once it is booked."},
        }
        swagger_schema_fields = example(**BOOKING_EXAMPLE)

    def to_representation(self, instance: Booking) -> dict[str, Any]:
        """Return the same as ModelSerializer, written out by hand because that is faster."""
        show, zone = instance.show, timezone.get_current_timezone()
        movie, screen = show.movie, show.screen
        return {
            "id": instance.pk,
            "reference": instance.reference,
            "show": {
                "id": show.pk,
                "movie": {
                    "id": movie.pk,
                    "title": movie.title,
                    "duration_minutes": movie.duration_minutes,
                    "certificate": movie.certificate,
                },
                "screen": {"id": screen.pk, "name": screen.name},
                "starts_at": represent_time(show.starts_at, zone),
                "ends_at": represent_time(show.ends_at, zone),
                "cancelled_at": represent_time(show.cancelled_at, zone),
            },
            "seat_number": instance.seat_number,
            "seat_label": instance.seat_label,
            "status": instance.status,
            "created_at": represent_time(instance.created_at, zone),
            "cancelled_at": represent_time(instance.cancelled_at, zone),
            "cancelled_by": instance.canceller,
            "expires_at": represent_time(instance.expires_at, zone),
        }


# A limit on the size of the input; the limit on seats per customer is in services/rules.py.
MAX_SEATS_PER_REQUEST = 50
TOO_MANY = f"At most {MAX_SEATS_PER_REQUEST} seats."


class SeatNumbersField(serializers.ListField):
    class Meta:
        swagger_schema_fields = {"maxItems": MAX_SEATS_PER_REQUEST}

    def to_internal_value(self, data: Any) -> list[Any]:
        # Checked first, because validating a very long list takes long.
        if isinstance(data, list) and len(data) > MAX_SEATS_PER_REQUEST:
            raise serializers.ValidationError(TOO_MANY, code="max_length")
        numbers: list[Any] = super().to_internal_value(data)
        return numbers


class SeatsSerializer(serializers.Serializer[Booking]):
    """Either seat numbers or a number of seats."""

    seat_numbers = SeatNumbersField(
        child=PlainIntegerField(), required=False, allow_empty=False, help_text="1 is A1, counted row by row."
    )
    count = PlainIntegerField(
        required=False,
        min_value=1,
        max_value=MAX_SEATS_PER_REQUEST,
        error_messages={"max_value": TOO_MANY},
        help_text="Instead of `seat_numbers`: book this many of the best seats.",
    )
    split = PlainBooleanField(
        required=False, help_text="With `count`: whether the seats may be apart if no row has enough together."
    )

    class Meta:
        swagger_schema_fields = example(count=2)

    def validate_seat_numbers(self, seats: list[int]) -> list[int]:
        twice = sorted(seat for seat, times in Counter(seats).items() if times > 1)
        if twice:
            raise serializers.ValidationError([f"Seat {seat} is named twice." for seat in twice], code="duplicate")
        return seats

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "seat_numbers" in attrs:
            extra = [name for name in ("count", "split") if name in attrs]
            if extra:
                raise serializers.ValidationError(
                    {name: ["Not allowed with seat_numbers."] for name in extra}, code="not_allowed"
                )
        elif "count" not in attrs:
            raise serializers.ValidationError({"seat_numbers": ["Enter seat numbers or a count."]}, code="required")
        return attrs


class GroupSerializer(serializers.Serializer[Any]):
    """Seats that were booked or cancelled together."""

    reference = ReferenceField()
    bookings = BookingSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(reference=BOOKING_EXAMPLE["reference"], bookings=[BOOKING_EXAMPLE])


class HoldSerializer(serializers.Serializer[Any]):
    """Seats that are held together."""

    reference = ReferenceField()
    expires_at = serializers.DateTimeField(help_text="When the first of the holds expires.")
    expires_in_seconds = serializers.IntegerField(min_value=0)
    bookings = BookingSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(
            reference=HOLD_EXAMPLE["reference"],
            expires_at=HOLD_EXAMPLE["expires_at"],
            expires_in_seconds=600,
            bookings=[HOLD_EXAMPLE],
        )


# --- Response bodies --------------------------------------------------------------------------

# One shared instance, because creating a serializer takes longer than using it.
represent_booking = BookingSerializer().to_representation


def represent_group(bookings: Sequence[Booking]) -> dict[str, Any]:
    return {"reference": bookings[0].reference, "bookings": [represent_booking(booking) for booking in bookings]}


def represent_only(bookings: Sequence[Booking]) -> dict[str, Any]:
    [booking] = bookings
    return represent_booking(booking)


def represent_hold(holds: Sequence[Booking], now: datetime) -> dict[str, Any]:
    expires_at = min(hold.expires_at for hold in holds if hold.expires_at)
    group = represent_group(holds)
    return {
        "reference": group["reference"],
        "expires_at": serializers.DateTimeField().to_representation(expires_at),
        "expires_in_seconds": math.ceil((expires_at - now).total_seconds()),
        "bookings": group["bookings"],
    }
