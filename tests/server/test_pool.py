"""The service behind a real pool in transaction mode, where each transaction may be in another session."""

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256

import psycopg
import pytest
from django.db import connection

from movieticket.postgresql.connection import POOL_FOUND, Connection
from tests.pgbouncer import PROGRAM, pgbouncer
from tests.service import CUSTOMERS, filled_postgres, run, served

# Fewer than the threads of the service, each of which has a connection, so that they share sessions.
SESSIONS = 2
ROUNDS = 3

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no pool"),
    pytest.mark.skipif(not PROGRAM and "CI" not in os.environ, reason="pgbouncer is not installed"),
]


class Site:
    def __init__(self, database, shows, tokens, pool):
        self.database, self.shows, self.tokens, self.pool = database, shows, tokens, pool

    @contextmanager
    def serving(self, folder, **settings):
        settings |= {"WORKERS": "1", "THREADS": "8", "LOG_FORMAT": "text"}
        with served(self.pool, self.shows, self.tokens, folder, traced=True, **settings) as service:
            yield service

    def prepared_statements(self):
        """Return the prepared statements of all sessions of the pool."""
        found = {}
        with ExitStack() as stack:
            # Each transaction keeps a session, so together they have all.
            for _ in range(SESSIONS):
                client = stack.enter_context(psycopg.connect(self.pool, prepare_threshold=None))
                found |= dict(client.execute("SELECT name, statement FROM pg_prepared_statements").fetchall())
        return found


@pytest.fixture(scope="module")
def filled():
    """A server whose data breaks no rule after all tests."""
    with filled_postgres() as filled:
        yield filled
        assert audit(filled[0].url) == ""


@pytest.fixture
def site(filled):
    """A pool with new sessions, in front of a server with shows of its own."""
    database, *data = filled
    with pgbouncer(database, default_pool_size=str(SESSIONS)) as pool:
        yield Site(database, *data, pool)


def audit(url):
    """Return the stored breaches of the rules."""
    done = run(url, "manage.py", "audit")
    return "" if done.returncode == 0 else done.stdout + done.stderr


# --- Customers --------------------------------------------------------------------------------


class Customer:
    """Sends requests of many kinds, and records the status and the faults of each response."""

    def __init__(self, service, number):
        self.service = service
        self.token = service.tokens[number]
        self.show = service.shows[number % len(service.shows)]
        self.first = 100 * number
        self.statuses = Counter()
        self.wrong = []

    def ask(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content_Type": "application/json"}
        text = None if body is None else json.dumps(body)
        status, _, answer = self.service.ask(method, f"/api/{path}", text, **headers)
        self.statuses[status] += 1
        return status, json.loads(answer)

    def expect(self, found, expected):
        if found != expected:
            self.wrong.append((found, expected))

    def visit(self):
        for n in range(ROUNDS):
            self.book(n + 1)
            self.book_two(self.first + 2 * n + 1)
            self.hold_any()
            self.read()
        return self

    def book(self, seat):
        """Request this seat for two customers."""
        status, booking = self.ask("POST", f"shows/{self.show}/book/", {"seat_number": seat})
        if status == 201:
            self.expect((booking["seat_number"], booking["show"]["id"]), (seat, self.show))
            status, cancelled = self.ask("POST", f"bookings/{booking['id']}/cancel/")
            if status == 200:
                self.expect((cancelled["id"], cancelled["status"]), (booking["id"], "cancelled"))

    def book_two(self, seat):
        seats = [seat, seat + 1]
        status, group = self.ask("POST", f"shows/{self.show}/book-seats/", {"seat_numbers": seats})
        if status == 201:
            self.expect([booking["seat_number"] for booking in group["bookings"]], seats)

    def hold_any(self):
        status, group = self.ask("POST", f"shows/{self.show}/hold/", {"count": 3})
        if status == 201:
            self.expect(len(group["bookings"]), 3)

    def read(self):
        status, show = self.ask("GET", f"shows/{self.show}/")
        if status == 200:
            self.expect(show["id"], self.show)
        status, bookings = self.ask("GET", "my-bookings/")
        if status == 200:
            self.expect({booking["show"]["id"] for booking in bookings["results"]} - {self.show}, set())


def visits(service):
    """Return the number of responses by status, and their faults, of all customers together."""
    customers = [Customer(service, number) for number in range(CUSTOMERS)]
    with ThreadPoolExecutor(CUSTOMERS) as pool:
        done = list(pool.map(Customer.visit, customers))
    return sum((customer.statuses for customer in done), Counter()), [w for customer in done for w in customer.wrong]


def test_a_connection_detects_a_pool(site, caplog):
    direct = f"host={site.database.folder} user=postgres dbname=postgres"
    for url, is_pooled in ((direct, False), (site.pool, True)):
        with Connection.connect(url) as own:
            own.configure(None)
            assert own.is_pooled is is_pooled
    assert caplog.messages == [POOL_FOUND]


# --- With DATABASE_POOLED unset, true, and false, which is wrong here -------------------------


def test_an_undeclared_pool_is_detected_and_no_request_fails(site, tmp_path):
    with site.serving(tmp_path) as service:
        status, _, body = service.ask("GET", "/readyz")
        assert (status, json.loads(body)) == (200, {"status": "ok", "warning": POOL_FOUND})
        statuses, wrong = visits(service)
        assert (statuses.keys() - {200, 201, 409}, wrong) == (set(), [])
        assert site.prepared_statements() == {}
        assert POOL_FOUND in service.stderr.read_text()


def test_a_declared_pool_gets_no_warning_and_no_request_fails(site, tmp_path):
    with site.serving(tmp_path, DATABASE_POOLED="true") as service:
        statuses, wrong = visits(service)
        assert (statuses.keys() - {200, 201, 409}, wrong) == (set(), [])
        assert site.prepared_statements() == {}
        assert POOL_FOUND not in service.stderr.read_text()
        assert json.loads(service.ask("GET", "/readyz")[2]) == {"status": "ok"}


def test_with_a_wrong_declaration_of_the_pool_no_response_is_wrong(site, tmp_path):
    with site.serving(tmp_path, DATABASE_POOLED="false") as service:
        statuses, wrong = visits(service)
        assert (statuses.keys() - {200, 201, 409, 503}, wrong) == (set(), [])
        assert statuses[201] > 0
        statements = site.prepared_statements()
        assert len(statements) > 5
        assert statements == {
            f"movieticket_{sha256(text.encode()).hexdigest()[:32]}": text for text in statements.values()
        }
