"""Serializers of bookings and holds."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from booking.models import POSITIVE_ID, Booking, Show, represent_amount
from booking.serializers.catalogue import SHOW_EXAMPLE, MovieBriefSerializer, ScreenSerializer
from booking.serializers.common import (
    AmountField,
    PlainBooleanField,
    PlainIntegerField,
    ReferenceField,
    example,
    represent_time,
)

BOOKING_EXAMPLE = {
    "id": 42,
    "reference": "K7QXW4NA",
    "show": {name: SHOW_EXAMPLE[name] for name in ("id", "movie", "screen", "starts_at", "ends_at", "cancelled_at")},
    "seat_number": 5,
    "seat_label": "A5",
    "category": "S",
    "ticket_type": {"id": 1, "name": "Adult"},
    "price": "12.00",
    "status": "booked",
    "created_at": "2030-01-30T09:15:00Z",
    "cancelled_at": None,
    "cancelled_by": None,
    "expires_at": None,
}
HOLD_EXAMPLE = BOOKING_EXAMPLE | {"status": "held", "expires_at": "2030-01-30T09:25:00Z"}


EXPECTED_TOTAL = "The sum of the prices that the customer was shown; another sum gives 409 `price_changed`."


class StrictSerializer(serializers.Serializer[Booking]):
    """Refuses fields of other operations. If they were ignored, the customer would pay another price."""

    misplaced: Mapping[str, str] = {}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        attrs: dict[str, Any] = super().to_internal_value(data)
        if found := {name: [reason] for name, reason in self.misplaced.items() if name in data}:
            raise serializers.ValidationError(found, code="not_allowed")
        return attrs


class SeatSerializer(StrictSerializer):
    misplaced = {"ticket_types": "Use ticket_type for one seat."}

    seat_number = PlainIntegerField(help_text="The seat's number in the seat plan.")
    ticket_type = PlainIntegerField(
        required=False, min_value=1, help_text="One of the show's ticket types; without it the first one is used."
    )
    expected_total = AmountField(required=False, help_text=EXPECTED_TOTAL)

    class Meta:
        swagger_schema_fields = example(seat_number=5)


class MoveSerializer(StrictSerializer):
    """The seat to move to."""

    misplaced = dict.fromkeys(("ticket_type", "ticket_types"), "A booking that is moved keeps its ticket type.")

    seat_number = PlainIntegerField(help_text="The seat's number in the seat plan.")
    expected_total = AmountField(required=False, help_text=EXPECTED_TOTAL)

    class Meta:
        swagger_schema_fields = example(seat_number=6)


class BookedShowSerializer(serializers.ModelSerializer[Show]):
    movie = MovieBriefSerializer()
    screen = ScreenSerializer()

    class Meta:
        model = Show
        fields = ["id", "movie", "screen", "starts_at", "ends_at", "cancelled_at"]


def represent_booked_show(show: Show, zone: tzinfo) -> dict[str, Any]:
    """Return the same as BookedShowSerializer, written out by hand because that is faster."""
    movie, screen = show.movie, show.screen
    return {
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
    }


class BookedTicketTypeField(serializers.JSONField):
    """A ticket type or null; a reference to a definition can't be null in OpenAPI 2.0."""

    class Meta:
        swagger_schema_fields = {
            "type": "object",
            "required": ["id", "name"],
            "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
        }


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
    category = serializers.CharField(help_text="The code of the seat's category.")
    ticket_type = BookedTicketTypeField(allow_null=True, help_text="Null on a free show.")
    price = AmountField()

    class Meta:
        model = Booking
        fields = [
            "id",
            "reference",
            "show",
            "seat_number",
            "seat_label",
            "category",
            "ticket_type",
            "price",
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
        zone, ticket_type = timezone.get_current_timezone(), instance.ticket_type
        return {
            "id": instance.pk,
            "reference": instance.reference,
            "show": represent_booked_show(instance.show, zone),
            "seat_number": instance.seat_number,
            "seat_label": instance.label,
            "category": instance.category_code,
            "ticket_type": ticket_type and {"id": ticket_type.pk, "name": ticket_type.name},
            "price": represent_amount(instance.price),
            "status": instance.status,
            "created_at": represent_time(instance.created_at, zone),
            "cancelled_at": represent_time(instance.cancelled_at, zone),
            "cancelled_by": instance.canceller,
            "expires_at": represent_time(instance.expires_at, zone),
        }


# A limit on the size of the input; the limit on seats per customer is in services/seats/rules/.
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


class TicketTypesField(serializers.DictField):
    """Ids of ticket types by seat number, or numbers of seats by id of the ticket type."""

    child = PlainIntegerField(min_value=1)

    class Meta:
        swagger_schema_fields = {"maxProperties": MAX_SEATS_PER_REQUEST}

    def to_internal_value(self, data: Any) -> dict[int, int]:
        if isinstance(data, dict) and len(data) > MAX_SEATS_PER_REQUEST:
            raise serializers.ValidationError(f"At most {MAX_SEATS_PER_REQUEST} entries.", code="max_length")
        entries = super().to_internal_value(data)
        wrong = [key for key in entries if not re.fullmatch(POSITIVE_ID, key)]
        if wrong:
            raise serializers.ValidationError(
                {key: serializers.ErrorDetail("A whole number is required.", "invalid") for key in wrong}
            )
        return {int(key): value for key, value in entries.items()}


class SeatsSerializer(StrictSerializer):
    """Either seat numbers or a number of seats."""

    misplaced = {"ticket_type": "Use ticket_types for several seats."}

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
    accessible = PlainBooleanField(
        required=False, help_text="With `count`: whether accessible seats are needed; otherwise they are chosen last."
    )
    ticket_types = TicketTypesField(
        required=False,
        help_text=(
            "With `seat_numbers`: ids of ticket types by seat number. With `count`: the number of seats by id of the "
            "ticket type, `count` in total. The other seats get the first ticket type."
        ),
    )
    expected_total = AmountField(required=False, help_text=EXPECTED_TOTAL)

    class Meta:
        swagger_schema_fields = example(count=2)

    def validate_seat_numbers(self, seats: list[int]) -> list[int]:
        twice = sorted(seat for seat, times in Counter(seats).items() if times > 1)
        if twice:
            raise serializers.ValidationError([f"Seat {seat} is named twice." for seat in twice], code="duplicate")
        return seats

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "seat_numbers" in attrs:
            extra = [name for name in ("count", "split", "accessible") if name in attrs]
            if extra:
                raise serializers.ValidationError(
                    {name: ["Not allowed with seat_numbers."] for name in extra}, code="not_allowed"
                )
        elif "count" not in attrs:
            raise serializers.ValidationError({"seat_numbers": ["Enter seat numbers or a count."]}, code="required")
        self._check_ticket_types(attrs)
        return attrs

    @staticmethod
    def _check_ticket_types(attrs: dict[str, Any]) -> None:
        types: dict[int, int] = attrs.get("ticket_types", {})
        if "count" in attrs and types and sum(types.values()) != attrs["count"]:
            raise serializers.ValidationError({"ticket_types": [f"The numbers must sum up to {attrs['count']}."]})
        unknown = [seat for seat in types if seat not in attrs.get("seat_numbers", types)]
        if unknown:
            reasons = {str(seat): [f"Seat {seat} is not in seat_numbers."] for seat in unknown}
            raise serializers.ValidationError({"ticket_types": reasons})


# --- Response bodies --------------------------------------------------------------------------

# One shared instance, because creating a serializer takes longer than using it.
represent_booking = BookingSerializer().to_representation


def represent_only(bookings: Sequence[Booking]) -> dict[str, Any]:
    [booking] = bookings
    return represent_booking(booking)
