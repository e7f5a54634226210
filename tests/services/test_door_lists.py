"""The lists at the door: the seats of a show, and the shows of the day."""

from datetime import timedelta

import pytest

from booking.models import User
from booking.services import read_door_list, read_door_shows, read_recent_scans
from tests.door import DOORS, MINUTE, admit, make_door_staff, offline, undo
from tests.factories import STARTS_AT, make_booking, make_show


@pytest.fixture
def door(db):
    return make_door_staff()


def door_list(show):
    return read_door_list(show_id=show.pk, by=User(), now=DOORS)


def states(show):
    return [(seat.seat_label, seat.state) for seat in door_list(show).seats]


def test_a_seat_is_expected_again_after_its_admission_was_undone(door, show):
    booking = make_booking(show=show, seat_number=5)
    for act, state in [(admit, "admitted"), (offline, "admitted"), (undo, "admitted"), (undo, "expected")]:
        act(booking, door)
        assert states(show) == [("A5", state)]


def test_one_unpaid_seat_makes_its_whole_order_unpaid(show):
    free = make_booking(show=show, seat_number=5)
    make_booking(show=show, seat_number=6, reference=free.reference, user=free.user, price=12)
    make_booking(show=show, seat_number=7)
    assert states(show) == [("A5", "unpaid"), ("A6", "unpaid"), ("A7", "expected")]


def test_a_cancelled_seat_costs_nothing(show):
    paid = make_booking(show=show, seat_number=5)
    of_order = {"reference": paid.reference, "user": paid.user, "status": "cancelled", "price": 12}
    make_booking(show=show, seat_number=6, **of_order)
    assert states(show) == [("A5", "expected"), ("A6", "cancelled")]


@pytest.mark.parametrize("seats", [1, 3])
def test_the_list_takes_5_queries_for_1_and_3_bookings(door, show, seats, django_assert_num_queries):
    for number in range(seats):
        admit(make_booking(show=show, seat_number=1 + number), door)
    with django_assert_num_queries(5):
        assert door_list(show).admitted == seats


def test_recent_scans_are_listed_newest_first_and_the_last_admission_can_be_undone(door, show):
    first, second = (make_booking(show=show, seat_number=seat) for seat in (5, 6))
    admit(first, door, now=DOORS)
    undo(first, door, now=DOORS + MINUTE)
    admit(second, door, now=DOORS + 2 * MINUTE)
    recent = [(scan.seat_label, scan.check_in.action, scan.can_undo) for scan in read_recent_scans(show_id=show.pk)]
    assert recent == [("A6", "in", True), ("A5", "undo", False), ("A5", "in", False)]


def test_an_admission_by_two_devices_is_undone_twice(door, show):
    booking = make_booking(show=show, seat_number=5)
    can_undo = []
    for number, act in enumerate([admit, offline, undo, undo]):
        act(booking, door, now=DOORS + number * MINUTE)
        can_undo.append([scan.can_undo for scan in read_recent_scans(show_id=show.pk)])
    assert can_undo == [[True], [True, False], [True, False, False], [False] * 4]


@pytest.mark.parametrize("seats", [1, 3])
def test_recent_scans_take_3_queries(door, show, seats, django_assert_num_queries):
    for number in range(seats):
        admit(make_booking(show=show, seat_number=1 + number), door)
    with django_assert_num_queries(3):
        assert len([(one.seat_label, one.check_in.by.username) for one in read_recent_scans(show_id=show.pk)]) == seats


def test_the_shows_of_the_day_run_today_or_start_in_the_night_after_it(door):
    hour = timedelta(hours=1)
    # The first one runs past midnight, and the last one starts after it.
    today = [make_show(starts_at=STARTS_AT + hours * hour) for hours in (-19, 0, 8)]
    make_show(starts_at=STARTS_AT, cancelled_at=DOORS)
    for hours in (-24, 24):
        make_show(starts_at=STARTS_AT + hours * hour)
    assert [one.show for one in read_door_shows(now=DOORS)] == today


def test_the_shows_of_the_day_have_numbers_of_seats(door, show):
    booking = make_booking(show=show, seat_number=5)
    make_booking(show=show, seat_number=6)
    admit(booking, door)
    [listed] = read_door_shows(now=DOORS)
    assert (listed.show, listed.sold, listed.admitted, listed.opens_at) == (show, 2, 1, STARTS_AT - 45 * MINUTE)


@pytest.mark.parametrize("shows", [1, 3])
def test_the_shows_of_the_day_take_2_queries(door, shows, django_assert_num_queries):
    for _ in range(shows):
        admit(make_booking(show=make_show()), door)
    with django_assert_num_queries(2):
        assert [str(one.show) and one.admitted for one in read_door_shows(now=DOORS)] == [1] * shows
