"""Moving a booking to another seat, called directly with a time of its own."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from booking.models import Booking
from booking.services import Busy, NotFound, Receipt, Replay, call_off_show, move_booking
from booking.services.bookings import AlreadyCancelled, NotBooked
from booking.services.claims import NoSuchSeat, SeatTaken, ShowStarted, SoldOut
from booking.services.receipts import IdempotencyKeyReused
from tests.factories import NOW, STARTS_AT, make_block, make_booking, make_hold, make_show, make_user
from tests.test_booking_services import commit_past_the_lock, live_seats, refusal_of

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def booking(user, show):
    """The user's booking of seat 5."""
    return make_booking(user=user, show=show, seat_number=5)


def move(user, booking, seat_number=8, now=NOW, receipt=None):
    return move_booking(user=user, booking_id=booking.pk, seat_number=seat_number, now=now, receipt=receipt)


def on_seats(show):
    """Each seat that a row is on, with the row's id."""
    rows = Booking.objects.on_a_seat().filter(show=show).order_by("seat_number")
    return list(rows.values_list("seat_number", "pk"))


@contextmanager
def at_statements(acts):
    """Calls each of `acts` before the next statement that begins with its text."""
    pending = list(acts)

    def intercept(execute, sql, params, many, context):
        if pending and sql.startswith(pending[0][0]):
            pending.pop(0)[1]()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(intercept):
        yield pending


def test_a_moved_booking_is_the_same_one_on_another_seat(user, booking):
    move(user, booking)
    before = Booking.objects.filter(pk=booking.pk).values().get()
    booking.seat_number = 8
    assert {name: getattr(booking, name) for name in before} == before


def test_moving_returns_the_booking_as_it_is_now(user, booking, django_assert_num_queries):
    moved = move(user, booking)
    with django_assert_num_queries(0):
        assert (moved.pk, moved.seat_number, moved.reference) == (booking.pk, 8, booking.reference)
        assert (moved.show.movie, moved.show.screen) == (booking.show.movie, booking.show.screen)


def test_a_moved_booking_leaves_its_seat_to_others(user, show, booking):
    move(user, booking)
    other = make_booking(show=show, seat_number=5)
    assert on_seats(show) == [(5, other.pk), (8, booking.pk)]


def test_a_booking_moved_to_its_own_seat_stays_there(user, show, booking):
    assert move(user, booking, 5).seat_number == 5
    assert on_seats(show) == [(5, booking.pk)]


def test_a_booking_can_be_moved_there_and_back(user, show, booking):
    for seat_number in (8, 5, 8):
        move(user, booking, seat_number)
    assert on_seats(show) == [(8, booking.pk)]


def test_a_booking_can_be_moved_to_a_seat_that_one_holds(user, show, booking):
    hold = make_hold(user=user, show=show, seat_number=8)
    move(user, booking)
    hold.refresh_from_db()
    assert (on_seats(show), hold.status, hold.cancelled_at) == ([(8, booking.pk)], "cancelled", NOW)


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_a_booking_can_be_moved_to_a_seat_whose_hold_has_run_out(user, show, booking, whose):
    ended = NOW - timedelta(minutes=3)
    hold = make_hold(user=user if whose == "own" else None, show=show, seat_number=8, expires_at=ended)
    move(user, booking)
    hold.refresh_from_db()
    assert (on_seats(show), hold.status, hold.cancelled_at) == ([(8, booking.pk)], "cancelled", ended)


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_a_booking_can_not_be_moved_to_a_seat_that_somebody_has(user, show, booking, make):
    other = make(show=show, seat_number=8)
    assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8]})
    assert on_seats(show) == [(5, booking.pk), (8, other.pk)]


def test_a_booking_can_not_be_moved_to_another_booked_seat_of_one_s_own(user, show, booking):
    make_booking(user=user, show=show, seat_number=8)
    assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8]})


def test_a_booking_can_not_be_moved_in_a_show_that_is_sold_out(user):
    show = make_show(total_seats=2)
    booking = make_booking(user=user, show=show, seat_number=1)
    make_booking(show=show, seat_number=2)
    assert refusal_of(move, user, booking, 2) == (SoldOut, "sold_out", {})


def test_a_booking_can_be_moved_to_the_last_free_seat(user):
    booking = make_booking(user=user, show=make_show(total_seats=2), seat_number=1)
    assert move(user, booking, 2).seat_number == 2


@pytest.mark.parametrize("seat_number", [-1, 0, 51, 2**31, 10**30])
def test_a_booking_can_not_be_moved_out_of_the_hall(user, show, booking, seat_number):
    assert refusal_of(move, user, booking, seat_number) == (NoSuchSeat, "no_such_seat", {})
    assert on_seats(show) == [(5, booking.pk)]


def test_a_booking_can_be_moved_until_the_show_starts(user, show, booking):
    move(user, booking, 8, now=STARTS_AT - MOMENT)
    assert refusal_of(move, user, booking, 9, now=STARTS_AT) == (ShowStarted, "show_started", {})
    assert on_seats(show) == [(8, booking.pk)]


def test_a_customer_at_the_seat_limit_can_move_all_the_same(user, booking, settings):
    settings.MAX_SEATS_PER_USER = 1
    assert move(user, booking).seat_number == 8


def test_a_cancelled_booking_can_not_be_moved(user):
    booking = make_booking(user=user, status="cancelled")
    assert refusal_of(move, user, booking) == (AlreadyCancelled, "already_cancelled", {})


def test_a_booking_of_a_show_called_off_can_not_be_moved(user, show, booking):
    call_off_show(show_id=show.pk, now=NOW)
    assert refusal_of(move, user, booking) == (AlreadyCancelled, "already_cancelled", {})


def test_a_hold_can_not_be_moved(user, show):
    hold = make_hold(user=user, show=show, seat_number=5)
    assert refusal_of(move, user, hold) == (NotBooked, "not_booked", {})
    assert on_seats(show) == [(5, hold.pk)]


def test_a_hold_that_ran_out_can_not_be_moved(user):
    hold = make_hold(user=user, expires_at=NOW)
    assert refusal_of(move, user, hold) == (AlreadyCancelled, "already_cancelled", {})


def test_what_is_not_one_s_own_is_not_found(user, show):
    blocked = make_block(show=show, seat_number=1)
    others = make_booking(show=show, seat_number=2)
    refusals = [refusal_of(move, user, row) for row in (blocked, others, Booking(pk=10**9))]
    assert refusals == [(NotFound, "not_found", {})] * 3
    assert live_seats(show) == [2]


# --- The same request again -------------------------------------------------------------------


def receipt(seat_number=8):
    return Receipt("key", "move", {"seat_number": seat_number}, lambda moved: {"seat": moved[0].seat_number})


def test_the_same_move_again_is_answered_as_before(user, show, booking):
    move(user, booking, receipt=receipt())
    make_booking(show=show, seat_number=5)
    with pytest.raises(Replay) as replay:
        move(user, booking, receipt=receipt())
    assert replay.value.answer == {"seat": 8}


def test_a_move_that_went_through_is_answered_as_before_once_the_show_has_started(user, booking):
    move(user, booking, receipt=receipt())
    with pytest.raises(Replay):
        move(user, booking, now=STARTS_AT, receipt=receipt())


def test_another_move_under_the_same_key_is_refused(user, show, booking):
    move(user, booking, receipt=receipt())
    refusal = refusal_of(move, user, booking, 9, receipt=receipt(9))
    assert refusal == (IdempotencyKeyReused, "idempotency_key_reused", {})
    assert on_seats(show) == [(8, booking.pk)]


# --- Past the lock ----------------------------------------------------------------------------

UPDATE = 'UPDATE "booking_booking"'


@pytest.mark.django_db(transaction=True)
def test_a_seat_written_past_the_lock_is_taken_by_the_constraint_s_word(user, show, booking):
    rival = make_user()

    def take():
        make_booking(user=rival, show=show, seat_number=8)

    with at_statements([(UPDATE, lambda: commit_past_the_lock(take))]):
        assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8]})
    assert live_seats(show) == [5, 8]


@pytest.mark.django_db(transaction=True)
def test_a_seat_written_past_the_lock_and_given_back_makes_the_service_busy(user, show, booking):
    rival = make_user()

    def take():
        make_booking(user=rival, show=show, seat_number=8)

    def give_back():
        Booking.objects.filter(user=rival).delete()

    with at_statements([(UPDATE, lambda: commit_past_the_lock(take)), ("SELECT", give_back)]) as left:
        assert refusal_of(move, user, booking) == (Busy, "busy", {})
    assert (left, on_seats(show)) == ([], [(5, booking.pk)])
