"""Warnings about seats whose customers are in, before and after staff change them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from booking.models import Order
from tests.admin.hall import act, detail, seen
from tests.admin.orders import ORDERS, text_of
from tests.door import admit, make_door_staff
from tests.factories import make_booking, make_show

QUESTION = "Already admitted at the door: A5 . The customer may be in the hall."
REPORT = "The customer may be in the hall: A5 was already admitted."


@pytest.fixture
def booking(db):
    show = make_show(starts_at=timezone.now() + timedelta(minutes=20))
    booking = make_booking(show=show, seat_number=5, created_at=timezone.now())
    admit(booking, make_door_staff(), now=timezone.now())
    return booking


def test_staff_are_warned_before_they_cancel(box_office, booking):
    of_order = f"{ORDERS}{Order.objects.get().pk}/cancel/"
    pages = [box_office.get(path) for path in (f"/admin/booking/booking/{booking.pk}/cancel/", of_order)]
    assert [QUESTION in text_of(page) for page in pages] == [True, True]


def test_staff_are_warned_before_they_move(box_office, booking):
    move = f"{ORDERS}{Order.objects.get().pk}/move/"
    page = box_office.post(move, {"booking": seen(booking), "seat": "A6"})
    assert QUESTION in text_of(page)


def test_the_hall_reports_that_an_admitted_seat_was_moved(box_office, booking):
    answer = act(box_office, booking.show, "move", seen=seen(booking), seats="6")
    moved = f"Moved {booking.user.username}, {booking.reference}, from A5 to A6."
    assert detail(answer) == (200, f"{moved} {REPORT}")


def test_the_hall_reports_that_an_admitted_seat_was_cancelled(box_office, booking):
    status, text = detail(act(box_office, booking.show, "cancel", seen=seen(booking)))
    assert (status, text.endswith(f". {REPORT}")) == (200, True)
