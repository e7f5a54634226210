"""The PDF of tickets."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path

from django.utils import timezone
from django.utils.dateformat import format as format_date
from reportlab.lib.pagesizes import A6
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from booking.models import Booking
from booking.services.door.files import QUIET_ZONE, due_text, qr_code

FONTS = Path(__file__).with_name("fonts")
REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
# In points of the PDF.
MARGIN = 24
CODE_SIZE = 204
DATE = "l j F Y"
TIME = "H:i"


@cache
def register_fonts() -> None:
    """Makes REGULAR and BOLD known to reportlab."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, BytesIO((FONTS / f"{name}.ttf").read_bytes())))


def draw_tickets(bookings: Sequence[Booking], due: Decimal) -> bytes:
    """Return a PDF with one page for each booking, as `ticket_pdf` does."""
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
    rows = [bytes(row) for row in qr_code(booking).matrix_iter(border=QUIET_ZONE)]
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
