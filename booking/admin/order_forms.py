"""Forms of an order's page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from booking import services
from booking.admin.amount_fields import TotalField
from booking.admin.forms import labelled_seat
from booking.admin.hall_forms import seen_text
from booking.admin.shown_values import ShownValuesMixin
from booking.models import Booking, Order, Show, represent_amount


class ContactForm(ShownValuesMixin, forms.ModelForm):
    class Meta:
        model = Order
        fields = ("name", "email", "phone")


def ticket_text(booking: Booking) -> str:
    """Return what the seat was sold as."""
    return f"{booking.ticket_type or 'No ticket type'}, {represent_amount(booking.price)}"


class TicketTypesForm(forms.Form):
    """A choice of the ticket type for each seat; the cleaned `ticket_types` are the new ids, by seat number."""

    def __init__(self, *args: Any, show: Show, bookings: Sequence[Booking], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bookings = bookings
        seats = [booking.seat_number for booking in bookings]
        prices = services.read_prices_of_seats(show=show, seat_numbers=seats)
        for booking in bookings:
            sold_as = (booking.ticket_type_id, booking.price)
            others = [
                (price.type_id, f"{price.type_name}, {represent_amount(price.amount)}")
                for price in prices[booking.seat_number]
                if (price.type_id, price.amount) != sold_as
            ]
            if others:
                self.fields[self.name_of(booking)] = forms.TypedChoiceField(
                    choices=[("", ticket_text(booking)), *others],
                    coerce=int,
                    required=False,
                    empty_value=None,
                    widget=forms.Select(attrs={"aria-label": f"Ticket type of {booking.label}"}),
                    error_messages={"invalid_choice": f"{booking.label} is not sold as this ticket type."},
                )

    @staticmethod
    def name_of(booking: Booking) -> str:
        return f"type_{booking.seat_number}"

    def clean(self) -> dict[str, Any]:
        super().clean()
        chosen = {int(name.removeprefix("type_")): value for name, value in self.cleaned_data.items() if value}
        if not self._bookings:
            raise ValidationError("No seat of this order is booked or held any more. Nothing was changed.")
        if not chosen and not self.errors:
            raise ValidationError("Choose another ticket type for at least one seat.")
        return {"ticket_types": chosen}


class MoveSeatForm(forms.Form):
    """A booking of the order, and the seat to which it moves; the cleaned `seat` is its number."""

    # With the seat that the page showed, so that a booking that has moved since is not moved again.
    booking = forms.ChoiceField(label="Seat")
    seat = forms.CharField(label="Move to", max_length=20, widget=forms.TextInput(attrs={"size": "6"}))

    def __init__(self, *args: Any, show: Show, bookings: Sequence[Booking], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._show = show
        self._bookings = {seen_text(one.pk, one.seat_number, one.status): one for one in bookings}
        field: Any = self.fields["booking"]
        field.choices = [(seen, f"{one.label}, {ticket_text(one)}") for seen, one in self._bookings.items()]
        field.error_messages["invalid_choice"] = "This order has no such seat any more."

    def clean_seat(self) -> int:
        label = self.cleaned_data["seat"]
        try:
            return labelled_seat(label, self._show)
        except ValueError:
            raise ValidationError(f"{label} is not a seat. Enter a seat such as E5.") from None

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if {"booking", "seat"} <= data.keys():
            data["booking"] = self._bookings[data["booking"]]
            if data["booking"].seat_number == data["seat"]:
                self.add_error("seat", f"This is {data['booking'].label} itself. Enter another seat.")
        return data


class TotalForm(forms.Form):
    """The sum that the question before a change showed."""

    expected_total: Any = TotalField()
