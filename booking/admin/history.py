"""History pages that show changes by staff together with changes by customers over the API."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from booking.models import Booking, BookingQuerySet, CheckIn, User
from booking.services import CANCELLED

ENTRIES_A_PAGE = 100


@dataclass(frozen=True)
class Event:
    """An entry of a history page, with the attributes that Django's template uses."""

    action_time: datetime
    user: User | None
    message: str

    def get_change_message(self) -> str:
        return self.message


def add_events(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    page: HttpResponse,
    events_of: Callable[[Any], list[Event]],
) -> HttpResponse:
    """Adds the `events_of` the object to Django's history page, if the user may view bookings."""
    if not isinstance(page, TemplateResponse) or not request.user.has_perm("booking.view_booking"):
        return page
    context: Any = page.context_data
    entries = [
        Event(entry.action_time, entry.user, entry.get_change_message())
        for entry in context["action_list"].paginator.object_list
    ]
    events = sorted([*events_of(context["object"]), *entries], key=lambda event: event.action_time)
    paginator = model_admin.get_paginator(request, events, ENTRIES_A_PAGE)  # type: ignore[arg-type]
    shown = paginator.get_page(request.GET.get(PAGE_VAR, 1))
    context["action_list"] = shown
    context["page_range"] = paginator.get_elided_page_range(shown.number)
    context["pagination_required"] = paginator.count > ENTRIES_A_PAGE
    return page


def events_of_booking(booking: Booking) -> list[Event]:
    """Return the events that follow from the booking's row and are not in the log."""
    events = _events_of_row(booking, _entries(Booking.objects.filter(pk=booking.pk)))
    scans = CheckIn.objects.filter(show=booking.show_id, booking_id=booking.pk).select_related("by")
    return [*events, *(Event(scan.at, scan.by, _scan_message(scan)) for scan in scans)]


def _scan_message(scan: CheckIn) -> str:
    where = f" at {scan.device}" if scan.device else ""
    if scan.action == CheckIn.Action.UNDO:
        return f"Admission undone{where}: {scan.reason}"
    late = f", scanned at {timezone.localtime(scan.scanned_at):%H:%M:%S}" if scan.scanned_at != scan.at else ""
    conflict = f", though {scan.reason.replace('_', ' ')}" if scan.reason else ""
    return f"Admitted{where}{late}{conflict}."


def events_of_bookings(bookings: BookingQuerySet) -> list[Event]:
    """Return all events of the bookings of a show. Each message begins with the booking's label at that time."""
    entries: dict[str, list[LogEntry]] = {}
    for entry in _entries(bookings):
        entries.setdefault(str(entry.object_id), []).append(entry)
    events = []
    for booking in bookings.select_related("user", "show", "sold_by", "cancelled_by"):
        of_booking = entries.get(str(booking.pk), [])
        logged = (Event(entry.action_time, entry.user, _labelled_message(entry)) for entry in of_booking)
        events += [*logged, *_labelled_events(booking, of_booking)]
    return events


def _labelled_message(entry: LogEntry) -> str:
    return f"{entry.object_repr}: {entry.get_change_message()}"


def _labelled_events(booking: Booking, entries: Sequence[LogEntry]) -> Iterator[Event]:
    # The label contains the seat; the first log entry has the label from before any move.
    first_name = entries[0].object_repr if entries else str(booking)
    for event in _events_of_row(booking, entries):
        name = str(booking) if event.action_time == booking.cancelled_at else first_name
        yield Event(event.action_time, event.user, f"{name}: {event.message}")


def _entries(bookings: BookingQuerySet) -> list[LogEntry]:
    ids = bookings.order_by().annotate(as_text=Cast("pk", TextField())).values("as_text")
    of_bookings = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Booking), object_id__in=ids)
    return list(of_bookings.select_related("user").order_by("action_time", "id"))


def _events_of_row(booking: Booking, entries: Sequence[LogEntry]) -> Iterator[Event]:
    if booking.status == Booking.Status.BLOCKED:
        # The show's own log entries report the block.
        return
    if booking.held_since:
        yield Event(booking.held_since, booking.user, "Held.")
    # A row with `expires_at` was a hold and was never booked.
    if booking.expires_at is None and not any(entry.action_flag == ADDITION for entry in entries):
        sold = f"Sold to {booking.user or 'a customer without an account'}." if booking.sold_by else "Booked."
        yield Event(booking.created_at, booking.sold_by or booking.user, sold)
    if booking.cancelled_at and not any(entry.change_message == CANCELLED for entry in entries):
        yield _end_of(booking, booking.cancelled_at)


def _end_of(booking: Booking, at: datetime) -> Event:
    if booking.is_released:
        return Event(at, None, "The hold expired.")
    if at == booking.show.cancelled_at:
        return Event(at, booking.cancelled_by, "Cancelled with the show.")
    return Event(at, booking.cancelled_by or booking.user, CANCELLED)
