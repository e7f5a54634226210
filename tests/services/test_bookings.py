"""The rules of booking and cancelling, each called directly with its own time."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from booking.models import REFERENCE_ALPHABET, Booking, Show, User
from booking.services import Busy, NotFound, book_seat, cancel_booking
from booking.services.seats.rules.limits import SeatLimitReached
from booking.services.seats.rules.sale import AlreadyCancelled, ShowCancelled, ShowStarted
from booking.services.seats.rules.seats import NoSuchSeat, SeatTaken, SoldOut
from tests.bookings import active_seats, commit_past_the_lock, refusal_of
from tests.factories import NOW, STARTS_AT, make_booking, make_show, make_user
from tests.races import at_once, with_short_timeout

MOMENT = timedelta(microseconds=1)


def book(user, show, seat_number=1, now=NOW):
    return book_seat(user=user, show_id=show.pk, seat_number=seat_number, now=now)


@contextmanager
def before_each_booking_is_saved(act):
    """Call `act` after the rules are checked and before the insert."""

    pending = [act]

    def intercept(execute, sql, params, many, context):
        if 'INSERT INTO "booking_booking"' in sql and pending:
            pending.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(intercept):
        yield


# --- Booking ----------------------------------------------------------------------------------


def test_a_booking_stores_its_request(user, show):
    booking = book(user, show, seat_number=7)
    booking.refresh_from_db()
    assert (booking.user, booking.show, booking.seat_number) == (user, show, 7)
    assert (booking.status, booking.created_at, booking.cancelled_at) == ("booked", NOW, None)


def test_a_booking_has_a_reference_of_8_unambiguous_characters(user, show):
    reference = book(user, show).reference
    assert len(reference) == 8
    assert set(reference) <= set(REFERENCE_ALPHABET)


def test_a_booking_is_returned_with_its_show_movie_and_screen(user, show, django_assert_num_queries):
    booking = book(user, show)
    with django_assert_num_queries(0):
        assert (booking.show.movie, booking.show.screen) == (show.movie, show.screen)


@pytest.mark.parametrize("seat_number", [1, 50])
def test_the_first_and_the_last_seat_can_be_booked(user, show, seat_number):
    book(user, show, seat_number)
    assert active_seats(show) == [seat_number]


@pytest.mark.parametrize("seat_number", [-1, 0, 51, 10**30, -(10**30)])
def test_a_seat_outside_the_hall_does_not_exist(user, show, seat_number):
    assert refusal_of(book, user, show, seat_number) == (NoSuchSeat, "no_such_seat", {})
    assert active_seats(show) == []


def test_a_refusal_of_an_unknown_seat_names_the_size_of_the_hall(user, show):
    with pytest.raises(NoSuchSeat, match="This show has seats 1 to 50"):
        book(user, show, 51)


def test_an_unknown_show_can_not_be_booked(user):
    call = {"user": user, "show_id": 10**9, "seat_number": 1, "now": NOW}
    assert refusal_of(book_seat, **call) == (NotFound, "not_found", {})


def test_a_booked_seat_is_taken(user, show):
    make_booking(show=show, seat_number=15)
    assert refusal_of(book, user, show, 15) == (SeatTaken, "seat_taken", {"seats": [15]})


def test_a_refusal_names_the_taken_seat_by_its_label(user, show):
    make_booking(show=show, seat_number=15)
    with pytest.raises(SeatTaken, match=r"^Seat B5 is already taken\.$"):
        book(user, show, 15)


def test_a_seat_that_the_customer_has_booked_is_taken(user, show):
    own = {"mine": True, "booking": book(user, show, 5).pk}
    assert refusal_of(book, user, show, 5) == (SeatTaken, "seat_taken", {"seats": [5], **own})


def test_the_same_seat_of_another_show_is_free(user, show):
    make_booking(show=make_show(), seat_number=5)
    book(user, show, 5)
    assert active_seats(show) == [5]


def test_a_show_without_a_free_seat_is_sold_out(user):
    show = make_show(total_seats=1)
    make_booking(show=show, seat_number=1)
    assert refusal_of(book, user, show) == (SoldOut, "sold_out", {})


def test_a_show_is_sold_out_only_without_any_free_seat(user):
    for total in range(1, 8):
        show = make_show(total_seats=total)
        bookings = [make_booking(show=show, seat_number=seat) for seat in range(1, total + 1)]
        assert refusal_of(book, user, show)[1] == "sold_out"
        for free in bookings[1:]:
            Booking.objects.filter(pk=free.pk).update(status="cancelled", cancelled_at=NOW)
            assert refusal_of(book, user, show)[1] == "seat_taken"
            Booking.objects.filter(pk=free.pk).update(status="booked", cancelled_at=None)


def test_the_last_free_seat_can_be_booked(user):
    show = make_show(total_seats=2)
    make_booking(show=show, seat_number=1)
    book(user, show, 2)
    assert active_seats(show) == [1, 2]


def test_a_cancelled_booking_does_not_count_towards_sold_out(user):
    show = make_show(total_seats=1)
    make_booking(show=show, status="cancelled")
    book(user, show)
    assert active_seats(show) == [1]


def test_a_show_can_be_booked_until_a_moment_before_it_starts(user, show):
    assert book(user, show, now=STARTS_AT - MOMENT).created_at == STARTS_AT - MOMENT


@pytest.mark.parametrize("later", [timedelta(0), MOMENT, timedelta(days=1)])
def test_a_show_can_not_be_booked_once_it_starts(user, show, later):
    assert refusal_of(book, user, show, now=STARTS_AT + later) == (ShowStarted, "show_started", {})
    assert active_seats(show) == []


def test_a_cancelled_show_can_not_be_booked(user):
    show = make_show(cancelled_at=NOW)
    assert refusal_of(book, user, show) == (ShowCancelled, "show_cancelled", {})


def test_a_customer_may_have_seats_up_to_the_limit(user, show, settings):
    settings.MAX_SEATS_PER_USER = 3
    for seat_number in (1, 2, 3):
        book(user, show, seat_number)
    assert refusal_of(book, user, show, 4) == (SeatLimitReached, "seat_limit_reached", {})
    assert active_seats(show) == [1, 2, 3]


def test_the_limit_is_10_seats_unless_set(user, show):
    for seat_number in range(1, 11):
        book(user, show, seat_number)
    assert refusal_of(book, user, show, 11) == (SeatLimitReached, "seat_limit_reached", {})


def test_the_limit_counts_only_seats_of_this_show(user, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    make_booking(user=user)
    book(user, show)
    assert active_seats(show) == [1]


def test_the_limit_does_not_count_cancelled_seats(user, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    make_booking(user=user, show=show, seat_number=2, status="cancelled")
    book(user, show)
    assert active_seats(show) == [1]


def test_the_limit_does_not_count_the_seats_of_other_customers(user, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    make_booking(show=show, seat_number=2)
    book(user, show)
    assert active_seats(show) == [1, 2]


def test_a_taken_seat_is_reported_before_the_seat_limit(user, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    make_booking(user=user, show=show, seat_number=1)
    make_booking(show=show, seat_number=2)
    assert refusal_of(book, user, show, 2) == (SeatTaken, "seat_taken", {"seats": [2]})


@pytest.mark.django_db(transaction=True)
def test_a_seat_booked_without_the_lock_is_taken(user, show):
    rival = make_user()

    def write():
        make_booking(user=rival, show=show, seat_number=5)

    with before_each_booking_is_saved(lambda: commit_past_the_lock(write)):
        assert refusal_of(book, user, show, 5) == (SeatTaken, "seat_taken", {"seats": [5]})
    assert [booking.user for booking in Booking.objects.all()] == [rival]


@pytest.mark.django_db(transaction=True)
def test_a_booking_of_a_deleted_user_is_refused_as_busy(show):
    with pytest.raises(Busy):
        book(User(pk=10**9), show)
    assert active_seats(show) == []


@pytest.mark.django_db(transaction=True)
def test_a_show_that_stays_locked_makes_the_service_busy(user, show):
    with transaction.atomic():
        Show.objects.select_for_update().get(pk=show.pk)
        refusals = at_once([lambda: with_short_timeout(refusal_of, book, user, show)])
    assert [refusal[1:] for refusal in refusals] == [("busy", {})]
    assert active_seats(show) == []


# --- Cancelling -------------------------------------------------------------------------------


def test_a_cancelled_booking_has_the_status_and_the_time(user):
    booking = make_booking(user=user)
    cancel_booking(booking_id=booking.pk, user=user, now=NOW)
    booking.refresh_from_db()
    assert (booking.status, booking.cancelled_at) == ("cancelled", NOW)


def test_cancelling_returns_the_changed_booking(user, django_assert_num_queries):
    made = make_booking(user=user)
    booking = cancel_booking(booking_id=made.pk, user=user, now=NOW)
    with django_assert_num_queries(0):
        assert (booking.pk, booking.status, booking.cancelled_at) == (made.pk, "cancelled", NOW)
        assert (booking.show.movie, booking.show.screen) == (made.show.movie, made.show.screen)


def test_cancelling_does_not_change_other_bookings(user, show):
    first, _second = (make_booking(user=user, show=show, seat_number=seat_number) for seat_number in (1, 2))
    cancel_booking(booking_id=first.pk, user=user, now=NOW)
    assert active_seats(show) == [2]


def test_a_booking_can_not_be_cancelled_twice(user):
    booking = make_booking(user=user)
    cancel_booking(booking_id=booking.pk, user=user, now=NOW)
    call = {"booking_id": booking.pk, "user": user, "now": NOW + MOMENT}
    assert refusal_of(cancel_booking, **call) == (AlreadyCancelled, "already_cancelled", {})
    booking.refresh_from_db()
    assert booking.cancelled_at == NOW


def test_a_booking_of_another_customer_is_not_found(user):
    booking = make_booking()
    call = {"booking_id": booking.pk, "user": user, "now": NOW}
    assert refusal_of(cancel_booking, **call) == (NotFound, "not_found", {})
    assert active_seats(booking.show) == [1]


def test_an_unknown_booking_is_not_found(user):
    call = {"booking_id": 10**9, "user": user, "now": NOW}
    assert refusal_of(cancel_booking, **call) == (NotFound, "not_found", {})


@pytest.mark.django_db
def test_staff_cancel_anybody_s_booking():
    booking = make_booking()
    assert cancel_booking(booking_id=booking.pk, now=NOW).status == "cancelled"


def test_a_booking_can_be_cancelled_until_a_moment_before_the_show_starts(user):
    booking = make_booking(user=user)
    assert cancel_booking(booking_id=booking.pk, user=user, now=STARTS_AT - MOMENT).status == "cancelled"


@pytest.mark.parametrize("later", [timedelta(0), MOMENT, timedelta(days=1)])
def test_a_booking_can_not_be_cancelled_once_the_show_starts(user, later):
    booking = make_booking(user=user)
    call = {"booking_id": booking.pk, "user": user, "now": STARTS_AT + later}
    assert refusal_of(cancel_booking, **call) == (ShowStarted, "show_started", {})
    assert active_seats(booking.show) == [1]


def test_a_seat_can_be_booked_and_cancelled_repeatedly(user, show):
    for turn in range(20):
        booking = book(user, show, 5, now=NOW + turn * MOMENT)
        assert active_seats(show) == [5]
        cancel_booking(booking_id=booking.pk, user=user, now=NOW + turn * MOMENT)
    assert active_seats(show) == []
    assert Booking.objects.filter(show=show, status="cancelled").count() == 20


def test_a_cancelled_seat_can_be_booked_by_another_customer(user, show):
    cancel_booking(booking_id=make_booking(show=show, seat_number=5).pk, now=NOW)
    assert book(user, show, 5).user == user


def test_a_cancelled_seat_does_not_count_towards_the_limit(user, show, settings):
    settings.MAX_SEATS_PER_USER = 1
    cancel_booking(booking_id=book(user, show, 1).pk, user=user, now=NOW)
    book(user, show, 2)
    assert active_seats(show) == [2]
