"""Reads QR codes from pictures, if the optional package zxing-cpp is installed (requirements-photos.txt)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from booking.services.refusals import Refusal

MAX_PIXELS = 800_000


class NoPictureReader(Refusal):
    """The optional package is not installed."""

    code = "no_picture_reader"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The service can't read pictures: the package of requirements-photos.txt is not installed."
    }


def can_read_pictures() -> bool:
    """Return whether the service can read QR codes from pictures."""
    return find_spec("zxingcpp") is not None


def read_qr_codes(*, pixels: bytes, width: int) -> list[str]:
    """Return the texts of the QR codes in a grey picture, given as one byte a pixel, row by row.

    Raises NoPictureReader, or ValueError if the pixels do not fill their rows or are more than MAX_PIXELS.
    """
    if not can_read_pictures():
        raise NoPictureReader
    if not pixels or len(pixels) > MAX_PIXELS or len(pixels) % width:
        raise ValueError("The pixels must fill their rows.")
    zxing = import_module("zxingcpp")
    picture = memoryview(pixels).cast("B", shape=[len(pixels) // width, width])
    return [found.text for found in zxing.read_barcodes(picture, formats=zxing.BarcodeFormat.QRCode)]
