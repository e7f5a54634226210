"""Fields and examples that several bodies share."""

import re
from typing import Any

from rest_framework import serializers


def example(**fields: Any) -> dict[str, Any]:
    return {"example": fields}


class PlainIntegerField(serializers.IntegerField):
    """A JSON integer, or a string of plain ASCII digits: no boolean, no float, no other script's digits."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and re.fullmatch("[0-9]{1,18}", data):
            return int(data)
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError(self.error_messages["invalid"], code="invalid")


class PlainBooleanField(serializers.BooleanField):
    """true or false, and nothing that could stand for it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
