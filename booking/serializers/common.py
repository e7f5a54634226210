"""Fields that several serializers share."""

import re
from typing import Any

from rest_framework import serializers


def example(**fields: Any) -> dict[str, Any]:
    return {"example": fields}


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
