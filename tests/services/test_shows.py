"""Planning, changing, cancelling and deleting shows, with an explicit time."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from booking.models import Booking, Screen, Show
from booking.services import (
    NotFound,
    Refusal,
    cancel_show,
    change_show,
    copy_show,
    delete_show,
    plan_show,
)
from booking.services.programme.shows import (
    MovieLengthUnknown,
    ShowEndsBeforeItStarts,
    ShowHasBookings,
    ShowInThePast,
    ShowsOverlap,
)
from booking.services.seats.rules.sale import ShowCancelled
from tests.factories import (
    NOW,
    STARTS_AT,
    make_booking,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_user,
    redraw,
)
from tests.races import at_once

MOMENT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ENDS_AT = STARTS_AT + 2 * HOUR


@pytest.fixture
def movie(db):
    return make_movie(duration_minutes=90)


@pytest.fixture
def screen(db):
    return make_screen(rows=4, seats_per_row=6)


def plan(movie, screen, starts_at=STARTS_AT, **fields):
    return plan_show(movie=movie, screen=screen, starts_at=starts_at, **({"now": NOW} | fields))


def change(show, **changes):
    return change_show(show_id=show.pk, **({"now": NOW, "changed_by": make_user()} | changes))


def refusal_of(call, *args, **kwargs):
    """Return class, code and field of the refusal of `call`."""
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return type(caught.value), caught.value.code, caught.value.field


def saved(show, *fields):
    """Return these fields of the stored show."""
    return Show.objects.values_list(*fields).get(pk=show.pk)


IN_THE_PAST = (ShowInThePast, "show_in_the_past", "starts_at")
ENDS_TOO_EARLY = (ShowEndsBeforeItStarts, "show_ends_before_it_starts", "ends_at")
OVERLAP = (ShowsOverlap, "shows_overlap", "starts_at")
LENGTH_UNKNOWN = (MovieLengthUnknown, "movie_length_unknown", "movie")
CANCELLED = (ShowCancelled, "show_cancelled", None)
NOT_THERE = (NotFound, "not_found", None)


def has_bookings(field=None):
    return ShowHasBookings, "show_has_bookings", field


# --- Planning ---------------------------------------------------------------------------------


def test_a_planned_show_takes_its_length_and_its_seats_from_movie_and_screen(movie, screen):
    show = plan(movie, screen)
    assert saved(show, "starts_at", "ends_at") == (STARTS_AT, STARTS_AT + timedelta(minutes=90))
    assert saved(show, "total_seats", "seats_per_row", "cancelled_at") == (24, 6, None)
    assert (show.movie, show.screen) == (movie, screen)


def test_given_values_are_not_replaced(movie, screen):
    screen.price_list, own = make_price_list(), make_price_list()
    show = plan(movie, screen, ends_at=STARTS_AT + HOUR, price_list=own)
    assert saved(show, "ends_at", "price_list") == (STARTS_AT + HOUR, own.pk)


def test_a_planned_show_has_the_screen_s_price_list(movie, screen):
    screen.price_list = make_price_list()
    assert saved(plan(movie, screen), "price_list") == (screen.price_list.pk,)


def test_a_planned_show_can_be_free_on_a_screen_with_prices(movie, screen):
    screen.price_list = make_price_list()
    assert saved(plan(movie, screen, is_free=True), "price_list") == (None,)


def test_changing_the_screen_later_does_not_change_the_show(movie, screen):
    show, before = plan(movie, screen), screen.plan
    redraw(screen, "SSS")
    assert saved(show, "plan", "total_seats") == (before.pk, 24)


def test_a_movie_of_unknown_length_can_not_be_planned(screen):
    movie = make_movie(duration_minutes=None)
    assert refusal_of(plan, movie, screen) == LENGTH_UNKNOWN
    assert Show.objects.count() == 0


def test_a_movie_of_unknown_length_can_be_planned_with_an_end(screen):
    show = plan(make_movie(duration_minutes=None), screen, ends_at=ENDS_AT)
    assert saved(show, "ends_at") == (ENDS_AT,)


@pytest.mark.parametrize("later", [timedelta(0), MOMENT, DAY])
def test_a_show_must_start_in_the_future(movie, screen, later):
    assert refusal_of(plan, movie, screen, now=STARTS_AT + later) == IN_THE_PAST
    assert Show.objects.count() == 0


def test_a_show_may_start_immediately_after_now(movie, screen):
    assert plan(movie, screen, now=STARTS_AT - MOMENT).pk


@pytest.mark.parametrize("lasts", [timedelta(0), -MOMENT, -DAY])
def test_a_show_must_end_after_it_starts(movie, screen, lasts):
    assert refusal_of(plan, movie, screen, ends_at=STARTS_AT + lasts) == ENDS_TOO_EARLY


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        (STARTS_AT, ENDS_AT),
        (STARTS_AT - HOUR, STARTS_AT + MOMENT),
        (ENDS_AT - MOMENT, ENDS_AT + HOUR),
        (STARTS_AT + HOUR, STARTS_AT + HOUR + MOMENT),
        (STARTS_AT - HOUR, ENDS_AT + HOUR),
    ],
    ids=["same time", "into its start", "into its end", "within", "around"],
)
def test_two_shows_can_not_overlap_on_one_screen(show, movie, starts_at, ends_at):
    assert refusal_of(plan, movie, show.screen, starts_at, ends_at=ends_at) == OVERLAP
    assert list(Show.objects.all()) == [show]


@pytest.mark.parametrize("starts_at", [STARTS_AT - 2 * HOUR, ENDS_AT])
def test_a_show_may_begin_as_another_ends(show, movie, starts_at):
    plan(movie, show.screen, starts_at, ends_at=starts_at + 2 * HOUR)
    assert Show.objects.filter(screen=show.screen).count() == 2


def test_two_shows_can_overlap_on_two_screens(show, movie, screen):
    assert plan(movie, screen).starts_at == show.starts_at


def test_a_cancelled_show_leaves_its_time_free(movie, screen):
    make_show(screen=screen, cancelled_at=NOW)
    assert plan(movie, screen).starts_at == STARTS_AT


def test_an_overlap_is_refused_with_the_other_show_and_its_end(movie, screen):
    make_show(screen=screen, movie=make_movie(title="Mulan"))
    with pytest.raises(ShowsOverlap, match=r"^Overlaps with Mulan, Mon 01 Jun 2099 18:00, .+, which ends at 20:00\.$"):
        plan(movie, screen)


@pytest.mark.django_db(transaction=True)
def test_a_time_requested_by_8_concurrently_is_planned_once(movie, screen):
    def try_to_plan():
        try:
            return plan(movie, screen) and "planned"
        except ShowsOverlap as refusal:
            return refusal.code

    assert Counter(at_once([try_to_plan] * 8)) == {"planned": 1, "shows_overlap": 7}
    assert Show.objects.count() == 1


def test_an_unknown_screen_can_not_be_planned(movie):
    assert refusal_of(plan, movie, Screen(pk=10**9, rows=1, seats_per_row=1)) == NOT_THERE


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("starts_at", [STARTS_AT - 109 * MINUTE, ENDS_AT + 19 * MINUTE])
def test_a_screen_s_turnaround_counts_before_and_after_a_show(movie, starts_at):
    show = make_show(starts_at=STARTS_AT, screen=make_screen(turnaround_minutes=20))
    with pytest.raises(ShowsOverlap, match=r"; the screen needs 20 minutes between shows\.$"):
        plan(movie, show.screen, starts_at)


@pytest.mark.parametrize("starts_at", [STARTS_AT - 110 * MINUTE, ENDS_AT + 20 * MINUTE])
def test_shows_follow_each_other_after_the_turnaround(movie, starts_at):
    show = make_show(starts_at=STARTS_AT, screen=make_screen(turnaround_minutes=20))
    plan(movie if starts_at > STARTS_AT else make_movie(duration_minutes=90), show.screen, starts_at)
    assert Show.objects.count() == 2


@pytest.mark.django_db
def test_the_database_has_no_negative_turnaround():
    with pytest.raises(IntegrityError, match="screen_turnaround_is_0_or_more"):
        make_screen(turnaround_minutes=-1)


# --- Copying ----------------------------------------------------------------------------------


def test_copies_have_the_movie_the_screen_and_the_length_of_the_original(movie, screen):
    original = plan(movie, screen, ends_at=STARTS_AT + HOUR)
    copies = copy_show(show=original, starts=[STARTS_AT + DAY, STARTS_AT + 2 * DAY], now=NOW)
    assert [saved(copy, "movie", "screen", "starts_at", "ends_at") for copy in copies] == [
        (movie.pk, screen.pk, STARTS_AT + days * DAY, STARTS_AT + days * DAY + HOUR) for days in (1, 2)
    ]


def test_copies_take_the_seats_that_the_screen_has_now(movie, screen):
    plan(movie, screen)
    redraw(screen, "SSS.SS")
    original = Show.objects.get()
    [copy] = copy_show(show=original, starts=[STARTS_AT + DAY], now=NOW)
    assert [saved(one, "total_seats", "seats_per_row") for one in (original, copy)] == [(24, 6), (5, 5)]


def test_copies_have_the_prices_of_the_original(movie, screen):
    original = plan(movie, screen, price_list=make_price_list())
    [copy] = copy_show(show=original, starts=[STARTS_AT + DAY], now=NOW)
    assert saved(copy, "price_list") == (original.price_list.pk,)


def test_copies_have_no_bookings_and_are_on_sale(movie, screen):
    original = make_booking(show=make_show(movie=movie, screen=screen, cancelled_at=NOW)).show
    [copy] = copy_show(show=original, starts=[STARTS_AT + DAY], now=NOW)
    assert (copy.bookings.count(), copy.cancelled_at) == (0, None)


def test_without_times_there_are_no_copies(show):
    assert copy_show(show=show, starts=[], now=NOW) == []


@pytest.mark.parametrize(
    ("starts", "refusal"),
    [
        ([STARTS_AT + DAY, STARTS_AT + HOUR], OVERLAP),
        ([STARTS_AT + DAY, STARTS_AT + DAY], OVERLAP),
        ([STARTS_AT + DAY, STARTS_AT + DAY + HOUR], OVERLAP),
        ([STARTS_AT + DAY, NOW], IN_THE_PAST),
    ],
    ids=["into the original", "twice", "into each other", "in the past"],
)
def test_all_copies_are_made_or_none(show, starts, refusal):
    assert refusal_of(copy_show, show=show, starts=starts, now=NOW) == refusal
    assert list(Show.objects.all()) == [show]


def test_copies_may_follow_each_other_without_a_break(show):
    copy_show(show=show, starts=[ENDS_AT, ENDS_AT + 2 * HOUR], now=NOW)
    assert Show.objects.count() == 3


# --- Changing ---------------------------------------------------------------------------------


def test_a_changed_show_is_returned_and_saved(show):
    prices = make_price_list()
    changed = change(show, price_list=prices)
    assert (changed.pk, changed.price_list, *saved(show, "price_list")) == (show.pk, prices, prices.pk)


def test_the_number_of_seats_is_not_an_argument(show):
    with pytest.raises(TypeError, match="total_seats"):
        change(show, total_seats=40)


def test_no_changes_change_nothing(show):
    before = Show.objects.values().get(pk=show.pk)
    change(show)
    assert Show.objects.values().get(pk=show.pk) == before


def test_a_moved_show_keeps_its_length(show):
    change(show, starts_at=STARTS_AT + DAY)
    assert saved(show, "starts_at", "ends_at") == (STARTS_AT + DAY, ENDS_AT + DAY)


def test_a_moved_show_takes_the_given_end(show):
    change(show, starts_at=STARTS_AT + DAY, ends_at=STARTS_AT + DAY + HOUR)
    assert saved(show, "starts_at", "ends_at") == (STARTS_AT + DAY, STARTS_AT + DAY + HOUR)


def test_another_movie_sets_the_length(show, movie):
    change(show, movie=movie)
    assert saved(show, "movie", "ends_at") == (movie.pk, STARTS_AT + timedelta(minutes=90))


def test_another_movie_takes_the_given_end(show, movie):
    change(show, movie=movie, ends_at=STARTS_AT + HOUR)
    assert saved(show, "movie", "ends_at") == (movie.pk, STARTS_AT + HOUR)


def test_another_movie_of_unknown_length_is_refused(show):
    assert refusal_of(change, show, movie=make_movie(duration_minutes=None)) == LENGTH_UNKNOWN


def test_another_screen_sets_the_seats(show, screen):
    change(show, screen=screen)
    assert saved(show, "screen", "total_seats", "seats_per_row") == (screen.pk, 24, 6)


def test_an_empty_end_is_computed_from_the_movie(movie, screen):
    show = plan(movie, screen, ends_at=STARTS_AT + 5 * HOUR)
    change(show, ends_at=None)
    assert saved(show, "ends_at") == (STARTS_AT + timedelta(minutes=90),)


def test_an_empty_end_is_computed_from_the_new_start_and_movie(show, movie):
    change(show, movie=movie, starts_at=STARTS_AT + DAY, ends_at=None)
    assert saved(show, "ends_at") == (STARTS_AT + DAY + timedelta(minutes=90),)


def test_a_changed_show_does_not_overlap_with_itself(show):
    change(show, starts_at=STARTS_AT + HOUR)
    assert saved(show, "starts_at") == (STARTS_AT + HOUR,)


@pytest.mark.parametrize(
    "changes",
    [{"starts_at": STARTS_AT - HOUR}, {"ends_at": ENDS_AT + 2 * HOUR + MOMENT}, {"starts_at": STARTS_AT + 3 * HOUR}],
)
def test_a_changed_show_can_not_overlap_another(show, changes):
    make_show(screen=show.screen, starts_at=STARTS_AT - 2 * HOUR)
    make_show(screen=show.screen, starts_at=ENDS_AT + 2 * HOUR)
    assert refusal_of(change, show, **changes) == OVERLAP
    assert saved(show, "starts_at", "ends_at") == (STARTS_AT, ENDS_AT)


def test_another_screen_must_be_free(show):
    other = make_show()
    assert refusal_of(change, show, screen=other.screen) == OVERLAP


def test_a_longer_movie_must_fit(show):
    make_show(screen=show.screen, starts_at=ENDS_AT)
    assert refusal_of(change, show, movie=make_movie(duration_minutes=121)) == OVERLAP


@pytest.mark.parametrize("starts_at", [NOW, NOW - DAY])
def test_a_show_can_not_be_moved_into_the_past(show, starts_at):
    assert refusal_of(change, show, starts_at=starts_at) == IN_THE_PAST
    assert saved(show, "starts_at") == (STARTS_AT,)


def test_a_show_that_has_started_can_be_made_longer(show):
    change(show, ends_at=ENDS_AT + HOUR, now=STARTS_AT + HOUR)
    assert saved(show, "ends_at") == (ENDS_AT + HOUR,)


@pytest.mark.parametrize("lasts", [timedelta(0), -HOUR])
def test_a_changed_show_must_end_after_it_starts(show, lasts):
    assert refusal_of(change, show, ends_at=STARTS_AT + lasts) == ENDS_TOO_EARLY


def test_a_cancelled_show_can_not_be_changed(db):
    assert refusal_of(change, make_show(cancelled_at=NOW), ends_at=ENDS_AT) == CANCELLED


def test_an_unknown_show_can_not_be_changed(db):
    assert refusal_of(change_show, show_id=10**9, changed_by=make_user(), now=NOW, ends_at=ENDS_AT) == NOT_THERE


# --- What bookings fix ------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["movie", "screen"])
def test_a_show_with_a_sold_seat_keeps_movie_and_screen(show, movie, screen, field):
    make_booking(show=show)
    before = Show.objects.values().get(pk=show.pk)
    value = {"movie": movie, "screen": screen}[field]
    assert refusal_of(change, show, **{field: value}) == has_bookings(field)
    assert Show.objects.values().get(pk=show.pk) == before


def test_unchanged_values_are_accepted(show):
    make_booking(show=show)
    change(show, movie=show.movie, screen=show.screen, price_list=None, starts_at=STARTS_AT + DAY)
    assert saved(show, "starts_at") == (STARTS_AT + DAY,)


def test_a_show_with_a_cancelled_booking_keeps_its_movie(show, movie):
    make_booking(show=show, seat_number=50, status="cancelled")
    assert refusal_of(change, show, movie=movie) == has_bookings("movie")


def test_another_price_list_changes_no_price_of_a_sold_seat(show):
    booking = make_booking(show=show, price=Decimal("12.5"))
    change(show, price_list=make_price_list())
    booking.refresh_from_db()
    assert booking.price == Decimal("12.5")


@pytest.mark.parametrize("name", ["starts_at", "movie"])
def test_a_show_that_has_started_keeps_its_time_and_movie(show, movie, name):
    changes = {"starts_at": STARTS_AT + DAY, "movie": movie}
    with pytest.raises(Refusal) as refusal:
        change_show(show_id=show.pk, changed_by=make_user(), now=STARTS_AT, **{name: changes[name]})
    assert refusal.value.code == "show_started"


def test_a_show_that_is_over_can_not_be_cancelled(show):
    with pytest.raises(Refusal) as refusal:
        cancel_show(show_id=show.pk, now=show.ends_at)
    assert refusal.value.code == "show_over"


def test_a_show_in_the_far_future_is_refused(movie, screen):
    starts_at = STARTS_AT.replace(year=9999, month=12, day=31, hour=23, minute=30)
    with pytest.raises(Refusal) as refusal:
        plan_show(movie=movie, screen=screen, starts_at=starts_at, now=NOW)
    assert refusal.value.code == "show_too_far_ahead"


def test_a_show_with_bookings_can_be_moved(show):
    make_booking(show=show)
    change(show, starts_at=STARTS_AT + DAY)
    assert saved(show, "starts_at") == (STARTS_AT + DAY,)


# --- Cancelling -------------------------------------------------------------------------------


def test_a_cancelled_show_has_the_time_of_its_cancellation(show):
    cancel_show(show_id=show.pk, now=NOW)
    assert saved(show, "cancelled_at") == (NOW,)


def test_cancelling_a_show_cancels_each_active_booking(show):
    for seat_number in (1, 2, 3):
        make_booking(show=show, seat_number=seat_number)
    assert cancel_show(show_id=show.pk, now=NOW) == 3
    assert set(Booking.objects.values_list("status", "cancelled_at")) == {("cancelled", NOW)}


def test_cancelling_does_not_change_cancelled_bookings(show):
    booking = make_booking(show=show, status="cancelled", cancelled_at=NOW - DAY)
    assert cancel_show(show_id=show.pk, now=NOW) == 0
    booking.refresh_from_db()
    assert booking.cancelled_at == NOW - DAY


def test_cancelling_does_not_change_bookings_of_other_shows(show):
    booking = make_booking()
    assert cancel_show(show_id=show.pk, now=NOW) == 0
    booking.refresh_from_db()
    assert booking.status == "booked"


def test_a_show_can_not_be_cancelled_twice(show):
    cancel_show(show_id=show.pk, now=NOW)
    assert refusal_of(cancel_show, show_id=show.pk, now=NOW + DAY) == CANCELLED
    assert saved(show, "cancelled_at") == (NOW,)


def test_an_unknown_show_can_not_be_cancelled(db):
    assert refusal_of(cancel_show, show_id=10**9, now=NOW) == NOT_THERE


# --- Deleting ---------------------------------------------------------------------------------


def test_a_show_that_was_never_booked_can_be_deleted(show):
    delete_show(show_id=show.pk, now=NOW)
    assert Show.objects.count() == 0


@pytest.mark.parametrize("status", ["booked", "cancelled"])
def test_a_show_that_was_ever_booked_can_not_be_deleted(show, status):
    make_booking(show=show, status=status)
    assert refusal_of(delete_show, show_id=show.pk, now=NOW) == has_bookings()
    assert list(Show.objects.all()) == [show]


def test_an_unknown_show_can_not_be_deleted(db):
    assert refusal_of(delete_show, show_id=10**9, now=NOW) == NOT_THERE
