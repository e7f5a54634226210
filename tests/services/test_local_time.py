"""Local times on the nights when the clocks change, and shows that run through them."""

from datetime import timedelta, timezone
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from booking.models import Show
from booking.services import change_show, copy_show, find_offsets, offset_of, plan_show, read_local_time
from booking.services.programme.local_time import LocalTimeTwice, NoSuchLocalTime, find_clock_change
from booking.services.programme.shows import ShowEndsBeforeItStarts, ShowsOverlap
from tests.factories import NOW, make_movie, make_screen, make_show, make_user
from tests.nights import BACK, EVENINGS, FORWARD, at

LONG_AGO = NOW - timedelta(days=365)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SUMMER = at("2099-06-01 20:15")


# --- Reading a local time ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/London", 1), ("Australia/Sydney", 10), ("America/Santiago", -4), ("UTC", 0)]
)
def test_an_unambiguous_time_is_converted(settings, zone, hours):
    settings.TIME_ZONE = zone
    assert read_local_time(local=SUMMER) == SUMMER.replace(tzinfo=timezone.utc) - hours * HOUR
    assert read_local_time(local=SUMMER, offset="+05:00") == read_local_time(local=SUMMER)
    assert find_offsets(local=SUMMER) == []


@pytest.mark.parametrize(("zone", "local", "change"), FORWARD)
def test_a_time_that_does_not_exist_is_refused(settings, zone, local, change):
    settings.TIME_ZONE = zone
    with pytest.raises(NoSuchLocalTime) as refusal:
        read_local_time(local=local, offset="+00:00")
    named = f"{local:%H:%M} on Sunday {local.day} {local:%B} 2099"
    assert refusal.value.detail == f"{named} does not exist in {zone}: the clocks go forward from {change}."
    assert find_offsets(local=local) == []


@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
@pytest.mark.parametrize("offset", ["", "+05:00", "x"])
def test_an_ambiguous_time_needs_an_offset(settings, zone, local, offsets, change, offset):
    settings.TIME_ZONE = zone
    with pytest.raises(LocalTimeTwice) as refusal:
        read_local_time(local=local, offset=offset)
    assert f"comes twice in {zone}: the clocks go back from {change}. Choose UTC{offsets[0]}" in refusal.value.detail
    assert (refusal.value.offsets, find_offsets(local=local)) == (offsets, offsets)


@pytest.mark.parametrize(("zone", "local", "offsets", "change"), BACK)
def test_an_offset_chooses_one_of_two_times(settings, zone, local, offsets, change):
    settings.TIME_ZONE = zone
    first, second = (read_local_time(local=local, offset=offset) for offset in offsets)
    assert second - first == HOUR
    assert [offset_of(moment=moment) for moment in (first, second)] == offsets


def test_the_moments_before_and_after_a_gap_exist(settings):
    settings.TIME_ZONE = "Europe/London"
    before, after = (read_local_time(local=at(f"2099-03-29 {time}")) for time in ("00:59", "02:00"))
    assert after - before == MINUTE


def test_a_change_by_half_an_hour_is_reported(settings):
    settings.TIME_ZONE = "Australia/Lord_Howe"
    with pytest.raises(NoSuchLocalTime, match=r"forward from 02:00 to 02:30\.$"):
        read_local_time(local=at("2099-10-04 02:15"))


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_change_of_the_clocks_is_found(settings, zone, evening):
    settings.TIME_ZONE = zone
    begin = read_local_time(local=evening)
    forward = any(local.date() - evening.date() == timedelta(1) for where, local, _ in FORWARD if where == zone)
    assert find_clock_change(begin=begin, end=begin + 3 * HOUR) is None or zone == "America/Santiago"
    assert find_clock_change(begin=begin, end=begin + 40 * HOUR) == (HOUR if forward else -HOUR)


def test_there_is_no_change_between_equal_times():
    assert find_clock_change(begin=NOW, end=NOW - HOUR) is None


# --- Shows through the night ------------------------------------------------------------------


def local_start(zone, evening):
    """Return the local time in the cinema's zone, as Django's forms do."""
    return evening.replace(tzinfo=ZoneInfo(zone))


def length_of(show):
    starts_at, ends_at = Show.objects.values_list("starts_at", "ends_at").get(pk=show.pk)
    return ends_at - starts_at


@pytest.fixture
def movie(db):
    return make_movie(duration_minutes=452)


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_planned_show_lasts_as_long_as_its_movie(movie, settings, zone, evening):
    settings.TIME_ZONE = zone
    show = plan_show(movie=movie, screen=make_screen(), starts_at=local_start(zone, evening), now=LONG_AGO)
    assert (length_of(show), show.ends_at - show.starts_at) == (452 * MINUTE, 452 * MINUTE)


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_another_show_can_not_overlap_during_a_clock_change(movie, settings, zone, evening):
    settings.TIME_ZONE = zone
    screen, starts_at = make_screen(), local_start(zone, evening)
    show = plan_show(movie=movie, screen=screen, starts_at=starts_at, now=LONG_AGO)
    with pytest.raises(ShowsOverlap):
        plan_show(movie=movie, screen=screen, starts_at=show.ends_at - MINUTE, now=LONG_AGO)
    assert plan_show(movie=movie, screen=screen, starts_at=show.ends_at, now=LONG_AGO).pk


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_copied_show_keeps_its_length(movie, settings, zone, evening):
    settings.TIME_ZONE = zone
    show = make_show(movie=movie, ends_at=SUMMER.replace(tzinfo=timezone.utc), starts_at=NOW)
    [copy] = copy_show(show=show, starts=[local_start(zone, evening)], now=LONG_AGO)
    assert length_of(copy) == show.ends_at - show.starts_at


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_show_moved_to_a_clock_change_keeps_its_length(movie, settings, zone, evening):
    settings.TIME_ZONE = zone
    show = make_show(starts_at=NOW, ends_at=NOW + 452 * MINUTE)
    change_show(show_id=show.pk, changed_by=make_user(), now=LONG_AGO, starts_at=local_start(zone, evening))
    assert length_of(show) == 452 * MINUTE


@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_another_movie_sets_the_length_during_a_clock_change(movie, settings, zone, evening):
    settings.TIME_ZONE = zone
    show = make_show(starts_at=NOW, ends_at=NOW + HOUR)
    change_show(
        show_id=show.pk, changed_by=make_user(), now=LONG_AGO, movie=movie, starts_at=local_start(zone, evening)
    )
    assert length_of(show) == 452 * MINUTE


def test_an_end_in_the_repeated_hour_may_have_an_earlier_local_time(movie, settings):
    settings.TIME_ZONE = "Europe/London"
    starts_at = read_local_time(local=at("2099-10-25 01:45"), offset="+01:00")
    ends_at = read_local_time(local=at("2099-10-25 01:30"), offset="+00:00")
    plan = {"movie": movie, "screen": make_screen(), "now": LONG_AGO}
    assert length_of(plan_show(starts_at=starts_at, ends_at=ends_at, **plan)) == 45 * MINUTE
    zone = ZoneInfo("Europe/London")
    with pytest.raises(ShowEndsBeforeItStarts):
        plan_show(starts_at=ends_at.astimezone(zone), ends_at=starts_at.astimezone(zone), **plan)


# --- What the audit names ---------------------------------------------------------------------


def audit():
    out = StringIO()
    try:
        call_command("audit", stdout=out)
    except SystemExit:
        return out.getvalue().splitlines()[:-1]
    return []


def stored(zone, evening, minutes):
    starts_at = read_local_time(local=evening)
    movie = make_movie(duration_minutes=152)
    return make_show(movie=movie, starts_at=starts_at, ends_at=starts_at + minutes * MINUTE)


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [92, 212])
@pytest.mark.parametrize(("zone", "evening"), EVENINGS)
def test_a_show_that_is_an_hour_too_short_or_too_long_is_reported(settings, zone, evening, minutes):
    settings.TIME_ZONE = zone
    show = stored(zone, evening, minutes)
    assert audit() == [f"Show {show.pk}: lasts {minutes} minutes, its movie 152; the clocks change then"]


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [152, 167, 93, 211, 32])
def test_a_show_of_another_length_is_not_reported(settings, minutes):
    settings.TIME_ZONE = "Europe/London"
    stored(*EVENINGS[0], minutes)
    assert audit() == []


@pytest.mark.django_db
def test_an_hour_more_on_another_day_is_not_reported(settings):
    settings.TIME_ZONE = "Europe/London"
    stored("Europe/London", SUMMER, 212)
    make_show(movie=make_movie(duration_minutes=None))
    assert audit() == []
