"""Warnings about seats whose customers are in, before and after staff change them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from booking.models import CheckIn, Order
from tests.admin.hall import act, detail, seen
from tests.admin.orders import ORDERS, text_of
from tests.door import admit, make_door_staff, stored, undo
from tests.factories import make_booking, make_show
from tests.staff import SHOWS, show_form

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


def plan_move(show, starts_at, **more):
    return {"show": show.pk, "screen": show.screen_id, "starts_at": f"{starts_at:%Y-%m-%dT%H:%M:%SZ}", **more}


def show_move(show, starts_at, **more):
    length = show.ends_at - show.starts_at
    form = show_form(show.movie, show.screen, starts_at=starts_at, ends_at=starts_at + length)
    return form | {"price_list": ""} | more


@pytest.fixture(params=["plan", "show"])
def move(request, staff, booking):
    """Sends the form that moves the show to a later time."""
    path, form = {
        "plan": (f"{SHOWS}plan/move/", plan_move),
        "show": (f"{SHOWS}{booking.show_id}/change/", show_move),
    }[request.param]
    return lambda delay, **more: staff.post(path, form(booking.show, booking.show.starts_at + delay, **more))


def test_the_question_before_a_show_moves_has_the_number_of_admitted_seats(move, booking):
    make_booking(show=booking.show, seat_number=6)
    week, two_hours = (text_of(move(delay)) for delay in (timedelta(days=7), timedelta(hours=2)))
    assert "1 seat is already admitted at the door. The doors of the new start open on " in week
    assert " so the admission of 1 seat is undone: its ticket is valid again. " in week
    assert "1 seat is already admitted at the door. It stays admitted. " in two_hours


def test_the_question_before_a_show_moves_does_not_mention_seats_that_nobody_took(move, booking):
    undo(booking, make_door_staff(username="other"), now=timezone.now())
    assert "admitted" not in text_of(move(timedelta(days=7)))


def test_a_show_that_staff_move_admits_its_customers_again(move, booking):
    move(timedelta(days=7), start_confirmed="yes")
    booking.show.refresh_from_db()
    assert stored(booking) == [("in", ""), ("undo", "The show was moved.")]
    assert CheckIn.objects.get(action="undo").by.username == "boss"
    admit(booking, make_door_staff(username="other"), now=booking.show.starts_at)
