"""Reading QR codes from grey pixels."""

import pytest

from booking.models import CheckIn
from booking.services.door.barcodes import UnreadablePicture, read_qr_codes


@pytest.mark.parametrize(
    ("pixels", "width"),
    [(b"", 1), (b"123", 2), (b"1", 0), (b"1", -1), (bytes(4_097), 1), (bytes(4_097), 4_097), (bytes(800_001), 1_001)],
)
def test_pixels_that_do_not_fill_a_picture_are_refused(pixels, width):
    with pytest.raises(UnreadablePicture):
        read_qr_codes(pixels=pixels, width=width)


@pytest.mark.parametrize("width", [1, 4_096])
def test_a_narrow_picture_is_read(width):
    assert read_qr_codes(pixels=bytes(4_096), width=width) == []


def test_a_check_in_is_named_by_its_booking():
    assert str(CheckIn(booking_id=7, action="in")) == "7 in"
