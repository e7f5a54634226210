"""Reads QR codes from pictures, if the optional package zxing-cpp is installed."""

from importlib import import_module
from importlib.util import find_spec

MAX_PIXELS = 800_000


def can_read_pictures() -> bool:
    """Return whether the service can read QR codes from pictures."""
    return find_spec("zxingcpp") is not None


def read_qr_codes(*, pixels: bytes, width: int) -> list[str]:
    """Return the texts of the QR codes in a grey picture, given as one byte a pixel, row by row.

    Raises ValueError if the pixels do not fill their rows, or if there are more than MAX_PIXELS.
    """
    if not pixels or len(pixels) > MAX_PIXELS or len(pixels) % width:
        raise ValueError("The pixels must fill their rows.")
    zxing = import_module("zxingcpp")
    picture = memoryview(pixels).cast("B", shape=[len(pixels) // width, width])
    return [found.text for found in zxing.read_barcodes(picture, formats=zxing.BarcodeFormat.QRCode)]
