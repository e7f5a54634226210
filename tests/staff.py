"""Pages and forms of the admin, as a browser of staff sends them."""

from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client

from booking.services import SeenSeat, cancel_bookings
from tests.factories import STARTS_AT, make_user

SHOWS = "/admin/booking/show/"
BOOKINGS = "/admin/booking/booking/"


def show_form(movie, screen, **changes):
    """Return the data that a browser posts for a show; None leaves a field empty."""
    values = {"starts_at": STARTS_AT, "ends_at": None} | changes
    form = {"movie": movie.pk, "screen": screen.pk}
    for name in ("starts_at", "ends_at"):
        moment = values.pop(name)
        form |= {f"{name}_0": f"{moment:%Y-%m-%d}" if moment else "", f"{name}_1": f"{moment:%H:%M}" if moment else ""}
    return form | values


def form_errors(response):
    """Return the errors of the form in the response."""
    return dict(response.context["adminform"].form.errors)


def page_messages(response):
    """Return the messages of the page, or those that a redirect leaves for the next one."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def act(client, path, action, rows, **data):
    form = {"action": action, "_selected_action": [row.pk for row in rows], **data}
    return client.post(path, form)


def cancel_as(clerk, booking, now):
    """Cancel the booking as the hall does, with its current seat and state."""
    booking.refresh_from_db()
    seen = SeenSeat(booking.pk, booking.seat_number, booking.status)
    [cancelled] = cancel_bookings(show_id=booking.show_id, seen=[seen], now=now, cancelled_by=clerk)
    return cancelled


def sell(client, show, customer="esha", seat_number=7):
    return client.post(f"{BOOKINGS}add/", {"show": show.pk, "seat_number": seat_number, "customer": customer})


def signed_in_as(user):
    client = Client()
    client.force_login(user)
    return client


def staff_with(*permissions):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in_as(user)
