"""Moving a booking to another seat, with an explicit time."""

from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from booking.models import Booking
from booking.services import Busy, IdempotentRequest, NotFound, Replay, cancel_show, move_booking
from booking.services.seats.idempotency import IdempotencyKeyReused
from booking.services.seats.rules.sale import AlreadyCancelled, NotBooked, ShowStarted
from booking.services.seats.rules.seats import NoSuchSeat, SeatTaken, SoldOut
from booking.services.seats.seen_seats import SeatsChanged
from tests.bookings import active_seats, commit_past_the_lock, refusal_of
from tests.factories import NOW, STARTS_AT, make_block, make_booking, make_hold, make_show, make_user

MOMENT = timedelta(microseconds=1)


@pytest.fixture
def booking(user, show):
    """The user's booking of seat 5."""
    return make_booking(user=user, show=show, seat_number=5)


def move(user, booking, seat_number=8, now=NOW, idempotency=None):
    return move_booking(user=user, booking_id=booking.pk, seat_number=seat_number, now=now, idempotency=idempotency)


def on_seats(show):
    """Return each occupied seat with the id of its row."""
    rows = Booking.objects.occupying().filter(show=show).order_by("seat_number")
    return list(rows.values_list("seat_number", "pk"))


@contextmanager
def at_statements(acts):
    """Call each of `acts` before the next statement that contains its text."""
    pending = list(acts)

    def intercept(execute, sql, params, many, context):
        if pending and pending[0][0] in sql:
            pending.pop(0)[1]()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(intercept):
        yield pending


def test_a_moved_booking_has_the_same_id_and_another_seat(user, booking):
    move(user, booking)
    before = Booking.objects.filter(pk=booking.pk).values().get()
    booking.seat_number, booking.seat_label, booking.category, booking.ticket_serial = 8, "A8", "S", 2
    assert {name: getattr(booking, name) for name in before} == before


def test_moving_returns_the_changed_booking(user, booking, django_assert_num_queries):
    moved = move(user, booking)
    with django_assert_num_queries(0):
        assert (moved.pk, moved.seat_number, moved.reference) == (booking.pk, 8, booking.reference)
        assert (moved.show.movie, moved.show.screen) == (booking.show.movie, booking.show.screen)


def test_the_former_seat_of_a_moved_booking_is_free(user, show, booking):
    move(user, booking)
    other = make_booking(show=show, seat_number=5)
    assert on_seats(show) == [(5, other.pk), (8, booking.pk)]


def test_a_booking_can_be_moved_to_its_own_seat(user, show, booking):
    assert move(user, booking, 5).seat_number == 5
    assert on_seats(show) == [(5, booking.pk)]


def test_a_booking_can_be_moved_there_and_back(user, show, booking):
    for seat_number in (8, 5, 8):
        move(user, booking, seat_number)
    assert on_seats(show) == [(8, booking.pk)]


def test_a_booking_can_be_moved_to_a_seat_that_the_customer_holds(user, show, booking):
    hold = make_hold(user=user, show=show, seat_number=8)
    move(user, booking)
    hold.refresh_from_db()
    assert (on_seats(show), hold.status, hold.cancelled_at) == ([(8, booking.pk)], "cancelled", NOW)


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_a_booking_can_be_moved_to_a_seat_with_an_expired_hold(user, show, booking, whose):
    ended = NOW - timedelta(minutes=3)
    hold = make_hold(user=user if whose == "own" else None, show=show, seat_number=8, expires_at=ended)
    move(user, booking)
    hold.refresh_from_db()
    assert (on_seats(show), hold.status, hold.cancelled_at) == ([(8, booking.pk)], "cancelled", ended)


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_a_booking_can_not_be_moved_to_a_taken_seat(user, show, booking, make):
    other = make(show=show, seat_number=8)
    assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8]})
    assert on_seats(show) == [(5, booking.pk), (8, other.pk)]


def test_a_booking_can_not_be_moved_to_another_seat_that_the_customer_booked(user, show, booking):
    own = {"mine": True, "booking": make_booking(user=user, show=show, seat_number=8).pk}
    assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8], **own})


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


def test_a_customer_at_the_seat_limit_can_move(user, booking, settings):
    settings.MAX_SEATS_PER_USER = 1
    assert move(user, booking).seat_number == 8


def test_a_cancelled_booking_can_not_be_moved(user):
    booking = make_booking(user=user, status="cancelled")
    assert refusal_of(move, user, booking) == (AlreadyCancelled, "already_cancelled", {})


def test_a_booking_of_a_cancelled_show_can_not_be_moved(user, show, booking):
    cancel_show(show_id=show.pk, now=NOW)
    assert refusal_of(move, user, booking) == (AlreadyCancelled, "already_cancelled", {})


def test_a_hold_can_not_be_moved(user, show):
    hold = make_hold(user=user, show=show, seat_number=5)
    assert refusal_of(move, user, hold) == (NotBooked, "not_booked", {})
    assert on_seats(show) == [(5, hold.pk)]


def test_an_expired_hold_can_not_be_moved(user):
    hold = make_hold(user=user, expires_at=NOW)
    assert refusal_of(move, user, hold) == (AlreadyCancelled, "already_cancelled", {})


def test_only_the_customer_s_own_booking_is_found(user, show):
    blocked = make_block(show=show, seat_number=1)
    others = make_booking(show=show, seat_number=2)
    refusals = [refusal_of(move, user, row) for row in (blocked, others, Booking(pk=10**9))]
    assert refusals == [(NotFound, "not_found", {})] * 3
    assert active_seats(show) == [2]


# --- The same request again -------------------------------------------------------------------


def idempotent(user, seat_number=8):
    return IdempotentRequest(
        user, "key", "move", {"seat_number": seat_number}, lambda moved: {"seat": moved[0].seat_number}
    )


def test_a_repeated_move_gets_the_same_response(user, show, booking):
    move(user, booking, idempotency=idempotent(user))
    make_booking(show=show, seat_number=5)
    with pytest.raises(Replay) as replay:
        move(user, booking, idempotency=idempotent(user))
    assert replay.value.response == {"seat": 8}


def test_a_repeated_move_gets_the_same_response_after_the_start(user, booking):
    move(user, booking, now=STARTS_AT - MOMENT, idempotency=idempotent(user))
    with pytest.raises(Replay):
        move(user, booking, now=STARTS_AT, idempotency=idempotent(user))


def test_another_move_under_the_same_key_is_refused(user, show, booking):
    move(user, booking, idempotency=idempotent(user))
    refusal = refusal_of(move, user, booking, 9, idempotency=idempotent(user, 9))
    assert refusal == (IdempotencyKeyReused, "idempotency_key_reused", {})
    assert on_seats(show) == [(8, booking.pk)]


# --- Rows written without the lock ------------------------------------------------------------

UPDATE = 'UPDATE "booking_booking"'


@pytest.fixture
def rival(db):
    return make_user()


def take(show, rival):
    return partial(
        commit_past_the_lock, partial(Booking.objects.create, created_at=NOW, user=rival, show=show, seat_number=8)
    )


def free(rival):
    return partial(commit_past_the_lock, Booking.objects.filter(user=rival).delete)


@pytest.mark.django_db(transaction=True)
def test_a_seat_that_was_taken_without_the_lock_is_refused(user, show, booking, rival):
    with at_statements([(UPDATE, take(show, rival))]):
        assert refusal_of(move, user, booking) == (SeatTaken, "seat_taken", {"seats": [8]})
    assert active_seats(show) == [5, 8]


@pytest.mark.django_db(transaction=True)
def test_a_seat_that_was_taken_and_freed_without_the_lock_is_available(user, show, booking, rival):
    with at_statements([(UPDATE, take(show, rival)), ("SELECT", free(rival))]) as left:
        move(user, booking)
    assert (left, on_seats(show)) == ([], [(8, booking.pk)])


@pytest.mark.django_db(transaction=True)
def test_a_seat_that_is_taken_without_the_lock_twice_makes_the_service_busy(user, show, booking, rival):
    acts = [(UPDATE, take(show, rival)), ("SELECT", free(rival)), (UPDATE, take(show, rival))]
    with at_statements(acts) as left:
        assert refusal_of(move, user, booking) == (Busy, "busy", {})
    assert (left, active_seats(show)) == ([], [5, 8])


def test_a_booking_that_was_moved_since_staff_saw_it_is_not_moved_again(user, booking):
    with pytest.raises(SeatsChanged):
        move_booking(user=user, booking_id=booking.pk, seat_number=8, now=NOW, seen_seat=6)
