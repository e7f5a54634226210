"""Functions for tests of the hall on a show's page: its addresses, actions and responses."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from booking import services
from booking.admin.hall_forms import STATE_NAMES
from booking.models import Booking, Show, User
from tests.factories import STARTS_AT, make_booking

CUSTOMERS = "/admin/booking/show/hall/customers/"
# Later than any hold that a test makes.
LATER = STARTS_AT - timedelta(hours=1)


def page_of(show: Show) -> str:
    return f"/admin/booking/show/{show.pk}/change/"


def hall_of(show: Show) -> str:
    return f"/admin/booking/show/{show.pk}/hall/"


def act(client: Client, show: Show, name: str, /, **data):
    return client.post(f"{hall_of(show)}{name}/", data)


def hold(show: Show, user: User, seat_number: int, **fields) -> Booking:
    times = {"expires_at": LATER, "held_since": timezone.now()}
    return make_booking(show=show, user=user, seat_number=seat_number, status="held", **(times | fields))


def block(show: Show, seat_number: int) -> None:
    services.block_seats(show_id=show.pk, seat_numbers=[seat_number], reason="broken", now=timezone.now())


def seen(booking: Booking, **changes) -> str:
    """Return the text that the hall's page sends for a taken seat."""
    fields = {"seat": booking.seat_number, "state": STATE_NAMES[Booking.Status(booking.status)]} | changes
    return f"{booking.pk}:{fields['seat']}:{fields['state']}"


def seats(show: Show, status: str = "booked") -> list[int]:
    return sorted(show.bookings.filter(status=status).values_list("seat_number", flat=True))


def detail(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


def history(client: Client, thing: Show | Booking) -> list[tuple[str, str]]:
    """Return the users and their actions on the history page of a show or a booking."""
    page = client.get(f"/admin/booking/{thing._meta.model_name}/{thing.pk}/history/")
    lines = page.context["action_list"]
    return [(line.user.username if line.user else "", line.get_change_message()) for line in lines]
