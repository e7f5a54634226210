"""Everybody at once: what the show's lock and the seat's constraint keep, and what happens without them."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier, BoundedSemaphore

import pytest
from django.db import connection
from django.db.models import UniqueConstraint

from booking.models import Booking, Show, User
from booking.prepared import PreparedQuery, PreparedText, PreparedTransaction
from booking.services import (
    Claims,
    Refusal,
    attempt_booking,
    blocks,
    book_seat,
    bookings,
    call_off_show,
    cancel_booking,
    change_show,
    claims,
    locks,
    shows,
)
from booking.services import at_once as whole
from booking.services.audit import find_breaches
from tests.conftest import signed_in
from tests.factories import NOW, make_booking, make_show, make_user
from tests.test_race import at_once

pytestmark = pytest.mark.django_db(transaction=True)

PROJECT = Path(__file__).parents[1]
LOCK_TIMEOUT_SECONDS = locks.LOCK_TIMEOUT_SECONDS
parallel_writers = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer at a time and no lock of a row."
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """However slow the machine, nobody who waits for a lock is turned away."""
    monkeypatch.setattr(locks, "LOCK_TIMEOUT_SECONDS", 60.0)


def outcome(service, **call):
    """What a call of a service ends with: "done", or the refusal's code."""
    try:
        service(**call)
    except Refusal as refusal:
        return refusal.code
    return "done"


def purchase(user, show, seat_number=7):
    return partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=seat_number, now=NOW)


def requested(*, user, show_id, seat_number, now):
    """Books as the API does, in the trip that finds the user."""
    claims = Claims(user.pk, 1, user.token_key)
    place = {"show_id": show_id, "seat_number": seat_number, "now": now}
    attempt = attempt_booking(limit="booking", claims=claims, may_sell=True, **place)
    return book_seat(user=user, attempt=attempt, **place)


def request(user, show, seat_number=7):
    return partial(outcome, requested, user=user, show_id=show.pk, seat_number=seat_number, now=NOW)


by_service_and_by_request = pytest.mark.parametrize("purchase", [purchase, request])


def cancellation(booking):
    return partial(outcome, cancel_booking, booking_id=booking.pk, now=NOW)


def shrinking(show, total_seats):
    return partial(outcome, change_show, show_id=show.pk, now=NOW, total_seats=total_seats)


def make_users(number):
    return [make_user() for _ in range(number)]


def live_seats(show):
    return sorted(Booking.objects.sold().filter(show=show).values_list("seat_number", flat=True))


@contextmanager
def held(show):
    """Somebody else has the show's lock meanwhile."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT FROM booking_show WHERE id = %s FOR NO KEY UPDATE", [show.pk])
    try:
        yield
    finally:
        other.rollback()
        other.close()


# --- Seats ------------------------------------------------------------------------------------


@by_service_and_by_request
def test_one_seat_wanted_by_50_is_sold_once(show, purchase):
    outcomes = at_once([purchase(user, show) for user in make_users(50)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 49}
    assert live_seats(show) == [7]


@by_service_and_by_request
def test_a_hall_that_sells_out_has_each_seat_sold_once(purchase):
    show = make_show(total_seats=25)
    outcomes = at_once([purchase(user, show, 1 + n % 25) for n, user in enumerate(make_users(50))])
    assert Counter(outcomes)["done"] == 25
    assert live_seats(show) == list(range(1, 26))


def test_a_booking_cancelled_by_8_at_once_is_cancelled_once(show, user):
    booking = make_booking(show=show, user=user)
    assert Counter(at_once([cancellation(booking)] * 8)) == {"done": 1, "already_cancelled": 7}
    assert live_seats(show) == []


def test_a_seat_cancelled_and_rebooked_by_8_at_once_changes_hands_once(show, user):
    cancel = cancellation(make_booking(show=show, user=user, seat_number=7))
    purchases = [purchase(rival, show) for rival in make_users(8)]
    swaps = [lambda rebook=rebook: (cancel(), rebook()) for rebook in purchases]
    cancelled, rebooked = zip(*at_once(swaps), strict=True)
    assert Counter(cancelled) == {"done": 1, "already_cancelled": 7}
    assert Counter(rebooked) == {"done": 1, "seat_taken": 7}
    assert live_seats(show) == [7]


@by_service_and_by_request
def test_the_seat_limit_holds_for_a_customer_who_books_30_seats_at_once(user, show, settings, purchase):
    outcomes = at_once([purchase(user, show, 1 + n) for n in range(30)])
    limit = settings.MAX_SEATS_PER_USER
    assert Counter(outcomes) == {"done": limit, "seat_limit_reached": 30 - limit}
    assert len(live_seats(show)) == limit


# --- Staff ------------------------------------------------------------------------------------


def test_a_hall_shrinks_or_sells_the_seats_that_would_go(user):
    halls = [make_show(total_seats=10) for _ in range(6)]
    calls = [[shrinking(hall, 5), *(purchase(user, hall, seat) for seat in range(6, 11))] for hall in halls]
    outcomes = iter(at_once([call for calls_of_hall in calls for call in calls_of_hall]))
    shrunk = ("done", *["no_such_seat"] * 5)
    sold = ("show_has_bookings", *["done"] * 5)
    assert {tuple(next(outcomes) for _ in range(6)) for _ in halls} <= {shrunk, sold}
    assert list(find_breaches()) == []


def test_a_show_called_off_while_it_sells_has_no_live_booking(show):
    call_off = partial(call_off_show, show_id=show.pk, now=NOW)
    purchases = [purchase(user, show, 1 + n) for n, user in enumerate(make_users(20))]
    refunded, *outcomes = at_once([call_off, *purchases])
    assert Counter(outcomes) == Counter({"done": refunded, "show_cancelled": 20 - refunded})
    assert live_seats(show) == []


# --- Idempotency-Key --------------------------------------------------------------------------


def post(client, show, seat_number=7, **headers):
    return client.post(f"/api/shows/{show.pk}/book/", {"seat_number": seat_number}, headers=headers)


def test_a_request_sent_20_times_at_once_books_once_and_is_answered_alike(user, show):
    clients = [signed_in(user) for _ in range(20)]
    answers = at_once([partial(post, client, show, idempotency_key="k") for client in clients])
    assert [answer.status_code for answer in answers] == [201] * 20
    assert Counter(answer.get("Idempotency-Replayed") for answer in answers) == {None: 1, "true": 19}
    assert [answer.json() for answer in answers] == [answers[0].json()] * 20
    assert list(Booking.objects.values_list("pk", flat=True)) == [answers[0].json()["id"]]


@parallel_writers
def test_a_request_that_is_carried_out_while_its_double_is_looked_at_is_answered_alike(client, user, show):
    double, lock, answers = partial(post, signed_in(user), show, idempotency_key="k"), ExitStack(), []

    def let_the_double_pass(execute, sql, params, many, context):
        if 'FROM "booking_booking"' in sql and not answers:
            lock.close()
            answers.extend(at_once([double]))
        return execute(sql, params, many, context)

    lock.enter_context(held(show))
    with connection.execute_wrapper(let_the_double_pass):
        answer = post(client, show, idempotency_key="k")
    assert (answer.status_code, answer.json()) == (201, answers[0].json())


def test_of_8_requests_at_once_under_one_key_one_is_carried_out(user, show):
    clients = [signed_in(user) for _ in range(8)]
    calls = [partial(post, client, show, 1 + n, idempotency_key="k") for n, client in enumerate(clients)]
    assert Counter(answer.status_code for answer in at_once(calls)) == {201: 1, 422: 7}
    assert len(live_seats(show)) == 1


def test_equal_keys_of_8_customers_have_nothing_to_do_with_each_other(show):
    clients = [signed_in(user) for user in make_users(8)]
    answers = at_once([partial(post, client, show, 1 + n, idempotency_key="k") for n, client in enumerate(clients)])
    assert Counter((answer.status_code, answer.get("Idempotency-Replayed")) for answer in answers) == {(201, None): 8}
    assert live_seats(show) == list(range(1, 9))


# --- A lock that stays held -------------------------------------------------------------------


def wait_for_waiters(number):
    """Returns when so many connections wait for a lock."""
    deadline = time.monotonic() + 30
    waiters = -1
    while waiters != number:
        assert time.monotonic() < deadline
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            [waiters] = cursor.fetchone()


def start(pool, call):
    """Runs `call` in a thread with a connection of its own."""

    def run():
        try:
            return call()
        finally:
            connection.close()

    return pool.submit(run)


@pytest.fixture
def queue_of_2(monkeypatch):
    """Two threads may wait for a lock as long as it takes."""
    monkeypatch.setattr(locks, "_queue", BoundedSemaphore(2))


@parallel_writers
def test_a_lock_held_for_long_is_answered_with_busy_in_time(client, show, monkeypatch):
    monkeypatch.setattr(locks, "LOCK_TIMEOUT_SECONDS", LOCK_TIMEOUT_SECONDS)
    with ThreadPoolExecutor(1) as pool, held(show):
        answer = start(pool, partial(post, client, show)).result(timeout=3)
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "1")
    assert live_seats(show) == []


@parallel_writers
def test_other_shows_sell_while_one_is_waited_for(queue_of_2, client, show):
    waiters = [signed_in(user) for user in make_users(2)]
    with ThreadPoolExecutor(2) as pool:
        with held(show):
            waiting = [start(pool, partial(post, waiter, show, 1 + n)) for n, waiter in enumerate(waiters)]
            wait_for_waiters(2)
            assert post(client, make_show()).status_code == 201
            assert [request.done() for request in waiting] == [False, False]
        assert [request.result().status_code for request in waiting] == [201, 201]


@parallel_writers
def test_who_finds_the_queue_full_gives_up_before_those_in_it(queue_of_2, client, show):
    locks._contested[show.pk] = float("inf")
    waiters = [signed_in(user) for user in make_users(2)]
    with ThreadPoolExecutor(2) as pool:
        with held(show):
            waiting = [start(pool, partial(post, waiter, show, 1 + n)) for n, waiter in enumerate(waiters)]
            wait_for_waiters(2)
            answer = post(client, show)
            assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "1")
            assert [request.done() for request in waiting] == [False, False]
        assert [request.result().status_code for request in waiting] == [201, 201]


@parallel_writers
def test_who_wants_a_taken_seat_of_a_contested_show_neither_waits_nor_locks(
    client, show, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(locks, "CONTENTION_SECONDS", 600.0)
    make_booking(show=show, seat_number=7)
    with held(show):
        assert post(client, show).json()["code"] == "seat_taken"
        with django_assert_num_queries(1) as asked:
            assert post(client, show).json()["code"] == "seat_taken"
    assert "booking_tries" in asked[0]["sql"]


@parallel_writers
def test_a_show_counts_as_contested_for_a_moment(show):
    with held(show), pytest.raises(locks.Contested), locks.write_transaction():
        locks.lock_show_if_free(show.pk)
    assert locks.is_contested(show.pk)
    locks._contested[show.pk] -= locks.CONTENTION_SECONDS
    assert not locks.is_contested(show.pk)


def test_only_so_many_shows_are_remembered_as_contested(monkeypatch):
    monkeypatch.setattr(locks, "MAX_CONTESTED", 2)
    for no_show in (1, 2, 3):
        with pytest.raises(locks.Contested), locks.write_transaction():
            locks.lock_show_if_free(no_show)
    assert [locks.is_contested(no_show) for no_show in (1, 2, 3)] == [False, False, True]


# --- Two processes on one SQLite file ---------------------------------------------------------


def process(path, call):
    """A Python process that runs `call`, a function of this module, on the SQLite file `path`."""
    code = f"import django; django.setup(); from tests import test_contention; test_contention.{call}"
    settings = {"DJANGO_SETTINGS_MODULE": "movieticket.settings", "DATABASE_URL": f"sqlite:///{path}"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **settings},
    )


def prepare():
    """In a process of its own: a show and 8 customers."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    make_show()
    make_users(8)


def buy(first, last):
    """In a process of its own: customers, each in a thread, who want seats 1 to 8 and one that nobody else wants."""
    show = Show.objects.get()
    users = User.objects.filter(pk__range=(first, last))
    calls = [[purchase(user, show, seat) for seat in (8 + user.pk, *range(1, 9))] for user in users]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(at_once([lambda calls=calls_of_user: [call() for call in calls] for calls_of_user in calls])))


def test_two_processes_on_one_sqlite_file_sell_each_seat_once(tmp_path):
    path = tmp_path / "db.sqlite3"
    assert process(path, "prepare()").communicate() == ("", "")
    sellers = [process(path, call) for call in ("buy(1, 4)", "buy(5, 8)")]
    for seller in sellers:
        assert seller.stdout.readline() == "ready\n"
    for seller in sellers:
        seller.stdin.write("go\n")
        seller.stdin.flush()
    ends = [seller.communicate() for seller in sellers]
    assert [errors for _, errors in ends] == ["", ""]
    outcomes = [outcome for output, _ in ends for outcomes in json.loads(output) for outcome in outcomes]
    assert Counter(outcomes) == {"done": 16, "seat_taken": 56}
    with sqlite3.connect(path) as database:
        seats = database.execute("SELECT seat_number FROM booking_booking WHERE status = 'booked' ORDER BY 1")
        assert [seat for (seat,) in seats] == list(range(1, 17))


# --- Controls: the same races with the guards off ---------------------------------------------


@pytest.fixture
def _no_lock(monkeypatch, _step_by_step):
    """Shows are read without a lock."""

    def read(show_id):
        return Show.objects.select_related("movie", "screen").get(pk=show_id)

    monkeypatch.setattr(claims, "lock_show_if_free", read)
    for module in (blocks, bookings, claims, shows):
        monkeypatch.setattr(module, "lock_show", read)


@pytest.fixture
def _no_constraint(transactional_db):
    """A seat can be live twice in the database."""
    [constraint] = [one for one in Booking._meta.constraints if isinstance(one, UniqueConstraint)]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Booking, constraint)
    yield
    Booking.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Booking, constraint)


def all_read_before_one_writes(calls):
    """The results of all `calls`, none of which writes before all are about to."""
    barrier = Barrier(len(calls), timeout=30)

    def run(call):
        met = []

        def meet(execute, sql, params, many, context):
            if sql.startswith(("INSERT", "UPDATE")) and not met:
                met.append(barrier.wait())
            return execute(sql, params, many, context)

        with connection.execute_wrapper(meet):
            return call()

    return at_once([partial(run, call) for call in calls])


@pytest.fixture
def _no_lock_at_once(monkeypatch):
    """A booking that is sent as a whole transaction reads the show without a lock."""
    shows = Show.objects.order_by().values_list("pk")
    reads = {
        whole._lock: PreparedQuery(lambda show: shows.filter(pk=show), 1),
        whole._lock_if_counted: PreparedQuery(
            lambda show, tries, key: shows.filter(whole._counted(tries, key), pk=show), 2, texts=1
        ),
    }

    def transaction(_milliseconds, *statements):
        return PreparedTransaction(PreparedText("SELECT 1"), *(reads.get(one, one) for one in statements))

    monkeypatch.setattr(whole, "_transaction", transaction)


@pytest.fixture
def all_insert_before_one_commits(transactional_db):
    """A function for the results of calls, each of which has decided to insert before the first one does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'"
        )
        cursor.execute("CREATE TRIGGER meet BEFORE INSERT ON booking_booking FOR EACH ROW EXECUTE FUNCTION meet()")

    def run(calls):
        with ThreadPoolExecutor(len(calls)) as pool:
            other = connection.copy()
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(1)")
            running = [start(pool, call) for call in calls]
            wait_for_waiters(len(calls))
            other.close()
            return [call.result() for call in running]

    yield run
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION meet CASCADE")


@parallel_writers
@pytest.mark.usefixtures("_no_lock_at_once")
@by_service_and_by_request
def test_sold_at_once_without_the_lock_a_seat_is_sold_once_by_the_constraint(
    show, all_insert_before_one_commits, purchase
):
    outcomes = all_insert_before_one_commits([purchase(user, show) for user in make_users(20)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert live_seats(show) == [7]


@parallel_writers
@pytest.mark.usefixtures("_no_lock_at_once", "_no_constraint")
@by_service_and_by_request
def test_sold_at_once_without_either_a_seat_is_sold_more_than_once(show, all_insert_before_one_commits, purchase):
    outcomes = all_insert_before_one_commits([purchase(user, show) for user in make_users(20)])
    assert outcomes == ["done"] * 20
    assert live_seats(show) == [7] * 20


@parallel_writers
@pytest.mark.usefixtures("_no_lock_at_once")
def test_sold_at_once_without_the_lock_the_seat_limit_is_exceeded(user, show, all_insert_before_one_commits):
    outcomes = all_insert_before_one_commits([purchase(user, show, 1 + n) for n in range(20)])
    assert outcomes == ["done"] * 20
    assert live_seats(show) == list(range(1, 21))


@parallel_writers
@pytest.mark.usefixtures("_no_lock")
def test_without_the_lock_the_constraint_still_sells_a_seat_once(show):
    outcomes = all_read_before_one_writes([purchase(user, show) for user in make_users(20)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert live_seats(show) == [7]


@parallel_writers
@pytest.mark.usefixtures("_no_constraint")
def test_without_the_constraint_the_lock_still_sells_a_seat_once(show):
    outcomes = at_once([purchase(user, show) for user in make_users(20)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert live_seats(show) == [7]


@parallel_writers
@pytest.mark.usefixtures("_no_lock", "_no_constraint")
def test_without_either_a_seat_is_sold_more_than_once(show):
    outcomes = all_read_before_one_writes([purchase(user, show) for user in make_users(20)])
    assert outcomes == ["done"] * 20
    assert live_seats(show) == [7] * 20


@parallel_writers
@pytest.mark.usefixtures("_no_lock")
def test_without_the_lock_the_seat_limit_is_exceeded(user, show):
    outcomes = all_read_before_one_writes([purchase(user, show, 1 + n) for n in range(20)])
    assert outcomes == ["done"] * 20
    assert live_seats(show) == list(range(1, 21))


@parallel_writers
@pytest.mark.usefixtures("_no_lock")
def test_without_the_lock_a_seat_is_sold_that_goes_with_the_hall_s_end(user, show):
    assert all_read_before_one_writes([shrinking(show, 40), purchase(user, show, 50)]) == ["done"] * 2
    reference = Booking.objects.get().reference
    assert list(find_breaches()) == [f"Show {show.pk}: booking {reference} of seat E10 is live outside the hall"]


@parallel_writers
@pytest.mark.usefixtures("_no_lock")
def test_without_the_lock_a_booking_is_cancelled_more_than_once(user, show):
    booking = make_booking(show=show, user=user)
    assert all_read_before_one_writes([cancellation(booking)] * 8) == ["done"] * 8
