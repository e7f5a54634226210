"""Serializers of the door: scans and the list of a show's seats."""

import re
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from booking import services
from booking.models import LARGEST_REQUESTED_ID, CheckIn
from booking.serializers.common import PlainIntegerField, PlainTimeField, example, represent_time

NONCE = "A text of the device's choice, new for each scan: a request that is sent again has the same one."
DEVICE = "The device's name; each one has a rate limit of its own. A request that is sent again has the same one."


class NonceField(serializers.CharField):
    class Meta:
        swagger_schema_fields = {"pattern": f"^{services.NONCE_PATTERN}$"}

    default_error_messages = {"invalid_nonce": "Enter 1 to 64 printable ASCII characters without blanks."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not re.fullmatch(services.NONCE_PATTERN, data):
            self.fail("invalid_nonce")
        return data


class ScanSerializer(serializers.Serializer[Any]):
    """Either a `ticket`, or a `reference` with the label of the seat."""

    ticket = serializers.CharField(
        required=False, max_length=services.MAX_SCAN_LENGTH, help_text="The text of the ticket's QR code."
    )
    reference = serializers.CharField(
        required=False, max_length=20, help_text="Instead of `ticket`: the order's reference."
    )
    seat_label = serializers.CharField(
        required=False,
        max_length=12,
        help_text="With `reference`: the seat's label, such as C7. Not needed for an order of one seat.",
    )
    nonce = NonceField(help_text=NONCE)
    device = serializers.CharField(required=False, max_length=50, help_text=DEVICE)
    scanned_at = PlainTimeField(
        required=False,
        help_text=(
            "For a scan that was made without the network and let the customer in: when. It is stored even if the "
            "ticket should have been stopped; `conflict` says why."
        ),
    )

    class Meta:
        swagger_schema_fields = example(reference="K7QXW4NA", seat_label="A5", nonce="left-door-0001", device="left")

    def validate_reference(self, value: str) -> str:
        return value.upper()

    def validate_seat_label(self, value: str) -> str:
        return value.upper()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ticket" in attrs:
            extra = [name for name in ("reference", "seat_label") if name in attrs]
            if extra:
                raise serializers.ValidationError(
                    {name: ["Not allowed with ticket."] for name in extra}, code="not_allowed"
                )
        elif "reference" not in attrs:
            raise serializers.ValidationError({"ticket": ["Enter a ticket or a reference."]}, code="required")
        return attrs


class UndoSerializer(serializers.Serializer[Any]):
    """The admission to undo."""

    booking = PlainIntegerField(
        min_value=1, max_value=LARGEST_REQUESTED_ID, help_text="The id of the booking that is admitted."
    )
    reason = serializers.CharField(max_length=200)
    nonce = NonceField(help_text=NONCE)
    device = serializers.CharField(required=False, max_length=50, help_text=DEVICE)

    class Meta:
        swagger_schema_fields = example(booking=42, reason="Wrong ticket", nonce="left-door-0002", device="left")


CHECK_IN_EXAMPLE = {
    "booking": 42,
    "seat_label": "A5",
    "category": "S",
    "ticket_type": "Adult",
    "action": "in",
    "scanned_at": "2030-01-30T19:42:07Z",
    "conflict": None,
}


class CheckInSerializer(serializers.Serializer[Any]):
    """A scan that is stored."""

    booking = serializers.IntegerField(help_text="The id of the booking.")
    seat_label = serializers.CharField()
    category = serializers.CharField(help_text="The code of the seat's category.")
    ticket_type = serializers.CharField(allow_null=True, help_text="The name of the ticket type; null on a free show.")
    action = serializers.ChoiceField(choices=CheckIn.Action.values)
    scanned_at = serializers.DateTimeField()
    conflict = serializers.CharField(
        allow_null=True,
        help_text="For a scan made offline that should have been stopped: the code of the error; otherwise null.",
    )

    class Meta:
        swagger_schema_fields = example(**CHECK_IN_EXAMPLE)


class DoorSeatSerializer(serializers.Serializer[Any]):
    booking = serializers.IntegerField(help_text="The id of the booking, which is in its ticket.")
    seat_label = serializers.CharField()
    serial = serializers.IntegerField(help_text="The serial of the valid ticket; tickets with another one are not.")
    state = serializers.ChoiceField(choices=services.DOOR_STATES)

    class Meta:
        swagger_schema_fields = example(booking=42, seat_label="A5", serial=1, state="expected")


class DoorListSerializer(serializers.Serializer[Any]):
    """The bookings of a show, without names."""

    show = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    opens_at = serializers.DateTimeField(help_text="From when tickets are admitted.")
    sold = serializers.IntegerField(help_text="The number of booked seats.")
    admitted = serializers.IntegerField(help_text="How many of them are admitted.")
    seats = DoorSeatSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(
            show=17,
            starts_at="2030-01-30T20:00:00Z",
            opens_at="2030-01-30T19:15:00Z",
            sold=1,
            admitted=0,
            seats=[{"booking": 42, "seat_label": "A5", "serial": 1, "state": "expected"}],
        )


def represent_check_in(scan: services.StoredScan) -> dict[str, Any]:
    booking, check_in = scan.booking, scan.check_in
    return {
        "booking": booking.pk,
        "seat_label": booking.label,
        "category": booking.category_code,
        "ticket_type": booking.ticket_type.name if booking.ticket_type else None,
        "action": check_in.action,
        "scanned_at": represent_time(check_in.scanned_at, timezone.get_current_timezone()),
        "conflict": scan.conflict,
    }


def represent_door_list(door_list: services.DoorList) -> dict[str, Any]:
    zone = timezone.get_current_timezone()
    return {
        "show": door_list.show.pk,
        "starts_at": represent_time(door_list.show.starts_at, zone),
        "opens_at": represent_time(door_list.opens_at, zone),
        "sold": door_list.sold,
        "admitted": door_list.admitted,
        "seats": [
            {"booking": seat.booking_id, "seat_label": seat.seat_label, "serial": seat.serial, "state": seat.state}
            for seat in door_list.seats
        ],
    }
