"""What a receipt says, in lines, and its PDF."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO

from django.conf import settings
from django.utils import timezone
from django.utils.dateformat import format as format_date
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from booking.models import Payment, Refund, represent_amount
from booking.services.door.files import BOLD, REGULAR, register_fonts
from booking.services.money.receipts import ReceiptContent

DATE = "j F Y, H:i"
# In points.
MARGIN = 36
AMOUNT_WIDTH = 76
# Of the columns; reportlab adds this padding to the margins.
FRAME_PADDING = 6
WIDTHS = [A5[0] - 2 * (MARGIN + FRAME_PADDING) - AMOUNT_WIDTH, AMOUNT_WIDTH]
GREY = HexColor("#bbbbbb")

# How an order was paid, within a sentence.
METHODS = {"cash": "in cash", "card": "by card", "online": "online"}
# A text and an amount.
Row = tuple[str, str]


@dataclass(frozen=True)
class ReceiptLines:
    """The texts of a receipt. `head` begins with the lines of RECEIPT_ISSUER."""

    head: list[str]
    title: str
    order: list[str]
    seats: list[Row]
    sums: list[Row]
    payments: list[Row]


def receipt_lines(*, content: ReceiptContent) -> ReceiptLines:
    """Return the texts of the receipt, with times of the cinema's time zone."""
    show, amounts = content.order.show, content.amounts
    return ReceiptLines(
        settings.RECEIPT_ISSUER,
        f"Receipt {content.receipt}",
        [
            f"{_time(content.receipt.created_at)}, order {content.order.reference}",
            f"{show.movie.title}, {show.screen}, {_time(show.starts_at)}",
        ],
        [(f"{seat.label}, {seat.ticket_type or 'free'}", represent_amount(seat.price)) for seat in content.seats],
        list(_sums(content)),
        [
            *((_payment(payment), represent_amount(payment.amount)) for payment in content.payments),
            *((_refund(refund), f"\N{MINUS SIGN}{represent_amount(refund.amount)}") for refund in content.refunds),
            *([(f"Due in {settings.CURRENCY}", represent_amount(amounts.due))] if amounts.due > 0 else []),
        ],
    )


def _time(moment: datetime) -> str:
    return str(format_date(timezone.localtime(moment), DATE))


def _sums(content: ReceiptContent) -> Iterator[Row]:
    yield f"Total in {settings.CURRENCY}", represent_amount(content.amounts.total)
    if settings.TAX_PERCENT:
        yield f"Contains {settings.TAX_PERCENT.normalize():f}% tax", represent_amount(content.tax)


def _payment(payment: Payment) -> str:
    text = f"Paid {METHODS[payment.method]}, {_time(payment.settled_at or payment.created_at)}"
    if payment.given is None or payment.change is None:
        return text
    return f"{text} ({represent_amount(payment.given)} given, {represent_amount(payment.change)} change)"


def _refund(refund: Refund) -> str:
    if refund.settled_at is None:
        return f"Refund of {_time(refund.created_at)}, not paid back yet"
    return f"Paid back, {_time(refund.settled_at)}"


# --- PDF --------------------------------------------------------------------------------------


def receipt_pdf(*, content: ReceiptContent) -> bytes:
    """Return the receipt as a PDF; with many seats it has several pages."""
    register_fonts()
    lines, file = receipt_lines(content=content), BytesIO()
    text = ParagraphStyle("text", fontName=REGULAR, fontSize=9, leading=12)
    bold = ParagraphStyle("bold", text, fontName=BOLD)
    title = ParagraphStyle("title", bold, fontSize=14, leading=18, spaceBefore=10, spaceAfter=4)
    margins = {f"{side}Margin": MARGIN for side in ("left", "right", "top", "bottom")}
    document = SimpleDocTemplate(file, pagesize=A5, title=lines.title, invariant=1, **margins)
    story: list[Flowable] = [Paragraph(escape(line), text) for line in lines.head]
    story += [Paragraph(escape(lines.title), title)]
    story += [Paragraph(escape(line), text) for line in lines.order]
    for rows, style in ((lines.seats, text), (lines.sums, bold), (lines.payments, text)):
        story += _table(rows, style)
    document.build(story)
    return file.getvalue()


def _table(rows: Sequence[Row], style: ParagraphStyle) -> list[Flowable]:
    if not rows:
        return []
    right = ParagraphStyle("amount", style, alignment=TA_RIGHT)
    cells = [[Paragraph(escape(text), style), Paragraph(escape(amount), right)] for text, amount in rows]
    lines = [("LINEABOVE", (0, 0), (-1, -1), 0.5, GREY), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    padding = [(f"{side}PADDING", (0, 0), (-1, -1), size) for side, size in (("LEFT", 0), ("RIGHT", 0))]
    return [Spacer(0, 8), Table(cells, WIDTHS, style=[*lines, *padding])]
