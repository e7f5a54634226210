"""The constraints of the database, tested without the services."""

from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from booking.models import (
    Booking,
    CatalogueVersion,
    IdempotencyKey,
    Movie,
    MovieUpload,
    Screen,
    Show,
    User,
)
from tests.factories import (
    NOW,
    STARTS_AT,
    make_block,
    make_booking,
    make_hold,
    make_movie,
    make_screen,
    make_show,
    make_user,
)

MOMENT = timedelta(microseconds=1)


@contextmanager
def refused_by(constraint):
    """Assert that the database refuses, by that constraint if it reports the name."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    if connection.vendor == "postgresql":
        assert f'"{constraint}"' in str(caught.value)


# --- Bookings ---------------------------------------------------------------------------------


def test_a_seat_has_one_active_booking(show):
    make_booking(show=show, seat_number=5)
    with refused_by("one_active_booking_per_show_and_seat"):
        make_booking(show=show, seat_number=5)


def test_a_cancelled_booking_of_a_sold_seat_can_not_become_active(show):
    cancelled = make_booking(show=show, seat_number=5, status="cancelled")
    make_booking(show=show, seat_number=5)
    with refused_by("one_active_booking_per_show_and_seat"):
        Booking.objects.filter(pk=cancelled.pk).update(status="booked", cancelled_at=None)


def test_a_seat_may_have_cancelled_bookings_besides_an_active_one(show):
    for status in ("cancelled", "cancelled", "booked"):
        make_booking(show=show, seat_number=5, status=status)
    assert show.bookings.count() == 3


def test_one_seat_number_may_be_active_in_two_shows(show):
    make_booking(show=show, seat_number=5)
    assert make_booking(show=make_show(), seat_number=5).is_active(NOW)


def test_a_booking_can_not_be_moved_to_a_taken_seat(show):
    make_booking(show=show, seat_number=5)
    other = make_booking(show=show, seat_number=6)
    with refused_by("one_active_booking_per_show_and_seat"):
        Booking.objects.filter(pk=other.pk).update(seat_number=5)


def test_a_seat_number_is_at_least_1(show):
    with refused_by("booking_seat_is_1_or_more"):
        make_booking(show=show, seat_number=0)


@pytest.mark.parametrize(("status", "cancelled_at"), [("cancelled", None), ("booked", NOW)])
def test_a_booking_is_cancelled_exactly_when_it_has_a_time(show, status, cancelled_at):
    with refused_by("booking_is_cancelled_exactly_when_it_has_a_time"):
        make_booking(show=show, status=status, cancelled_at=cancelled_at)


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
@pytest.mark.parametrize("then", [make_booking, make_hold, make_block])
def test_a_seat_is_booked_held_or_blocked_once(show, make, then):
    make(show=show, seat_number=5)
    with refused_by("one_active_booking_per_show_and_seat"):
        then(show=show, seat_number=5)


def test_an_expired_hold_occupies_its_seat_until_it_is_cancelled(show):
    hold = make_hold(show=show, seat_number=5, expires_at=NOW - MOMENT)
    with refused_by("one_active_booking_per_show_and_seat"):
        make_booking(show=show, seat_number=5)
    Booking.objects.filter(pk=hold.pk).update(status="cancelled", cancelled_at=NOW)
    make_booking(show=show, seat_number=5)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "held", "expires_at": None, "held_since": NOW},
        {"status": "held", "expires_at": NOW, "held_since": None},
        {"status": "held"},
        {"status": "booked", "expires_at": NOW},
    ],
)
def test_a_booking_expires_exactly_while_it_is_held(show, fields):
    with refused_by("booking_expires_exactly_while_it_is_held"):
        make_booking(show=show, **fields)


def test_a_blocked_seat_does_not_expire(show):
    with refused_by("booking_expires_exactly_while_it_is_held"):
        make_block(show=show, expires_at=NOW)


@pytest.mark.parametrize("status", ["booked", "cancelled"])
def test_a_booking_that_was_held_may_have_held_since(show, status):
    assert make_booking(show=show, status=status, held_since=NOW).held_since == NOW


def test_a_blocked_seat_has_no_customer(show, user):
    with refused_by("blocked_seat_has_no_customer"):
        make_block(show=show, user=user)


@pytest.mark.parametrize("make", [make_hold, make_block])
def test_a_held_or_blocked_seat_has_no_time_of_cancellation(show, make):
    with refused_by("booking_is_cancelled_exactly_when_it_has_a_time"):
        make(show=show, cancelled_at=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["user", "show"])
def test_rows_with_bookings_can_not_be_deleted(part):
    booking = make_booking()
    with pytest.raises(ProtectedError):
        getattr(booking, part).delete()


# --- Shows ------------------------------------------------------------------------------------


def test_a_show_has_at_least_a_seat(show):
    with refused_by("show_has_a_seat_or_more"):
        Show.objects.filter(pk=show.pk).update(total_seats=0)


def test_a_show_s_row_has_at_least_a_seat(show):
    with refused_by("show_row_has_a_seat_or_more"):
        Show.objects.filter(pk=show.pk).update(seats_per_row=0)


@pytest.mark.parametrize("ends_at", [STARTS_AT, STARTS_AT - MOMENT, NOW])
def test_a_show_ends_after_it_starts(show, ends_at):
    with refused_by("show_ends_after_it_starts"):
        Show.objects.filter(pk=show.pk).update(ends_at=ends_at)


def test_a_show_may_end_a_moment_after_it_starts(show):
    assert Show.objects.filter(pk=show.pk).update(ends_at=STARTS_AT + MOMENT) == 1


@pytest.mark.parametrize("part", ["movie", "screen"])
def test_rows_with_shows_can_not_be_deleted(show, part):
    with pytest.raises(ProtectedError):
        getattr(show, part).delete()


# --- Movies and screens -----------------------------------------------------------------------


@pytest.mark.django_db
def test_a_movie_lasts_at_least_a_minute():
    with refused_by("movie_lasts_a_minute_or_more"):
        make_movie(duration_minutes=0)


@pytest.mark.django_db
@pytest.mark.parametrize("duration", [None, 1])
def test_a_movie_may_last_a_minute_or_have_no_known_length(duration):
    assert make_movie(duration_minutes=duration).pk


@pytest.mark.django_db
def test_a_title_and_release_date_belong_to_one_movie():
    Movie.objects.create(title="Mulan", release_date=date(1998, 6, 12))
    with refused_by("unique_movie_per_title_and_release_date"):
        Movie.objects.create(title="Mulan", release_date=date(1998, 6, 12))


@pytest.mark.django_db
def test_a_title_without_release_date_belongs_to_one_movie():
    Movie.objects.create(title="Mulan")
    with refused_by("unique_title_among_movies_without_release_date"):
        Movie.objects.create(title="Mulan")


@pytest.mark.django_db
def test_one_title_may_have_several_release_dates():
    for release_date in (date(1998, 6, 12), date(2020, 9, 4), None):
        Movie.objects.create(title="Mulan", release_date=release_date)
    assert Movie.objects.filter(title="Mulan").count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "constraint"),
    [({"rows": 0}, "screen_has_a_row_or_more"), ({"seats_per_row": 0}, "screen_row_has_a_seat_or_more")],
)
def test_a_screen_has_at_least_a_seat(fields, constraint):
    with refused_by(constraint):
        Screen.objects.create(**({"name": "One", "rows": 1, "seats_per_row": 1} | fields))


@pytest.mark.django_db
def test_a_screen_s_name_is_unique():
    make_screen(name="One")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_screen(name="One")


@pytest.mark.django_db
def test_a_screen_has_rows_times_places():
    assert make_screen(rows=4, seats_per_row=6).total_seats == 24


# --- Users ------------------------------------------------------------------------------------


@pytest.mark.parametrize("username", ["Esha", "ESHA", "esHa"])
def test_usernames_differ_in_more_than_case(user, username):
    with refused_by("unique_username_ignoring_case"):
        User.objects.create(username=username)


def test_a_user_can_not_be_renamed_to_another_s_name_in_capitals(user):
    other = make_user(username="asha")
    with refused_by("unique_username_ignoring_case"):
        User.objects.filter(pk=other.pk).update(username="ESHA")


@pytest.mark.parametrize("username", ["esha", "Esha", "ESHA"])
def test_a_user_is_found_by_username_in_any_case(user, username):
    assert User.objects.get_by_natural_key(username) == user


@pytest.mark.parametrize("username", ["", None, "esh", "esha ", "e_ha", "%"])
def test_an_account_is_not_found_by_another_name(user, username):
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(username)


# --- Predicates, querysets and names ----------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "started"), [(STARTS_AT - MOMENT, False), (STARTS_AT, True), (STARTS_AT + MOMENT, True)]
)
def test_a_show_has_started_from_its_first_moment(show, now, started):
    assert show.has_started(now) is started


@pytest.mark.parametrize(("seat_number", "there"), [(0, False), (1, True), (50, True), (51, False)])
def test_a_show_has_the_seats_from_1_to_its_total(show, seat_number, there):
    assert show.has_seat(seat_number) is there


def test_a_movie_s_upcoming_shows_are_counted(show):
    make_show(movie=show.movie, starts_at=NOW)
    make_show(movie=show.movie, cancelled_at=NOW)
    idle = make_movie(title="Zodiac")
    counts = Movie.objects.with_upcoming_shows(NOW).values_list("pk", "upcoming_shows")
    assert dict(counts) == {show.movie_id: 1, idle.pk: 0}


def test_seats_sold_are_the_active_ones_of_each_show(show):
    make_booking(show=show, seat_number=1)
    make_booking(show=show, seat_number=2, status="cancelled")
    other = make_show(starts_at=STARTS_AT + MOMENT)
    counts = Show.objects.with_seats_sold().with_seats_available(NOW).values_list("pk", "seats_sold", "seats_available")
    assert list(counts) == [(show.pk, 1, 49), (other.pk, 0, 50)]


def test_a_booking_is_active_until_its_hold_expires(show, user):
    rows = [
        make_booking(show=show, seat_number=1),
        make_hold(show=show, seat_number=2, expires_at=NOW + MOMENT),
        make_hold(show=show, seat_number=3, expires_at=NOW),
        make_block(show=show, seat_number=4),
        make_booking(show=show, seat_number=5, status="cancelled"),
    ]
    by_hand = [row.seat_number for row in rows if row.is_active(NOW)]
    by_query = list(Booking.objects.active(NOW).order_by("seat_number").values_list("seat_number", flat=True))
    assert (by_hand, by_query) == ([1, 2, 4], [1, 2, 4])
    assert [row.seat_number for row in rows if row.has_expired(NOW)] == [3]
    assert list(Booking.objects.expired(NOW)) == [rows[2]]


def test_a_hold_belongs_to_its_customer_until_it_expires(show, user):
    hold = make_hold(show=show, user=user, expires_at=NOW)
    booking = make_booking(show=show, user=user, seat_number=2)
    assert [hold.is_hold_of(user, NOW - MOMENT), hold.is_hold_of(make_user(), NOW - MOMENT)] == [True, False]
    assert [hold.is_hold_of(user, NOW), booking.is_hold_of(user, NOW)] == [False, False]


@pytest.mark.parametrize(("release_date", "name"), [(date(1998, 6, 12), "Mulan (1998)"), (None, "Mulan")])
def test_a_movie_is_named_by_its_title_and_year(release_date, name):
    assert str(Movie(title="Mulan", release_date=release_date)) == name


def test_a_screen_is_named_by_its_name():
    assert str(Screen(name="Screen 1")) == "Screen 1"


@pytest.mark.parametrize(("zone", "when"), [("UTC", "Mon 01 Jun 2099 18:00"), ("Asia/Tokyo", "Tue 02 Jun 2099 03:00")])
def test_a_show_is_named_by_its_movie_local_time_and_screen(settings, zone, when):
    settings.TIME_ZONE = zone
    show = Show(movie=Movie(title="Mulan"), screen=Screen(name="Screen 1"), starts_at=STARTS_AT)
    assert str(show) == f"Mulan, {when}, Screen 1"


def test_a_booking_is_named_by_its_reference_and_seat():
    assert (
        str(Booking(reference="ACDEFGHJ", show=Show(total_seats=50, seats_per_row=10), seat_number=15)) == "ACDEFGHJ B5"
    )


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_bookkeeping_rows_have_names():
    key, version = IdempotencyKey(key="abc"), CatalogueVersion(table="movie", number=3)
    assert (str(key), str(version), str(MovieUpload(name="movies.csv"))) == ("abc", "movie 3", "movies.csv")
