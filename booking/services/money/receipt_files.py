"""The PDF of a receipt."""

from collections.abc import Sequence
from html import escape
from io import BytesIO

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from booking.services.door.ticket_pages import BOLD, REGULAR, register_fonts
from booking.services.money.receipt_lines import Row
from booking.services.money.receipts import ReceiptContent

# In points.
MARGIN = 36
AMOUNT_WIDTH = 76
# Of the columns; reportlab adds this padding to the margins.
FRAME_PADDING = 6
WIDTHS = [A5[0] - 2 * (MARGIN + FRAME_PADDING) - AMOUNT_WIDTH, AMOUNT_WIDTH]
GREY = HexColor("#bbbbbb")


def draw_receipt(content: ReceiptContent) -> bytes:
    """Return the receipt as a PDF, as `receipt_pdf` does."""
    register_fonts()
    lines, file = content.lines, BytesIO()
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
