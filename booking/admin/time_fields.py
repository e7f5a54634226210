"""Form fields for dates and for the cinema's local times."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import BaseAdminDateWidget, BaseAdminTimeWidget
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from booking import services
from booking.admin.times_of_day import TimeOfDayField

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2200, 1, 1)
# Date arithmetic works within these days.
DAYS = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]


class DayField(forms.DateField):
    """A date in the format of a browser's date input, within the range that date arithmetic allows."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], validators=DAYS, **kwargs)
        self.error_messages["required"] = self.error_messages["invalid"] = "Choose a valid date."


def offset_choices(offsets: list[str]) -> list[tuple[str, str]]:
    """Return the choices for a time that comes twice."""
    first, second = offsets
    return [
        ("", "Choose one"),
        (first, f"UTC{first}, before the clocks go back"),
        (second, f"UTC{second}, after the clocks go back"),
    ]


class LocalTimeWidget(forms.MultiWidget):
    """A date, a time and, if this time comes twice, its offset from UTC."""

    template_name = "admin/booking/local_time.html"
    supports_microseconds = False

    class Media:
        css = {"all": ["booking/local_time.css"]}
        js = ["booking/clock.js"]

    # The offsets of the time that was submitted.
    offsets: list[str]

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        self.offsets = []
        super().__init__([BaseAdminDateWidget, BaseAdminTimeWidget, forms.Select], attrs)

    def decompress(self, value: Any) -> list[Any]:
        local = _as_local(value)
        if local is None:
            return [None, None, ""]
        is_moment = isinstance(value, datetime) and services.find_offsets(local=local)
        return [local.date(), local.time(), services.offset_of(moment=value) if is_moment else ""]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        local = None if isinstance(value, list) else _as_local(value)
        offsets = self.offsets if local is None else services.find_offsets(local=local)
        if offsets:
            self.widgets[2].choices = offset_choices(offsets)  # type: ignore[attr-defined]
        return super().get_context(name, value, attrs) | {"comes_twice": bool(offsets)}


def _as_local(value: Any) -> datetime | None:
    """Return the local time of a moment, or of a text such as 2030-01-31T20:00, if it is one."""
    try:
        moment = parse_datetime(value) if isinstance(value, str) else value
        return timezone.make_naive(moment) if moment and timezone.is_aware(moment) else moment
    except (ValueError, OverflowError):
        return None


class LocalTimeField(forms.SplitDateTimeField):
    """A local time; the cleaned value is in UTC. A time that doesn't exist is an error; one of two is chosen."""

    widget: Any = LocalTimeWidget
    # A page that contains the value it showed has it as a moment in UTC: a repeated local time stays one of the two.
    hidden_widget = forms.HiddenInput

    def __init__(self, **kwargs: Any) -> None:
        # Django would turn it on for a field with a default; forms that compare with it do so themselves.
        super().__init__(**kwargs | {"show_hidden_initial": False})
        self.fields = [self.fields[0], TimeOfDayField(required=False)]
        self.fields[0].validators += DAYS
        self._offset = ""

    def to_python(self, value: Any) -> datetime | None:
        """Return the moment that a page contains as the value it showed."""
        if value in self.empty_values:
            return None
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is None or timezone.is_naive(moment):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return moment

    def clean(self, value: Any) -> Any:
        date_and_time, self._offset = value[:2], value[2] or ""
        return super().clean(date_and_time)

    def compress(self, data_list: Any) -> datetime | None:
        if not data_list:
            return None
        for text, error in zip(data_list, ("invalid_date", "invalid_time"), strict=True):
            if text in self.empty_values:
                raise ValidationError(self.error_messages[error], code=error)
        local = datetime.combine(*data_list)
        self.widget.offsets = services.find_offsets(local=local)
        try:
            return services.read_local_time(local=local, offset=self._offset)
        except services.Refusal as refusal:
            raise ValidationError(refusal.detail, code=refusal.code) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        if super().has_changed(initial, data):
            return True
        _, _, offset = self.widget.decompress(initial)
        return bool(offset and data[2] and offset != data[2])


# For `formfield_overrides` of an admin.
LOCAL_TIMES: Mapping[Any, Mapping[str, Any]] = {
    models.DateTimeField: {"form_class": LocalTimeField, "widget": LocalTimeWidget}
}
