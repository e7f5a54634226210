"""Threads that wait for the database leave other threads free."""

from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread

import pytest
from django.db import OperationalError, connection

from booking.models import RateLimitWindow
from booking.services import Busy, transactions
from movieticket import admission
from movieticket.admission import (
    Availability,
    NoPlace,
    Section,
    calling_provider,
    database_work,
    places,
    waiting_for_row,
)
from movieticket.deadline import waiting_at_most
from tests.factories import make_show

postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")


@pytest.fixture(autouse=True)
def _waits_briefly(monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 0.01)


@contextmanager
def another_thread(inside):
    """Run the context manager `inside` in another thread during the block."""
    entered, over = Event(), Event()

    def run():
        with waiting_at_most(60), inside():
            entered.set()
            over.wait(60)

    thread = Thread(target=run)
    thread.start()
    try:
        assert entered.wait(60)
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def in_section(section):
    section.enter()
    try:
        yield
    finally:
        section.leave()


# --- Sections ---------------------------------------------------------------------------------


def test_a_thread_beyond_the_limit_is_refused():
    section = Section(1)
    with another_thread(lambda: in_section(section)), pytest.raises(NoPlace):
        section.enter()


def test_a_thread_gets_a_place_that_becomes_free_while_it_waits(monkeypatch):
    monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", 60)
    section = Section(1)
    section.enter()
    thread = Thread(target=lambda: section.enter())
    thread.start()
    section.leave()
    thread.join(60)
    assert not thread.is_alive()


def test_after_a_refusal_the_next_thread_is_refused_immediately(monkeypatch):
    section = Section(1)
    with another_thread(lambda: in_section(section)):
        with pytest.raises(NoPlace):
            section.enter()
        # It would wait for ever.
        monkeypatch.setattr(admission, "MAX_WAIT_SECONDS", None)
        with pytest.raises(NoPlace):
            section.enter()


def test_a_section_admits_threads_again_after_a_thread_left():
    section = Section(1)
    with another_thread(lambda: in_section(section)), pytest.raises(NoPlace):
        section.enter()
    section.enter()


def test_a_worker_of_one_thread_has_a_place():
    Section(0).enter()


def enter_all(context, entered):
    """Return how many threads get a place."""
    number = 0
    with suppress(NoPlace):
        while True:
            entered.enter_context(context())
            number += 1
    return number


def test_a_provider_and_a_database_that_hang_leave_a_thread_free(settings):
    with ExitStack() as entered:
        calls = enter_all(calling_provider, entered)
        assert (calls, enter_all(database_work.place, entered)) == (1, settings.THREADS - 2)
    with calling_provider():
        pass


# --- Places -----------------------------------------------------------------------------------


@contextmanager
def in_transaction():
    places.enter(in_transaction=True)
    try:
        yield
    finally:
        places.leave()


@pytest.fixture
def few_places(monkeypatch):
    """The sections of a worker with three threads."""
    monkeypatch.setattr(admission, "transactions", Section(1))
    monkeypatch.setattr(admission, "database_work", Section(2))


def test_reads_go_on_while_transactions_wait(few_places):
    with another_thread(in_transaction), waiting_at_most(60):
        places.enter(in_transaction=False)
        places.leave()
        with pytest.raises(NoPlace):
            places.enter(in_transaction=True)


def test_a_refused_transaction_holds_no_place(few_places):
    with waiting_at_most(60):
        with another_thread(in_transaction), pytest.raises(NoPlace):
            places.enter(in_transaction=True)
        with another_thread(in_transaction):
            places.enter(in_transaction=False)
            places.leave()


def test_a_thread_needs_only_one_place(few_places):
    with waiting_at_most(60):
        for _ in range(5):
            places.enter(in_transaction=True)
        places.leave()
        with another_thread(in_transaction):
            pass


def test_outside_a_request_no_place_is_needed(few_places):
    with another_thread(in_transaction):
        places.enter(in_transaction=True)
        places.leave()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_without_a_place_is_busy(few_places, client):
    show = make_show()
    path = f"/api/shows/{show.pk}/book/"
    with another_thread(in_transaction):
        answer = client.post(path, {"seat_number": 7})
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "busy", "1")
    assert client.post(path, {"seat_number": 7}).status_code == 201


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_read_without_a_place_is_busy(monkeypatch, anyone):
    monkeypatch.setattr(admission, "database_work", Section(1))
    with another_thread(lambda: in_section(admission.database_work)):
        assert anyone.get("/api/movies/").status_code == 503
    assert anyone.get("/api/movies/").status_code == 200


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_request_whose_count_waits_for_a_row_is_busy(client, show):
    path = f"/api/shows/{show.pk}/book/"
    assert client.post(path, {"seat_number": 7}).status_code == 201
    key = RateLimitWindow.objects.get().key
    with another_thread(lambda: waiting_for_row("count", key)):
        assert client.post(path, {"seat_number": 8}).status_code == 503
    assert client.post(path, {"seat_number": 8}).status_code == 201


# --- Rows -------------------------------------------------------------------------------------


@postgresql
def test_only_one_thread_waits_for_a_row():
    with another_thread(lambda: waiting_for_row("show", 1)), waiting_at_most(60):
        with pytest.raises(NoPlace), waiting_for_row("show", 1):
            pass
        with waiting_for_row("show", 2):
            pass
    with waiting_at_most(60), waiting_for_row("show", 1):
        pass
    assert admission._rows == {}


def test_outside_a_request_all_wait_for_a_row():
    with another_thread(lambda: waiting_for_row("show", 1)), waiting_for_row("show", 1):
        pass


# --- A database that is away ------------------------------------------------------------------


def fail_to_connect(availability):
    with pytest.raises(OperationalError), availability.connecting():
        raise OperationalError


@contextmanager
def trying(availability):
    assert availability.take_turn()
    try:
        yield
    finally:
        availability.end_turn()


def test_one_request_at_a_time_connects_to_an_unavailable_database():
    availability = Availability()
    fail_to_connect(availability)
    with another_thread(lambda: trying(availability)), waiting_at_most(60):
        assert not availability.take_turn()
        with pytest.raises(NoPlace), availability.connecting():
            pass
    with waiting_at_most(60), availability.connecting():
        pass
    assert not availability.is_down


def test_a_request_keeps_its_turn_while_it_retries():
    availability = Availability()
    fail_to_connect(availability)
    with waiting_at_most(60), trying(availability):
        fail_to_connect(availability)
        assert availability.take_turn()


def test_all_requests_connect_while_the_database_is_available():
    availability = Availability()
    with another_thread(lambda: trying(availability)), waiting_at_most(60), availability.connecting():
        pass


def test_commands_always_connect():
    availability = Availability()
    fail_to_connect(availability)
    with another_thread(lambda: trying(availability)), availability.connecting():
        pass


@pytest.mark.parametrize(("is_down", "expected"), [(True, 1), (False, 2)])
def test_only_one_request_retries_a_service_while_the_database_is_unavailable(monkeypatch, is_down, expected):
    availability = Availability()
    availability.is_down = is_down
    monkeypatch.setattr(transactions, "availability", availability)
    attempts = []

    @transactions.retried
    def service():
        attempts.append(1)
        if len(attempts) == 1:
            raise transactions.Interrupted

    with another_thread(lambda: trying(availability)), waiting_at_most(60), suppress(Busy):
        service()
    assert len(attempts) == expected
