"""Tickets as files: the QR code, the PDF and the calendar entry."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parseaddr
from urllib.parse import urlsplit

import segno
from django.conf import settings
from icalendar import Calendar, Event

from booking.models import Booking, Show, represent_amount
from booking.services.door.tickets import LOCAL_HOST, sign_ticket, ticket_url

# The quiet zone of a QR code, in modules.
QUIET_ZONE = 4
PRODUCT = "-//Movie ticket booking//Tickets//EN"
# SEQUENCE counts seconds from here, so that it fits into 32 bits.
SEQUENCE_BEGINS = datetime.fromisoformat("2025-01-01T00:00:00+00:00")


def qr_code(booking: Booking) -> segno.QRCode:
    # Level M survives scratches and reflections, and needs no larger code than a phone shows well.
    return segno.make_qr(sign_ticket(booking=booking), error="m", boost_error=False)


def ticket_svg(*, booking: Booking) -> str:
    """Return the QR code of the ticket as an SVG picture, black on white with its quiet zone."""
    code = qr_code(booking)
    picture: str = code.svg_inline(border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True)
    # Inline pictures lack the namespace that a file needs; without smoothing, no lines appear between the modules.
    return picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" shape-rendering="crispEdges" ', 1)


def due_text(*, due: Decimal) -> str:
    """Return a sentence about the amount that is due for the order, or an empty text if it is paid."""
    if not due:
        return ""
    return f"Not paid: {represent_amount(due)} {settings.CURRENCY} to pay for this order before you enter."


# --- PDF --------------------------------------------------------------------------------------


def ticket_pdf(*, bookings: Sequence[Booking], due: Decimal) -> bytes:
    """Return a PDF with one page for each booking; `due` is what is still to be paid for their order."""
    # Not at the top, because importing reportlab takes long, and most processes make no PDF.
    from booking.services.door.ticket_pages import draw_tickets

    return draw_tickets(bookings, due)


# --- Calendar ---------------------------------------------------------------------------------


def calendar_entry(
    *, show: Show, reference: str, seats: Sequence[Booking], now: datetime, host: str = "", is_cancelled: bool = False
) -> bytes:
    """Return the show of the order's booked seats as an iCalendar file (RFC 5545, RFC 5546).

    All entries of an order have the same UID. Each one has a higher SEQUENCE than those written before `now` (UTC), and
    so replaces them. `is_cancelled` removes the entry from the calendar. `host` is as for `ticket_url`.
    """
    event = Event()
    event.add("uid", f"order-{show.pk}-{reference}@{urlsplit(settings.PUBLIC_URL or LOCAL_HOST).hostname}")
    event.add("dtstamp", now)
    event.add("sequence", int((now - SEQUENCE_BEGINS).total_seconds()))
    event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
    event.add("organizer", f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}")
    event.add("summary", show.movie.title)
    event.add("dtstart", show.starts_at)
    event.add("dtend", show.ends_at)
    event.add("location", ", ".join([show.screen.name, *(f"seat {booking.label}" for booking in seats)]))
    lines = [f"Seat {booking.label}: {ticket_url(booking=booking, host=host)}" for booking in seats]
    event.add("description", "\n".join([f"Reference {reference}", *lines]))
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if is_cancelled else "PUBLISH")
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content
