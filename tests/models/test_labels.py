"""The labels of seats and the references of bookings."""

import re

import pytest

from booking.models import REFERENCE_ALPHABET, RateLimitWindow, full_rows, new_reference
from booking.models.layouts import parse
from tests.factories import make_booking, make_show


@pytest.mark.parametrize(
    ("seat_number", "seats_per_row", "label"),
    [
        (1, 10, "A1"),
        (10, 10, "A10"),
        (11, 10, "B1"),
        (251, 10, "Z1"),
        (260, 10, "Z10"),
        (261, 10, "AA1"),
        (520, 10, "AZ10"),
        (521, 10, "BA1"),
        (1, 1, "A1"),
        (26, 1, "Z1"),
        (27, 1, "AA1"),
        (100, 100, "A100"),
        (10_000, 100, "CV100"),
    ],
)
def test_a_seat_s_label_is_its_row_s_letters_and_its_place(seat_number, seats_per_row, label):
    hall = parse(full_rows(seat_number, seats_per_row, "S"))
    assert (hall.label(seat_number), hall.seat_number(label)) == (label, seat_number)


@pytest.mark.parametrize(
    "label",
    [
        *("", "A", "1", "A0", "A01", "A11", "A999999", "A1000000", "AAAAA1", "A-1", "A1.0", "A1A", "a1", "1A", "F1"),
        *("A 1", " A1", "A1 ", "A1\n", "A1\0", "\u00c41", "\u04101", "A\u0661", "A\u00b2", "\uff211"),
    ],
)
def test_a_label_that_the_hall_lacks_has_no_number(label):
    with pytest.raises(ValueError, match=f"^{re.escape(label)}$"):
        parse(full_rows(50, 10, "S")).seat_number(label)


@pytest.mark.django_db
def test_a_booking_s_label_follows_its_show_s_rows():
    assert make_booking(show=make_show(seats_per_row=4), seat_number=5).label == "B1"


def test_the_characters_of_a_reference_are_unambiguous():
    look_alike = [set("0OQD") - set("QD"), set("1IL"), set("2Z"), set("5S"), set("8B")]
    assert [pair & set(REFERENCE_ALPHABET) for pair in look_alike] == [set()] * 5
    assert (REFERENCE_ALPHABET.isascii(), REFERENCE_ALPHABET.upper()) == (True, REFERENCE_ALPHABET)


def test_references_are_8_characters_and_differ():
    references = {new_reference() for _ in range(1000)}
    assert (len(references), {len(reference) for reference in references}) == (1000, {8})


def test_rate_limit_windows_are_named_by_their_key():
    assert str(RateLimitWindow(key="signup:1")) == "signup:1"
