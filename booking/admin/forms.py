"""Forms of the admin. They validate the format of the input; the services check the rules."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminDateWidget
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import ValidationError
from django.urls import reverse

from booking import services
from booking.admin.model_forms import ServiceRulesMixin
from booking.admin.plan_editor import LayoutEditor, layout_of
from booking.admin.time_fields import DAYS, DayField, offset_choices
from booking.admin.times_of_day import parse_time
from booking.models import Booking, PriceList, Screen, Show, User, represent_amount

MAX_COPIES = 200
MAX_DAYS = 366


class AccountCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("username",)


class MovieImportForm(forms.Form):
    file = forms.FileField(label="CSV file")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.MAX_UPLOAD_BYTES:
            raise ValidationError(f"The file is larger than {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")
        return file


class ScreenForm(forms.ModelForm):
    layout = forms.CharField(
        label="Seat plan",
        strip=False,
        widget=LayoutEditor(attrs={"rows": 18, "class": "layout", "spellcheck": "false", "autocapitalize": "none"}),
        help_text=(
            "One line for each row, from the screen backwards: the row's label, a space, and one letter for each seat, "
            "which is its category; a dot is a gap. An empty line is a gap between rows. Cells of a spreadsheet can be "
            "pasted. Saving changes no show."
        ),
    )

    class Meta:
        model = Screen
        fields = ("name", "price_list", "turnaround_minutes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["layout"] = layout_of(self.instance)

    def clean_layout(self) -> str:
        try:
            return services.check_layout(layout=self.cleaned_data["layout"])
        except services.InvalidLayout as refusal:
            raise ValidationError(refusal.detail) from None


# The value of the choice of no price list.
FREE = "free"
NO_LIST = "None: the show is free"


class _PriceListChoices(forms.models.ModelChoiceIterator):
    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        if cast(PriceListField, self.field).offers_free:
            yield FREE, NO_LIST


class PriceListField(forms.ModelChoiceField):
    """The price list of a new show; the cleaned value is None for the screen's, or FREE."""

    iterator = _PriceListChoices
    offers_free = True

    def to_python(self, value: Any) -> Any:
        return value if value == FREE and self.offers_free else super().to_python(value)


def with_free(data: dict[str, Any]) -> dict[str, Any]:
    """Return the cleaned data of a new show with `is_free` in place of FREE."""
    return data | {"price_list": None, "is_free": True} if data.get("price_list") == FREE else data


class ShowForm(ServiceRulesMixin, forms.ModelForm):
    class Meta:
        model = Show
        fields = ("movie", "screen", "starts_at", "ends_at", "price_list")
        field_classes: ClassVar = {"price_list": PriceListField}

    # Fields with a default from the movie or the screen.
    OPTIONAL = {
        "ends_at": "If left empty, it is computed from the movie's length.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.OPTIONAL.keys() & self.fields.keys():
            self.fields[name].required = False
            self.fields[name].help_text = self.OPTIONAL[name]
        # Without the permission to change the show, there is no field.
        prices: Any = self.fields.get("price_list")
        if prices:
            prices.offers_free = self.instance._state.adding
            prices.empty_label = "The screen's" if prices.offers_free else NO_LIST

    def clean(self) -> dict[str, Any]:
        super().clean()
        return with_free(self.cleaned_data)


class CopyShowForm(forms.Form):
    first_day = forms.DateField(widget=AdminDateWidget, validators=DAYS)
    last_day = forms.DateField(widget=AdminDateWidget, validators=DAYS)
    times = forms.CharField(max_length=200, help_text="Such as 14:00, 17:15, 20:30")

    def clean_times(self) -> list[time]:
        try:
            texts = re.split(r"\s*[,;]\s*|\s+(?=[0-9])", self.cleaned_data["times"].strip())
            return [parse_time(text) for text in texts]
        except ValueError:
            raise ValidationError("Enter times such as 14:00, 17:15, 20:30.") from None

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if {"first_day", "last_day", "times"} <= data.keys():
            days = (data["last_day"] - data["first_day"]).days + 1
            if days < 1:
                self.add_error("last_day", "The last day is before the first day.")
            elif days * len(data["times"]) > MAX_COPIES:
                self.add_error("last_day", f"This would create more than {MAX_COPIES} shows.")
            else:
                self._read_starts(data["first_day"], days, data["times"])
        return data

    def _read_starts(self, first_day: date, days: int, times: list[time]) -> None:
        """Adds `starts` in UTC to the cleaned data, or errors; asks for the offset of times that come twice."""
        starts = []
        for local in (datetime.combine(first_day + timedelta(days=day), at) for day in range(days) for at in times):
            if offsets := services.find_offsets(local=local):
                choice = forms.Select(choices=offset_choices(offsets))
                self.fields["offset"] = forms.CharField(label="Clock", required=False, widget=choice)
            try:
                starts.append(services.read_local_time(local=local, offset=self.data.get("offset", "")))
            except services.Refusal as refusal:
                self.add_error("offset" if offsets else "times", refusal.detail)
        self.cleaned_data["starts"] = starts


class PriceListChoiceForm(forms.Form):
    price_list = forms.ModelChoiceField(
        PriceList.objects.all(), required=False, empty_label="None: the shows are free", label="Price list"
    )


class DayForm(forms.Form):
    day = DayField()


class PeriodForm(forms.Form):
    first_day = DayField()
    last_day = DayField()

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if {"first_day", "last_day"} <= data.keys():
            days = (data["last_day"] - data["first_day"]).days + 1
            if days < 1:
                self.add_error("last_day", "The last day is before the first day.")
            elif days > MAX_DAYS:
                self.add_error("last_day", f"This is more than {MAX_DAYS} days.")
        return data


def labelled_seat(label: str, show: Show) -> int:
    """Return the number of the seat with this label, in capitals or not. Raises ValueError."""
    # upper() turns some non-ASCII letters into A to Z.
    return show.hall.seat_number(label.upper() if label.isascii() else label)


class SeatsForm(forms.Form):
    """Seats of one show, entered as labels and ranges."""

    seats = forms.CharField(max_length=500, help_text="Such as A1, B3-B6, C12")

    def __init__(self, *args: Any, show: Show, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.show = show
        rows = show.bookings.filter(status=Booking.Status.BLOCKED).order_by("seat_number")
        blocked = [f"{self.show.seat_label(row.seat_number)} ({row.reason})" for row in rows]
        if blocked:
            self.fields["seats"].help_text += f". Currently blocked: {', '.join(blocked)}"

    def clean_seats(self) -> list[int]:
        seats: dict[int, None] = {}
        text = re.sub(r"\s*-\s*", "-", self.cleaned_data["seats"]).strip(" ,;")
        for part in re.split(r"[\s,;]+", text):
            seats |= dict.fromkeys(self._part(part))
        return list(seats)

    def _part(self, part: str) -> range:
        """Parse a seat's label or a range of seats in one row."""
        # Labels of rows with digits contain a hyphen, too: 1-12 is a seat, 1-12-1-14 is a range.
        hyphens = [index for index, letter in enumerate(part) if letter == "-"]
        for first, last in [(part, part), *((part[:index], part[index + 1 :]) for index in hyphens)]:
            try:
                start, end = labelled_seat(first, self.show), labelled_seat(last, self.show)
            except ValueError:
                continue
            if start > end or self.show.hall.seat(start).y != self.show.hall.seat(end).y:
                raise ValidationError(f"{part} is not a range of seats in one row.")
            return range(start, end + 1)
        raise ValidationError(f"{part} is not a seat. Enter seats such as A1, B3-B6, C12.")


class BlockForm(SeatsForm):
    reason = forms.CharField(max_length=200, help_text="For example: broken")


class CustomerField(forms.CharField):
    """A username; the cleaned value is the customer, or None for an empty field that isn't required."""

    default_error_messages = {"required": "Enter the customer's username."}

    def clean(self, value: Any) -> Any:
        username = super().clean(value)
        if not username:
            return None
        try:
            return User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            raise ValidationError("There is no customer with this username.") from None


class CustomerInput(forms.TextInput):
    """A text field with a list of the customers who match what was typed."""

    template_name = "admin/booking/customer.html"

    class Media:
        css: ClassVar = {"all": ["booking/customers.css"]}
        js: ClassVar = [forms.Script("booking/customer-field.js", type="module")]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        search = {"data-customers": reverse("admin:booking_show_customers")}
        return super().get_context(name, value, (attrs or {}) | search)


class SellForm(ServiceRulesMixin, forms.ModelForm):
    """Sells one seat. A seat that costs something is sold once a ticket type was chosen, with its price in sight."""

    seat_number = forms.CharField(max_length=20, label="Seat", help_text="Such as E5.")
    customer = CustomerField(
        max_length=150,
        widget=CustomerInput(attrs={"class": "vTextField"}),
        help_text="The customer's username; type a part of it, of the name or of the e-mail address to find it.",
    )
    # `ticket type:price`. The choices appear when show and seat are known.
    ticket = forms.CharField(max_length=50, required=False, label="Ticket", widget=forms.HiddenInput)

    class Meta:
        model = Booking
        fields = ("show", "seat_number")

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if {"show", "seat_number"} <= data.keys():
            text, show = data["seat_number"], data["show"]
            try:
                data["seat_number"] = int(text) if re.fullmatch("[0-9]+", text) else labelled_seat(text, show)
            except ValueError:
                self.add_error("seat_number", f"{text} is not a seat. Enter a seat such as E5.")
            else:
                self._clean_ticket(show, data["seat_number"], data.get("ticket", ""))
        return data

    def _clean_ticket(self, show: Show, seat_number: int, text: str) -> None:
        """Set `ticket_type` and `expected_total`, or ask for the ticket. Seats of free shows need none."""
        category = show.hall.seat(seat_number).category if show.has_seat(seat_number) else ""
        tickets = {
            f"{price.type_id}:{represent_amount(price.amount)}": (price.type_id, price.type_name, price.amount)
            for price in services.read_prices(show=show)
            if price.category == category
        }
        self.cleaned_data["ticket_type"], _, self.cleaned_data["expected_total"] = tickets.get(text, (None, "", None))
        if tickets:
            label = show.hall.seat(seat_number).label
            self.fields["ticket"].label = f"Ticket for {label}"
            self.fields["ticket"].widget = forms.RadioSelect(
                choices=[
                    (key, f"{name}, {represent_amount(amount)} {settings.CURRENCY}")
                    for key, (_, name, amount) in tickets.items()
                ]
            )
            if text not in tickets:
                message = "Prices have changed. Choose again." if text else f"Choose the ticket for {label}."
                self.add_error("ticket", message)
