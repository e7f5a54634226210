"""The doors that members of staff see."""

from datetime import timedelta

import pytest

from booking.models import Booking
from booking.services import NotFound, NotYetOpen, read_door_list
from tests.door import DOORS, admit, let_check_in, make_door_staff, offline, stored, undo
from tests.factories import STARTS_AT, make_booking, make_show, make_user

DAY = timedelta(days=1)


@pytest.fixture
def door(db):
    return make_door_staff()


@pytest.fixture
def clerk(db):
    clerk = make_user()
    let_check_in(clerk, "Box office")
    return clerk


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5)


def read_list(booking, by, now=DOORS):
    return read_door_list(show_id=booking.show_id, by=by, now=now)


def admit_nonsense(booking, by, now=DOORS):
    return admit(booking, by, now=now, ticket="a.b.c")


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("act", [read_list, admit, admit_nonsense, undo])
def test_door_staff_see_no_shows_of_other_days(door, clerk, booking, act, days):
    admit(booking, clerk)
    with pytest.raises(NotFound, match="You see the doors of today's shows only"):
        act(booking, door, now=DOORS + days * DAY)


def test_the_box_office_sees_all_doors(clerk, booking):
    assert read_list(booking, clerk, now=DOORS - DAY).sold == 1
    with pytest.raises(NotYetOpen):
        admit(booking, clerk, now=DOORS - DAY)
    assert admit(booking, clerk, now=DOORS + DAY).booking == booking


def test_a_show_past_midnight_belongs_to_both_days(door):
    booking = make_booking(show=make_show(starts_at=STARTS_AT + 8 * timedelta(hours=1)))
    for now in (DOORS, DOORS + DAY):
        assert read_list(booking, door, now=now).sold == 1


def test_a_cancelled_show_of_the_day_is_visible(door):
    booking = make_booking(show=make_show(cancelled_at=DOORS))
    assert read_list(booking, door).show == booking.show


def test_a_scan_made_offline_is_stored_on_the_next_day(door, booking):
    offline(booking, door, now=DOORS + DAY)
    assert stored(booking) == [("in", "")]


def test_a_scan_made_offline_admits_to_no_show_of_a_later_day(door, clerk, booking):
    now = DOORS - DAY
    with pytest.raises(NotFound, match="You see the doors of today's shows only"):
        offline(booking, door, scanned_at=now, now=now)
    assert (stored(booking), offline(booking, clerk, scanned_at=now, now=now).conflict) == ([], "not_yet_open")


def test_a_scan_of_a_device_whose_clock_is_days_behind_is_stored(door, booking):
    Booking.objects.update(created_at=DOORS - 3 * DAY)
    assert offline(booking, door, scanned_at=DOORS - 2 * DAY).conflict == "not_yet_open"


def test_a_scan_that_is_sent_again_on_the_next_day_gets_the_same_answer(door, booking):
    first = admit(booking, door, nonce="same")
    assert admit(booking, door, nonce="same", now=DOORS + DAY).check_in == first.check_in
