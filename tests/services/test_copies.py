"""Copying the shows of a day or a week."""

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from booking.models import Show
from booking.services import add_copies, preview_copies
from booking.services.programme import copies
from booking.services.programme.copies import CopiesChanged, TooManyCopies
from booking.services.programme.local_time import NoSuchLocalTime
from booking.services.programme.shows import ShowInThePast, ShowsOverlap
from tests.factories import NOW, make_booking, make_movie, make_price_list, make_screen, make_show

pytestmark = pytest.mark.django_db
DAY = date(2099, 6, 1)
NEXT_DAY = date(2099, 6, 2)
HOUR = timedelta(hours=1)


def at(hour, minute=0, day=DAY, zone=timezone.utc):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(timezone.utc)


def period(**fields):
    return {"first_day": DAY, "days": 1, "to": NEXT_DAY, "rounds": 1, "now": NOW} | fields


def preview(**fields):
    return [(copy.local_start, type(copy.refusal)) for copy in preview_copies(**period(**fields))]


def keys(**fields):
    return [copy.key for copy in preview_copies(**period(**fields))]


def add(chosen=None, **fields):
    return add_copies(keys=keys(**fields) if chosen is None else chosen, **period(**fields))


def test_a_copy_has_the_length_of_its_show_and_the_seats_of_its_screen():
    screen = make_screen(rows=3, seats_per_row=4)
    show = make_show(starts_at=at(14), ends_at=at(15), screen=screen, total_seats=50)
    [copy] = add()
    assert (copy.movie, copy.screen, copy.starts_at, copy.ends_at) == (
        show.movie,
        screen,
        at(14, day=NEXT_DAY),
        at(15, day=NEXT_DAY),
    )
    assert (copy.total_seats, copy.seats_per_row) == (12, 4)


def test_a_copy_has_the_prices_of_its_show_and_not_those_of_its_screen():
    prices = make_price_list()
    make_show(starts_at=at(14), price_list=prices)
    make_show(starts_at=at(18), screen=make_screen(price_list=make_price_list()))
    assert [copy.price_list for copy in add()] == [prices, None]


def test_a_preview_saves_nothing():
    make_show(starts_at=at(14))
    assert preview() == [(datetime(2099, 6, 2, 14), type(None))]  # noqa: DTZ001
    assert Show.objects.count() == 1


def test_shows_of_other_days_and_cancelled_ones_are_not_copied():
    make_show(starts_at=at(0) - HOUR)
    make_show(starts_at=at(0, day=NEXT_DAY))
    make_show(starts_at=at(14), cancelled_at=NOW)
    assert preview() == []


def test_a_week_is_copied_week_after_week():
    make_show(starts_at=at(14))
    make_show(starts_at=at(20, day=date(2099, 6, 7)))
    added = add(days=7, to=date(2099, 6, 8), rounds=2)
    assert [show.starts_at for show in added] == [
        at(14, day=date(2099, 6, 8)),
        at(20, day=date(2099, 6, 14)),
        at(14, day=date(2099, 6, 15)),
        at(20, day=date(2099, 6, 21)),
    ]


def test_a_preview_has_the_refusal_of_each_copy():
    screen = make_screen(turnaround_minutes=15)
    make_show(starts_at=at(14), screen=screen)
    make_show(starts_at=at(18), screen=screen)
    make_show(starts_at=at(20, 10, NEXT_DAY), screen=screen)
    assert [refusal for _, refusal in preview()] == [type(None), ShowsOverlap]


def test_copies_that_overlap_each_other_are_found():
    screen = make_screen()
    make_show(starts_at=at(14), screen=screen)
    make_show(starts_at=at(16), screen=screen)
    screen.turnaround_minutes = 20
    screen.save()
    assert [refusal for _, refusal in preview()] == [type(None), ShowsOverlap]


def test_a_copy_to_the_past_is_refused():
    make_show(starts_at=at(14))
    assert [refusal for _, refusal in preview(to=date(2020, 1, 1))] == [ShowInThePast]


def test_only_the_chosen_copies_are_added():
    screen = make_screen()
    make_show(starts_at=at(14), screen=screen)
    late = make_show(starts_at=at(18), screen=screen)
    [copy] = add(keys()[1:])
    assert copy.movie == late.movie


def test_all_or_none_are_added():
    screen = make_screen()
    make_show(starts_at=at(14), screen=screen)
    make_show(starts_at=at(18), screen=screen)
    chosen = keys()
    make_show(starts_at=at(18, day=NEXT_DAY), screen=screen)
    with pytest.raises(ShowsOverlap):
        add(chosen)
    assert Show.objects.count() == 3


def test_a_show_that_moved_since_the_preview_is_not_copied():
    show = make_show(starts_at=at(14))
    chosen = keys()
    Show.objects.filter(pk=show.pk).update(starts_at=at(15), ends_at=at(17))
    with pytest.raises(CopiesChanged):
        add(chosen)


def test_too_many_copies_are_refused(monkeypatch):
    monkeypatch.setattr(copies, "MAX_COPIES", 2)
    make_show(starts_at=at(14))
    with pytest.raises(TooManyCopies, match="These would be 3 shows"):
        preview(rounds=3)


def test_bookings_are_not_copied():
    make_booking(show=make_show(starts_at=at(14)))
    [copy] = add()
    assert copy.bookings.count() == 0


# --- Clock changes ---

LONDON = ZoneInfo("Europe/London")
LAST_OF_SUMMER = date(2026, 10, 24)


@pytest.fixture
def london(settings):
    settings.TIME_ZONE = "Europe/London"


def test_a_copy_has_the_local_time_of_its_show_after_a_clock_change(london):
    make_show(starts_at=at(20, 0, LAST_OF_SUMMER, LONDON), movie=make_movie())
    [copy] = add(first_day=LAST_OF_SUMMER, to=date(2026, 10, 25), now=at(9, 0, LAST_OF_SUMMER))
    assert (copy.starts_at, copy.ends_at - copy.starts_at) == (at(20, 0, date(2026, 10, 25)), 2 * HOUR)


def test_a_copy_at_an_ambiguous_time_keeps_the_offset(london):
    make_show(starts_at=at(1, 30, LAST_OF_SUMMER, LONDON))
    [copy] = add(first_day=LAST_OF_SUMMER, to=date(2026, 10, 25), now=at(0, 0, LAST_OF_SUMMER))
    assert copy.starts_at == at(0, 30, date(2026, 10, 25))


def test_a_time_that_does_not_exist_is_refused_in_the_preview(london):
    before = date(2027, 3, 27)
    make_show(starts_at=at(1, 30, before, LONDON))
    assert [refusal for _, refusal in preview(first_day=before, to=date(2027, 3, 28), now=at(0, 0, before))] == [
        NoSuchLocalTime
    ]
