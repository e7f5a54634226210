"""Reading QR codes from grey pixels."""

import pytest

from booking.models import CheckIn
from booking.services.door.barcodes import read_qr_codes


@pytest.mark.parametrize(("pixels", "width"), [(b"", 1), (b"123", 2)])
def test_pixels_that_do_not_fill_their_rows_are_refused(pixels, width):
    with pytest.raises(ValueError, match="fill their rows"):
        read_qr_codes(pixels=pixels, width=width)


def test_a_check_in_is_named_by_its_booking():
    assert str(CheckIn(booking_id=7, action="in")) == "7 in"
