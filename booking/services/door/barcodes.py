"""Reads QR codes from pictures, if the optional package zxing-cpp is installed (requirements-photos.txt)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from booking.services.refusals import Kind, Refusal

MAX_PIXELS = 800_000
# Of each side; the package refuses 65,536.
MAX_SIDE = 4_096


class NoPictureReader(Refusal):
    """The optional package is not installed."""

    code = "no_picture_reader"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The service can't read pictures: the package of requirements-photos.txt is not installed."
    }


class UnreadablePicture(Refusal):
    """The pixels do not fill their rows, or the picture is too large."""

    code = "unreadable_picture"
    kind = Kind.INVALID
    example: ClassVar[dict[str, Any]] = {"detail": "The picture can't be read."}


def can_read_pictures() -> bool:
    """Return whether the service can read QR codes from pictures."""
    return find_spec("zxingcpp") is not None


def read_qr_codes(*, pixels: bytes, width: int) -> list[str]:
    """Return the texts of the QR codes in a grey picture, given as one byte a pixel, row by row.

    Raises NoPictureReader and UnreadablePicture.
    """
    if not can_read_pictures():
        raise NoPictureReader
    if not 0 < width <= MAX_SIDE or not 0 < len(pixels) <= MAX_PIXELS:
        raise UnreadablePicture
    height, rest = divmod(len(pixels), width)
    if rest or height > MAX_SIDE:
        raise UnreadablePicture
    zxing = import_module("zxingcpp")
    picture = memoryview(pixels).cast("B", shape=[height, width])
    return [found.text for found in zxing.read_barcodes(picture, formats=zxing.BarcodeFormat.QRCode)]
