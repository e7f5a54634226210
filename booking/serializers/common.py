"""Fields that several serializers share."""

import re
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers

from booking.models import REFERENCE_ALPHABET, REFERENCE_LENGTH, TOTAL, represent_amount

REFERENCE_PATTERN = f"^[{REFERENCE_ALPHABET}]{{{REFERENCE_LENGTH}}}$"


def example(**fields: Any) -> dict[str, Any]:
    return {"example": fields}


def represent_time(moment: datetime | None, zone: tzinfo) -> str | None:
    """Return the time in the format of DRF's DateTimeField: ISO 8601 with an offset, or Z for UTC."""
    if moment is None:
        return None
    text = moment.astimezone(zone).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


class ReferenceField(serializers.CharField):
    """The reference that bookings made together share."""

    class Meta:
        swagger_schema_fields: ClassVar[dict[str, Any]] = {"pattern": REFERENCE_PATTERN}


class PlainIntegerField(serializers.IntegerField):
    """An integer field that accepts JSON integers and strings of ASCII digits, but no booleans and floats."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and re.fullmatch("[0-9]{1,18}", data):
            return int(data)
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError(self.error_messages["invalid"], code="invalid")


class PlainBooleanField(serializers.BooleanField):
    """A boolean field that accepts only true and false."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class PlainDateField(serializers.DateField):
    """A date field that accepts only YYYY-MM-DD."""

    default_error_messages = {"invalid": "Enter a day as YYYY-MM-DD."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", data):
            self.fail("invalid")
        try:
            return date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")


class PlainTimeField(serializers.DateTimeField):
    """A point in time as RFC 3339 writes it: with the date, the seconds and the offset, which nothing guesses."""

    default_error_messages = {"invalid": "Enter a time with its offset, such as 2030-01-30T19:42:07Z."}
    PATTERN = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE
    )

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not self.PATTERN.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(data.upper())


class AmountField(serializers.DecimalField):
    """An amount of money: a decimal string or a whole number in requests, a decimal string in responses."""

    default_error_messages = {"invalid": "Enter an amount such as {example}."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**TOTAL, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        # A float can't represent most amounts exactly.
        is_exact = isinstance(data, int | str) and not isinstance(data, bool)
        if not (is_exact and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,3})?", str(data))):
            self.fail("invalid", example=represent_amount(Decimal(24)))
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        return represent_amount(value)
