"""The service as operators run it: probes, log lines, metrics of several workers, and stopping under load."""

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Condition, Event

import pytest

from tests.service import CUSTOMERS, NOWHERE, PATIENCE_SECONDS, filled_sqlite, served, wait_until

pytestmark = pytest.mark.server

METRICS_TOKEN = "token-of-the-monitoring"
# Enough for no worker to refuse a customer because its threads wait.
THREADS = str(CUSTOMERS + 2)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    url, *data = filled_sqlite(folder)
    with served(url, *data, folder, METRICS_TOKEN=METRICS_TOKEN, THREADS=THREADS) as service:
        service.url = url
        yield service


def test_a_service_without_its_database_is_alive_but_not_ready(tmp_path):
    with served(NOWHERE, [], [], tmp_path, WORKERS="1") as service:
        answers = [service.ask("GET", path) for path in ("/healthz", "/readyz")]
    assert [(status, json.loads(text)) for status, _, text in answers] == [
        (200, {"status": "ok"}),
        (503, {"status": "database unreachable"}),
    ]


def test_a_service_is_ready_after_the_migrations(tmp_path):
    database_url, *data = filled_sqlite(tmp_path)
    is_missing = "UPDATE django_migrations SET app = 'another' WHERE name = '0001_initial' AND app = 'booking'"
    is_applied = "UPDATE django_migrations SET app = 'booking' WHERE app = 'another'"
    with served(database_url, *data, tmp_path, WORKERS="1") as service:
        answers = []
        for change in (is_missing, is_applied):
            with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database, database:
                database.execute(change)
            answers.append(service.ask("GET", "/readyz"))
    assert [(status, text) for status, _, text in answers] == [
        (503, '{"status": "migrations missing"}'),
        (200, '{"status": "ok"}'),
    ]


def line_of(service, **fields):
    """Wait for the one line on the service's standard output with these fields, and return its entry."""

    def found():
        entries = [json.loads(line) for line in service.stdout.read_text().splitlines()]
        return [entry for entry in entries if fields.items() <= entry.items()]

    wait_until(found)
    [entry] = found()
    return entry


def test_each_request_is_logged_as_a_line_of_json(service):
    service.ask("GET", "/api/movies/?search=secret-search", X_Request_ID="first")
    service.book(0, 1)
    movies, booking = line_of(service, request_id="first"), line_of(service, user_id=1)
    assert movies.pop("time") < booking.pop("time")
    assert movies.pop("ms") > 0
    assert booking.pop("ms") > 0
    assert movies.pop("queries") > 0
    assert booking.pop("queries") > 2
    common = {"level": "INFO", "logger": "movieticket.requests", "message": "request"}
    assert movies == common | {
        "method": "GET", "route": "movie-list", "status": 200, "user_id": None, "request_id": "first",
    }  # fmt: skip
    assert re.fullmatch("[0-9a-f]{32}", booking.pop("request_id"))
    assert booking == common | {"method": "POST", "route": "show-book", "status": 201, "user_id": 1}


def samples(service):
    """Return the metrics by name and labels."""
    status, _, text = service.ask("GET", "/metrics", Authorization=f"Bearer {METRICS_TOKEN}")
    assert status == 200
    return {name: float(value) for name, value in re.findall(r"^([^# ]\S*) (\S+)$", text, re.MULTILINE)}


def test_the_metrics_of_all_workers_are_added_up(service):
    before = samples(service)
    for seat in range(1, 21):
        service.book(1, seat)
    service.book(1, 1)
    figures = {name: value - before.get(name, 0) for name, value in samples(service).items()}
    assert figures["seats_booked_total"] == 20
    assert figures['refusals_total{code="seat_taken"}'] == 1
    route = 'method="POST",route="show-book"'
    assert figures[f'http_request_duration_seconds_count{{{route},status="201"}}'] == 20
    assert figures[f'http_request_duration_seconds_bucket{{le="+Inf",{route},status="409"}}'] == 1
    assert samples(service)["active_holds"] == 0


# --- Stopping under load ----------------------------------------------------------------------


# The other tests book none of these seats.
FIRST_SEAT = 1_001


class Customers:
    """Customers who book one seat after another at the first of two services, or at the second if it fails."""

    def __init__(self, *services):
        self.services = services
        self.answers = []
        self.news = Condition()
        self.home_time = Event()

    def book(self, customer):
        seat = FIRST_SEAT + customer // 4
        while not self.home_time.is_set():
            answer = self._first_answer(customer, seat, f"{customer}-{seat}")
            with self.news:
                self.answers.append(answer)
                self.news.notify_all()
            seat += 2

    def _first_answer(self, customer, seat, key):
        for service in self.services:
            with suppress(ConnectionError):
                return service, service.book(customer, seat, key)
        raise AssertionError("No service answers.")

    def wait_for(self, number, service):
        """Wait until the service has sent `number` responses."""
        with self.news:
            assert self.news.wait_for(lambda: self.answered_by(service) >= number, PATIENCE_SECONDS)

    def answered_by(self, service):
        return sum(by is service for by, _ in self.answers)


def test_a_stopped_service_finishes_its_requests(service, tmp_path):
    with served(service.url, service.shows, service.tokens, tmp_path, THREADS=THREADS) as stopped:
        customers = Customers(stopped, service)
        with ThreadPoolExecutor(CUSTOMERS) as pool:
            runs = [pool.submit(customers.book, customer) for customer in range(CUSTOMERS)]
            customers.wait_for(30, stopped)
            stopped.process.terminate()
            assert stopped.process.wait(PATIENCE_SECONDS) == 0
            customers.wait_for(30, service)
            customers.home_time.set()
        for done in runs:
            done.result()
    # One that began and wasn't answered would have been booked already when it came again.
    assert {(answer.status, answer.replayed) for _, answer in customers.answers} == {(201, None)}
    with closing(sqlite3.connect(service.url.removeprefix("sqlite:///"))) as database:
        booked = database.execute("SELECT count(*) FROM booking_booking WHERE seat_number >= ?", [FIRST_SEAT])
        assert booked.fetchone() == (len(customers.answers),)
