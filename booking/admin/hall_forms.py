"""Forms of the hall on a show's page. Seats arrive as numbers, taken seats as the page showed them."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from booking.admin.amount_fields import AmountField, TotalField
from booking.admin.forms import CustomerField
from booking.admin.notes import NoteForm
from booking.models import POSITIVE_ID, Booking, Payment, Show
from booking.services import KEY_PATTERN, Contact, SeenSeat

# The names of the states in the hall and its legend.
STATE_NAMES = {Booking.Status.BOOKED: "sold", Booking.Status.HELD: "held", Booking.Status.BLOCKED: "blocked"}
STATUSES = {name: status for status, name in STATE_NAMES.items()}
TICKET = re.compile(rf"([1-9][0-9]{{0,8}}):({POSITIVE_ID})", re.ASCII)
SEEN_SEAT = re.compile(rf"({POSITIVE_ID}):([1-9][0-9]{{0,8}}):({'|'.join(STATUSES)})", re.ASCII)
# Enough for all seats of the largest hall.
MAX_LENGTH = 400_000


class HallForm(forms.Form):
    """The base class of actions on the seats of one show."""

    def __init__(self, *args: Any, show: Show, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.show = show


class ChosenSeatsForm(HallForm):
    seats = forms.CharField(max_length=MAX_LENGTH, error_messages={"required": "Choose a seat."})

    def clean_seats(self) -> list[int]:
        """Parse comma-separated seat numbers."""
        try:
            seats = list(dict.fromkeys(int(number) for number in self.cleaned_data["seats"].split(",")))
        except ValueError:
            raise ValidationError("Seats must be whole numbers.") from None
        if not all(self.show.has_seat(seat) for seat in seats):
            raise ValidationError("This show has no such seat.")
        return seats


class TicketTypesField(forms.CharField):
    """Ids of ticket types by seat number: comma-separated `seat number:ticket type`, such as `5:1`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, required=False, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        matches = [TICKET.fullmatch(part) for part in text.split(",")] if text else []
        if not all(matches):
            raise ValidationError("Ticket types must be whole numbers by seat number.")
        return {int(match[1]): int(match[2]) for match in matches if match}


class CustomerOfSeatsForm(ChosenSeatsForm):
    customer = CustomerField(max_length=150)


class SellSeatsForm(ChosenSeatsForm):
    """The customer is None without an account; then the cleaned `contact` may have a name, an e-mail and a phone.

    With a `key`, the same request again gets the report of the first one.
    """

    customer = CustomerField(max_length=150, required=False)
    ticket_types = TicketTypesField()
    expected_total = TotalField(required=False)
    name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(max_length=254, required=False)
    phone = forms.CharField(max_length=40, required=False)
    key = forms.RegexField(
        rf"\A{KEY_PATTERN}\Z",
        strip=False,
        required=False,
        error_messages={"invalid": "A key has 1 to 255 printable ASCII characters."},
    )

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        data["contact"] = Contact(*(data.get(field, "") for field in ("name", "email", "phone")))
        if not set(data.get("ticket_types", ())) <= set(data.get("seats", ())):
            self.add_error("ticket_types", "Ticket types must be those of the chosen seats.")
        if data.get("customer") and data["contact"] != Contact():
            self.add_error("customer", "Enter either an account or a name, a phone number and an e-mail address.")
        return data


class PaymentForm(forms.Form):
    """The method of a payment at the counter, and the cash that the customer gave."""

    method = forms.ChoiceField(
        choices=[(method.value, method.label) for method in (Payment.Method.CASH, Payment.Method.CARD)],
        error_messages={"required": "Choose cash or card.", "invalid_choice": "Choose cash or card."},
    )
    given: Any = AmountField(required=False)


class SellPaidSeatsForm(SellSeatsForm, PaymentForm):
    """A sale that is paid in the same transaction."""


class BlockSeatsForm(ChosenSeatsForm):
    reason = forms.CharField(max_length=200, error_messages={"required": "Enter a reason."})


class SeenSeatsField(forms.CharField):
    """Taken seats as a page showed them: comma-separated `id:seat number:state`, such as `12:5:sold`."""

    default_error_messages = {"required": "Choose a booking.", "invalid": "This show has no such booking."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LENGTH, **kwargs)

    def clean(self, value: Any) -> Any:
        matches = [SEEN_SEAT.fullmatch(part) for part in super().clean(value).split(",")]
        if not all(matches):
            raise ValidationError(self.error_messages["invalid"])
        parts = [match.groups() for match in matches if match]
        return list(dict.fromkeys(SeenSeat(int(pk), int(seat), STATUSES[state]) for pk, seat, state in parts))


def seen_text(booking_id: int, seat_number: int, status: str) -> str:
    """Return the text from which SeenSeatsField reads a seat."""
    return f"{booking_id}:{seat_number}:{STATE_NAMES[Booking.Status(status)]}"


class SeenSeatsForm(HallForm):
    seen = SeenSeatsField()


class BookingsForm(SeenSeatsForm):
    """Bookings and holds of the show; the cleaned `bookings` are by id, as they are now."""

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        if "seen" in data:
            ids = [one.booking_id for one in data["seen"]]
            of_customers = Booking.objects.filter(show=self.show).exclude(status=Booking.Status.BLOCKED)
            data["bookings"] = of_customers.select_related("user").in_bulk(ids)
            if len(data["bookings"]) < len(set(ids)):
                self.add_error("seen", "This show has no such booking.")
        return data


class CancelSeatsForm(BookingsForm, NoteForm):
    """Bookings to cancel, and the sentence for their customers' mail."""


class MoveForm(BookingsForm, ChosenSeatsForm):
    """Bookings, as many seats to move them to, and the price of these seats, if it was shown."""

    expected_total = TotalField(required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        seen, chosen = data.get("seen"), data.get("seats")
        if seen and chosen and len(seen) != len(chosen):
            self.add_error("seats", "Choose one seat." if len(seen) == 1 else f"Choose {len(seen)} seats.")
        return data


class CustomerSearchForm(forms.Form):
    q = forms.CharField(max_length=150)
