"""Reading QR codes from pictures and PDF files."""

import pypdfium2
import zxingcpp
from PIL import Image


def codes_in(picture: Image.Image) -> list[str]:
    """Return the texts of the QR codes in the picture."""
    return [found.text for found in zxingcpp.read_barcodes(picture.convert("L"), zxingcpp.BarcodeFormat.QRCode)]


def pages_of(content):
    document = pypdfium2.PdfDocument(content)
    return [document[number] for number in range(len(document))]


def text_of(page):
    return page.get_textpage().get_text_range()


def read_pdf(content):
    """Return the text of the code on each page."""
    found = []
    for page in pages_of(content):
        found += codes_in(page.render(scale=2).to_pil())
    return found
