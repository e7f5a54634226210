"""Times of day as people type them."""

import re
from datetime import time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

PATTERN = re.compile(
    r"(?P<hour>[0-9]{1,2}?)(?:[:.h ]?(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?|h)?\s*(?:(?P<half>[ap])\.?m?\.?)?",
    re.ASCII | re.IGNORECASE,
)
EXAMPLES = "Enter a time such as 20:30, 9.30, 1130 or 11am."


def parse_time(text: str) -> time:
    """Return the time of day of a text such as 20:30, 9.30, 1130, 930, 9 or 11am. Raises ValueError."""
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(text)
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(hour, int(match["minute"] or 0), int(match["second"] or 0))


class TimeOfDayField(forms.TimeField):
    """A time of day in 24 hours, shown without seconds."""

    default_error_messages = {"invalid": EXAMPLES}

    def to_python(self, value: Any) -> time | None:
        if value in self.empty_values or isinstance(value, time):
            return super().to_python(value)
        try:
            return parse_time(str(value))
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Ignores seconds that the form did not show."""
        if isinstance(initial, time) and not re.search(r":[0-9]+:", str(data)):
            initial = initial.replace(second=0, microsecond=0)
        return super().has_changed(initial, data)
