"""Failures of the database under the production server, on a separate PostgreSQL server."""

import os
import select
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Condition, Event, Thread

import psycopg
import pytest

from tests.service import CUSTOMERS, PATIENCE_SECONDS, filled_postgres, run, served, wait_until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def filled():
    with filled_postgres() as filled:
        yield filled


@pytest.fixture(scope="module")
def database(filled):
    return filled[0]


def stored(database, columns, condition="true"):
    """Return these columns of the active bookings."""
    with psycopg.connect(host=str(database.folder), user="postgres", dbname="postgres") as connection:
        query = f"SELECT {columns} FROM booking_booking WHERE status = 'booked' AND {condition}"
        return connection.execute(query).fetchall()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# --- The database killed ----------------------------------------------------------------------


class Crowd:
    """Customers who book one seat after the other, two of them the same ones, and retry after a 503."""

    def __init__(self, service):
        self.service = service
        self.answers = []
        self.news = Condition()
        self.home_time = Event()

    @contextmanager
    def booking(self):
        with ThreadPoolExecutor(CUSTOMERS) as pool:
            customers = [pool.submit(self.book, customer) for customer in range(CUSTOMERS)]
            try:
                yield
            finally:
                self.home_time.set()
        for customer in customers:
            customer.result()

    def book(self, customer):
        seat_number = 1
        while not self.home_time.is_set():
            answer = self.service.book(customer, seat_number)
            with self.news:
                self.answers.append(answer)
                self.news.notify_all()
            if answer.status == 503:
                self.home_time.wait(int(answer.retry_after))
            else:
                seat_number += 1

    def wait_for(self, number, status):
        """Wait for this number of further responses with this status."""
        with self.news:
            wanted = self.statuses[status] + number
            assert self.news.wait_for(lambda: self.statuses[status] >= wanted, PATIENCE_SECONDS), self.statuses

    @property
    def statuses(self):
        return Counter(answer.status for answer in self.answers)

    @property
    def acknowledged(self):
        """Booking, show and seat."""
        bookings = [answer.body for answer in self.answers if answer.status == 201]
        return [(booking["id"], booking["show"]["id"], booking["seat_number"]) for booking in bookings]


@pytest.fixture
def crowd_that_saw_the_database_killed(filled, tmp_path):
    """The customers, after the database was killed and restarted during their bookings."""
    database, *data = filled
    with served(database.url, *data, tmp_path) as service:
        crowd = Crowd(service)
        with crowd.booking():
            crowd.wait_for(40, 201)
            pid = database.pid
            database.kill()
            crowd.wait_for(CUSTOMERS, 503)
            # A server that is dead but still in the system's list looks alive to the next one.
            wait_until(lambda: is_gone(pid))
            database.start()
            crowd.wait_for(40, 201)
        yield crowd


def test_bookings_survive_the_database_killed_and_started_again_under_load(
    crowd_that_saw_the_database_killed, database
):
    crowd = crowd_that_saw_the_database_killed
    assert {(answer.status, answer.retry_after) for answer in crowd.answers} == {(201, None), (409, None), (503, "1")}
    assert set(crowd.acknowledged) - set(stored(database, "id, show_id, seat_number")) == set()
    assert Counter(stored(database, "show_id, seat_number")).most_common(1)[0][1] == 1
    audit = run(database.url, "manage.py", "audit")
    assert (audit.returncode, audit.stdout[:9], audit.stderr) == (0, "No breach", "")


# --- The connection cut between a commit and its answer ---------------------------------------


class Relay(BaseRequestHandler):
    """Forwards one connection's bytes in both directions until it closes the connection."""

    def handle(self):
        with socket.socket(socket.AF_UNIX) as database, suppress(ConnectionError):
            database.connect(self.server.database)
            cutting = False
            while True:
                for source in select.select([self.request, database], [], [])[0]:
                    message = source.recv(65536)
                    commits = b"COMMIT\0" in message
                    if source is self.request and commits and self.server.cut_next_commit.is_set():
                        self.server.cut_next_commit.clear()
                        cutting = True
                    elif source is database and commits and cutting:
                        self.server.has_cut.set()
                        return
                    if not message:
                        return
                    (database if source is self.request else self.request).sendall(message)


class Proxy(ThreadingTCPServer):
    """A proxy in front of the database; on request it forwards a commit and drops the response and the connection."""

    def __init__(self, database):
        super().__init__(("127.0.0.1", 0), Relay)
        self.database = str(database.folder / ".s.PGSQL.5432")
        self.cut_next_commit = Event()
        self.has_cut = Event()

    @property
    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.server_address[1]}/postgres"


@pytest.fixture(scope="module")
def proxy(database):
    with Proxy(database) as proxy:
        thread = Thread(target=partial(proxy.serve_forever, poll_interval=0.05))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def service(filled, proxy, tmp_path_factory):
    with served(proxy.url, *filled[1:], tmp_path_factory.mktemp("service"), WORKERS="1") as service:
        yield service


@pytest.fixture
def book(service, proxy, database):
    """Books a seat whose response of the commit is lost, and checks that it is stored once."""

    def book(seat, **options):
        proxy.has_cut.clear()
        proxy.cut_next_commit.set()
        answer = service.book(0, seat, **options)
        assert proxy.has_cut.is_set()
        assert (answer.status, answer.body["seat_number"]) == (201, seat)
        assert stored(database, "id", f"show_id = {service.shows[0]} AND seat_number = {seat}") == [
            (answer.body["id"],)
        ]
        return answer

    return book


def test_a_commit_with_a_lost_response_is_replayed_by_its_key(book):
    # The crowd has not come to this seat.
    assert book(4_001, key="k").replayed == "true"


def test_a_commit_with_a_lost_response_is_found_without_a_key(book):
    assert book(4_002).replayed is None
