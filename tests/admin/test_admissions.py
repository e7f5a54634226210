"""The report on admissions and no-shows."""

from datetime import datetime, timedelta, timezone

import pytest

from tests.door import make_door_staff, offline, undo
from tests.factories import make_booking, make_movie, make_screen, make_show
from tests.staff import staff_with

PAGE = "/admin/booking/booking/admissions/"
START = datetime(2024, 6, 1, 18, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
PERIOD = {"first_day": "2024-06-01", "last_day": "2024-06-01"}


@pytest.fixture
def show(db):
    return make_show(starts_at=START, movie=make_movie(title="Alien"), screen=make_screen(name="Big"))


def came(show, door, *minutes_before):
    """Sells a seat for each number and admits it that number of minutes before the start."""
    first = show.bookings.count()
    for number, minutes in enumerate(minutes_before, first + 1):
        booking = make_booking(show=show, seat_number=number, created_at=START - timedelta(days=1))
        offline(booking, door, scanned_at=START - minutes * MINUTE, now=START)
    return booking


def lines(client, table, **period):
    answer = client.get(f"{PAGE}{table}.csv", PERIOD | period)
    return answer.content.decode().removeprefix("\ufeff").splitlines()[1:]


def test_admissions_and_no_shows_are_counted_by_show(staff, show):
    undo(came(show, make_door_staff(), 30, 20, 5), make_door_staff(username="other"), now=START)
    make_booking(show=show, seat_number=9)
    make_booking(show=show, seat_number=10, status="cancelled")
    assert lines(staff, "shows") == ["2024-06-01,18:00,Alien,Big,4,2,2"]


def test_admissions_are_counted_by_quarter_of_the_local_hour(staff, show, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    came(show, make_door_staff(), 30, 16, 15, 1)
    assert lines(staff, "quarters") == ["19:30,2", "19:45,2"]


def test_a_seat_that_two_doors_admitted_counts_once(staff, show):
    door = make_door_staff()
    booking = came(show, door, 20)
    offline(booking, door, scanned_at=START - 10 * MINUTE, now=START)
    assert (lines(staff, "shows"), lines(staff, "quarters")) == (["2024-06-01,18:00,Alien,Big,1,1,0"], ["17:45,1"])


def test_shows_of_other_days_cancelled_ones_and_upcoming_ones_do_not_count(staff, show):
    make_show(starts_at=START, cancelled_at=START)
    make_show(starts_at=START + timedelta(days=1))
    assert lines(staff, "shows") == ["2024-06-01,18:00,Alien,Big,0,0,0"]
    make_show()
    assert lines(staff, "shows", first_day="2099-06-01", last_day="2099-06-01") == []


def test_the_page_shows_both_tables(staff, show):
    came(show, make_door_staff(), 30)
    text = staff.get(PAGE, PERIOD).content.decode()
    assert ('<th scope="row" class="times">17:30</th>' in text, "<td>Alien</td>" in text) == (True, True)


def test_a_period_that_ends_before_it_begins_has_no_report(staff, db):
    answer = staff.get(PAGE, {"first_day": "2024-06-02", "last_day": "2024-06-01"})
    assert (answer.status_code, answer.context["report"]) == (200, None)


def test_many_shows_have_pages(staff, show):
    for number in range(50):
        make_show(starts_at=START + number * MINUTE, movie=show.movie, screen=show.screen)
    assert "Page 1 of 2" in staff.get(PAGE, PERIOD).content.decode()
    assert staff.get(PAGE, PERIOD | {"page": 2}).context["page"].number == 2


def test_an_unknown_table_is_not_found(staff, db):
    assert staff.get(f"{PAGE}movies.csv").status_code == 404


def test_staff_who_may_not_view_bookings_see_no_admissions(db):
    assert staff_with("view_show").get(PAGE).status_code == 403


@pytest.mark.parametrize("seats", [1, 3])
def test_the_page_takes_the_same_queries_for_1_and_3_seats(staff, show, seats, django_assert_num_queries):
    came(show, make_door_staff(), *range(1, 1 + seats))
    # Session, user, admissions by show, shows, admissions by quarter.
    with django_assert_num_queries(5):
        staff.get(PAGE, PERIOD)
