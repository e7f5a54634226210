"""Tickets as files: the QR code, the PDF and the calendar entry."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parseaddr
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import segno
from django.conf import settings
from django.utils import timezone
from django.utils.dateformat import format as format_date
from icalendar import Calendar, Event
from reportlab.lib.pagesizes import A6
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from booking.models import Booking, Show, represent_amount
from booking.services.door.tickets import LOCAL_HOST, sign_ticket, ticket_url

# The quiet zone of a QR code, in modules.
QUIET_ZONE = 4
FONTS = Path(__file__).with_name("fonts")
REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
# In points of the PDF.
MARGIN = 24
CODE_SIZE = 204
DATE = "l j F Y"
TIME = "H:i"
PRODUCT = "-//Movie ticket booking//Tickets//EN"
# SEQUENCE counts seconds from here, so that it fits into 32 bits.
SEQUENCE_BEGINS = datetime.fromisoformat("2025-01-01T00:00:00+00:00")


def _qr_code(booking: Booking) -> segno.QRCode:
    # Level M survives scratches and reflections, and needs no larger code than a phone shows well.
    return segno.make_qr(sign_ticket(booking=booking), error="m", boost_error=False)


def ticket_svg(*, booking: Booking) -> str:
    """Return the QR code of the ticket as an SVG picture, black on white with its quiet zone."""
    code = _qr_code(booking)
    picture: str = code.svg_inline(border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True)
    # Inline pictures lack the namespace that a file needs; without smoothing, no lines appear between the modules.
    return picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" shape-rendering="crispEdges" ', 1)


def due_text(*, due: Decimal) -> str:
    """Return a sentence about the amount that is due for the order, or an empty text if it is paid."""
    if not due:
        return ""
    return f"Not paid: {represent_amount(due)} {settings.CURRENCY} to pay for this order before you enter."


# --- PDF --------------------------------------------------------------------------------------


@cache
def register_fonts() -> None:
    """Makes REGULAR and BOLD known to reportlab."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, BytesIO((FONTS / f"{name}.ttf").read_bytes())))


def ticket_pdf(*, bookings: Sequence[Booking], due: Decimal) -> bytes:
    """Return a PDF with one page for each booking; `due` is what is still to be paid for their order."""
    register_fonts()
    file = BytesIO()
    canvas = Canvas(file, pagesize=A6, invariant=True)
    canvas.setTitle(f"Tickets {bookings[0].reference}")
    for booking in bookings:
        _draw_page(canvas, booking, due)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _draw_page(canvas: Canvas, booking: Booking, due: Decimal) -> None:
    width, height = A6
    show, starts_at = booking.show, timezone.localtime(booking.show.starts_at)
    y = height - MARGIN
    y = _draw_text(canvas, show.movie.title, y, BOLD, 15, lines=3)
    y = _draw_text(canvas, f"{format_date(starts_at, DATE)}, {format_date(starts_at, TIME)}", y - 2, BOLD, 11)
    y = _draw_text(canvas, f"{show.screen}", y - 2, REGULAR, 11, lines=2)
    y = _draw_text(canvas, f"Seat {booking.label}", y - 6, BOLD, 22)
    details = [booking.reference, booking.ticket_type.name if booking.ticket_type else ""]
    y = _draw_text(canvas, " · ".join(filter(None, details)), y - 2, REGULAR, 9)
    if text := due_text(due=due):
        y = _draw_text(canvas, text, y - 4, BOLD, 9, lines=2)
    _draw_code(canvas, booking, (width - CODE_SIZE) / 2, MARGIN / 2)


def _draw_text(canvas: Canvas, text: str, y: float, font: str, size: float, lines: int = 1) -> float:
    """Draws the text below `y` on at most `lines` lines, and returns where it ends."""
    width = A6[0] - 2 * MARGIN
    split = simpleSplit(text, font, size, width)
    shown = split[:lines]
    if len(split) > lines:
        shown[-1] += "…"
    canvas.setFont(font, size)
    for line in shown:
        y -= 1.2 * size
        # A word that is wider than the page is compressed.
        scale = min(1, width / pdfmetrics.stringWidth(line, font, size))
        text_object = canvas.beginText(MARGIN, y)
        text_object.setHorizScale(100 * scale)
        text_object.textLine(line)
        canvas.drawText(text_object)
    return y


def _draw_code(canvas: Canvas, booking: Booking, x: float, y: float) -> None:
    """Draws the QR code with its quiet zone; x and y are its lower left corner."""
    rows = [bytes(row) for row in _qr_code(booking).matrix_iter(border=QUIET_ZONE)]
    module = CODE_SIZE / len(rows)
    path = canvas.beginPath()
    for number, row in enumerate(reversed(rows)):
        for start, length in _runs(row):
            path.rect(x + start * module, y + number * module, length * module, module)
    canvas.drawPath(path, stroke=0, fill=1)


def _runs(row: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and the length of each run of dark modules."""
    start = 0
    for run in row.split(b"\0"):
        if run:
            yield start, len(run)
        start += len(run) + 1


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
