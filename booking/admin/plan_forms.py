"""Forms of the day plan. They validate the format of the input; the services check the rules."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin

from booking.admin.common import SearchSelect
from booking.admin.forms import PriceListField, with_free
from booking.admin.time_fields import DayField, LocalTimeField, LocalTimeWidget
from booking.models import Movie, PriceList, Screen, Show

DAYS_OF = {"day": 1, "week": 7}


class PlanTimeWidget(LocalTimeWidget):
    """The browser's own date input, and a time."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        day = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        self.widgets = [day, forms.TimeInput(attrs={"placeholder": "20:30", "size": 6}), *self.widgets[2:]]


class PlanShowForm(forms.Form):
    movie = forms.ModelChoiceField(
        Movie.objects,
        widget=SearchSelect(Show._meta.get_field("movie"), admin.site),
        error_messages={"invalid_choice": "This movie does not exist any more."},
    )
    screen = forms.ModelChoiceField(Screen.objects, empty_label=None)
    starts_at = LocalTimeField(label="Start", widget=PlanTimeWidget)
    price_list = PriceListField(
        PriceList.objects,
        label="Prices",
        required=False,
        empty_label="The screen's",
        error_messages={"invalid_choice": "This price list does not exist any more."},
    )

    def clean(self) -> dict[str, Any]:
        super().clean()
        return with_free(self.cleaned_data)

    def offer(self, screens: Sequence[Screen]) -> None:
        """Sets the screens to choose from without another query."""
        self.fields["screen"].choices = [(screen.pk, str(screen)) for screen in screens]  # type: ignore[attr-defined]


class MoveShowForm(forms.Form):
    """The place in the plan to which a show was moved; `starts_at` is in UTC."""

    show = forms.ModelChoiceField(Show.objects.select_related("movie", "screen").with_seats_sold())
    screen = forms.ModelChoiceField(Screen.objects)
    starts_at = forms.DateTimeField(input_formats=["%Y-%m-%dT%H:%M:%S%z"])


class CopyDaysForm(forms.Form):
    copy = forms.ChoiceField(
        choices=[("day", "One day"), ("week", "Seven days")], widget=forms.RadioSelect, initial="day"
    )
    first_day = DayField(label="From")
    to = DayField(label="To")
    rounds = forms.IntegerField(
        label="How many times", min_value=1, max_value=31, initial=1, help_text="On consecutive days or weeks."
    )

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if self.errors:
            return data
        data["days"] = DAYS_OF[data["copy"]]
        if data["to"] == data["first_day"]:
            self.add_error("to", "Choose another day.")
        return data

    @property
    def period(self) -> dict[str, Any]:
        """The arguments of the services."""
        return {name: self.cleaned_data[name] for name in ("first_day", "days", "to", "rounds")}
