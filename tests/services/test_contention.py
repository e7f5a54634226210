"""Concurrent requests, with the show's lock and the seat's constraint, and without them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from functools import partial

import pytest
from django.db import connection

from booking.models import Booking, full_rows
from booking.services import SeenSeat, book_seat, cancel_booking, cancel_bookings, cancel_show, switch_plan
from booking.services.audit import find_breaches
from booking.services.seats import facts
from tests.bookings import active_seats, post
from tests.conftest import signed_in
from tests.factories import NOW, make_booking, make_show, redraw
from tests.races import (
    all_read_before_one_writes,
    at_once,
    locked_elsewhere,
    make_users,
    outcome,
    parallel_writers,
    start,
    wait_for_waiters,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


def purchase(user, show, seat_number=7):
    return partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=seat_number, now=NOW)


def cancellation(booking):
    return partial(outcome, cancel_booking, booking_id=booking.pk, now=NOW)


def switching(show, seats):
    """Gives the screen a plan with this number of seats; the call switches the show to it."""
    redraw(show.screen, full_rows(seats, 10, "S"))
    return partial(outcome, switch_plan, show_id=show.pk, now=NOW)


# --- Seats ------------------------------------------------------------------------------------


def test_one_seat_requested_by_50_customers_is_sold_once(show):
    outcomes = at_once([purchase(user, show) for user in make_users(50)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 49}
    assert active_seats(show) == [7]


def test_each_seat_of_a_sold_out_hall_is_sold_once():
    show = make_show(total_seats=25)
    outcomes = at_once([purchase(user, show, 1 + n % 25) for n, user in enumerate(make_users(50))])
    assert Counter(outcomes)["done"] == 25
    assert active_seats(show) == list(range(1, 26))


def test_a_booking_cancelled_by_8_at_the_same_time_is_cancelled_once(show, user):
    booking = make_booking(show=show, user=user)
    assert Counter(at_once([cancellation(booking)] * 8)) == {"done": 1, "already_cancelled": 7}
    assert active_seats(show) == []


def test_a_seat_cancelled_and_booked_again_by_8_at_the_same_time_is_sold_once(show, user):
    cancel = cancellation(make_booking(show=show, user=user, seat_number=7))
    purchases = [purchase(rival, show) for rival in make_users(8)]
    swaps = [lambda rebook=rebook: (cancel(), rebook()) for rebook in purchases]
    cancelled, rebooked = zip(*at_once(swaps), strict=True)
    assert Counter(cancelled) == {"done": 1, "already_cancelled": 7}
    assert Counter(rebooked) == {"done": 1, "seat_taken": 7}
    assert active_seats(show) == [7]


def test_the_seat_limit_holds_for_a_customer_who_books_30_seats_at_the_same_time(user, show, settings):
    outcomes = at_once([purchase(user, show, 1 + n) for n in range(30)])
    limit = settings.MAX_SEATS_PER_USER
    assert Counter(outcomes) == {"done": limit, "seat_limit_reached": 30 - limit}
    assert len(active_seats(show)) == limit


# --- Staff ------------------------------------------------------------------------------------


def test_a_show_gets_a_smaller_plan_or_sells_the_seats_that_it_lacks(user):
    halls = [make_show(total_seats=10) for _ in range(6)]
    calls = [[switching(hall, 5), *(purchase(user, hall, seat) for seat in range(6, 11))] for hall in halls]
    outcomes = iter(at_once([call for calls_of_hall in calls for call in calls_of_hall]))
    shrunk = ("done", *["no_such_seat"] * 5)
    sold = ("seats_differ", *["done"] * 5)
    assert {tuple(next(outcomes) for _ in range(6)) for _ in halls} <= {shrunk, sold}
    assert list(find_breaches()) == []


def test_a_show_cancelled_while_it_sells_has_no_active_booking(show):
    cancel = partial(cancel_show, show_id=show.pk, now=NOW)
    purchases = [purchase(user, show, 1 + n) for n, user in enumerate(make_users(20))]
    refunded, *outcomes = at_once([cancel, *purchases])
    assert Counter(outcomes) == Counter({"done": refunded, "show_cancelled": 20 - refunded})
    assert active_seats(show) == []


# --- Idempotency-Key --------------------------------------------------------------------------


def test_20_concurrent_requests_with_one_key_book_once_and_get_the_same_response(user, show):
    clients = [signed_in(user) for _ in range(20)]
    answers = at_once([partial(post, client, show, idempotency_key="k") for client in clients])
    assert [answer.status_code for answer in answers] == [201] * 20
    assert Counter(answer.get("Idempotency-Replayed") for answer in answers) == {None: 1, "true": 19}
    assert [answer.json() for answer in answers] == [answers[0].json()] * 20
    assert list(Booking.objects.values_list("pk", flat=True)) == [answers[0].json()["id"]]


@parallel_writers
def test_a_duplicate_that_waits_for_the_lock_gets_the_same_response(client, user, show, monkeypatch):
    # As in two workers, one of which doesn't know that the other waits.
    monkeypatch.setattr(facts, "waiting_for_row", lambda *_: nullcontext())
    double, lock, answers = partial(post, signed_in(user), show, idempotency_key="k"), ExitStack(), []

    def let_the_double_pass(execute, sql, params, many, context):
        if 'FROM "booking_booking"' in sql and not answers:
            lock.close()
            answers.extend(at_once([double]))
        return execute(sql, params, many, context)

    lock.enter_context(locked_elsewhere(show))
    with connection.execute_wrapper(let_the_double_pass):
        answer = post(client, show, idempotency_key="k")
    assert (answer.status_code, answer.json()) == (201, answers[0].json())


def test_of_8_requests_at_the_same_time_under_one_key_one_is_carried_out(user, show):
    clients = [signed_in(user) for _ in range(8)]
    calls = [partial(post, client, show, 1 + n, idempotency_key="k") for n, client in enumerate(clients)]
    assert Counter(answer.status_code for answer in at_once(calls)) == {201: 1, 422: 7}
    assert len(active_seats(show)) == 1


def test_equal_keys_of_8_customers_are_independent(show):
    clients = [signed_in(user) for user in make_users(8)]
    answers = at_once([partial(post, client, show, 1 + n, idempotency_key="k") for n, client in enumerate(clients)])
    assert Counter((answer.status_code, answer.get("Idempotency-Replayed")) for answer in answers) == {(201, None): 8}
    assert active_seats(show) == list(range(1, 9))


# --- A lock that stays held -------------------------------------------------------------------


@parallel_writers
def test_other_shows_sell_while_a_request_waits_for_one(client, show):
    [waiter] = make_users(1)
    with ThreadPoolExecutor(1) as pool:
        with locked_elsewhere(show):
            waiting = start(pool, partial(post, signed_in(waiter), show))
            wait_for_waiters(1)
            assert post(client, make_show()).status_code == 201
            assert not waiting.done()
        assert waiting.result().status_code == 201


@parallel_writers
def test_a_concurrent_change_of_the_movie_is_in_the_response(user, show, django_assert_num_queries):
    other, movie = connection.copy(), make_show().movie
    other.set_autocommit(False)
    with ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        cursor.execute("UPDATE booking_show SET movie_id = %s WHERE id = %s", [movie.pk, show.pk])
        booking = start(pool, partial(book_seat, user=user, show_id=show.pk, seat_number=7, now=NOW))
        wait_for_waiters(1)
        other.commit()
    other.close()
    with django_assert_num_queries(0):
        assert booking.result().show.movie.title == movie.title


# --- Controls: the same races with the guards off ---------------------------------------------


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_constraint_still_sells_a_seat_once(show):
    outcomes = all_read_before_one_writes([purchase(user, show) for user in make_users(20)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert active_seats(show) == [7]


@parallel_writers
@pytest.mark.usefixtures("no_constraint")
def test_without_the_constraint_the_lock_still_sells_a_seat_once(show):
    outcomes = at_once([purchase(user, show) for user in make_users(20)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert active_seats(show) == [7]


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_either_a_seat_is_sold_more_than_once(show):
    outcomes = all_read_before_one_writes([purchase(user, show) for user in make_users(20)])
    assert outcomes == ["done"] * 20
    assert active_seats(show) == [7] * 20


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_seat_limit_is_exceeded(user, show):
    outcomes = all_read_before_one_writes([purchase(user, show, 1 + n) for n in range(20)])
    assert outcomes == ["done"] * 20
    assert active_seats(show) == list(range(1, 21))


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_seat_is_sold_that_the_new_plan_lacks(user, show):
    assert all_read_before_one_writes([switching(show, 40), purchase(user, show, 50)]) == ["done"] * 2
    reference = Booking.objects.get().reference
    assert list(find_breaches()) == [
        f"Show {show.pk}: booking {reference} of seat number 50 is active for an unknown seat"
    ]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_booking_is_cancelled_more_than_once(user, show):
    booking = make_booking(show=show, user=user)
    seen = [SeenSeat(booking.pk, booking.seat_number, booking.status)]
    # By staff: for customers the booking is locked as well, because the door may admit it.
    cancel = partial(outcome, cancel_bookings, show_id=show.pk, seen=seen, now=NOW, cancelled_by=user)
    assert all_read_before_one_writes([cancel] * 8) == ["done"] * 8
