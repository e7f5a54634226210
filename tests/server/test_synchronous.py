"""A PostgreSQL server whose commits wait for a missing replica: the responses and their times.

The requests are sent in a process of its own; the server is the test's own too.
"""

import json
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings

from tests.service import PROJECT, environment, filled_postgres, wait_until

pytestmark = pytest.mark.server

ASK = f"import django; django.setup(); from {__name__} import ask; ask()"


def ask():
    """Send each request of the standard input in a separate process, and print the responses."""
    from rest_framework.test import APIClient

    for line in sys.stdin:
        token, path, body, key, settings.DATABASE_SECONDS = json.loads(line)
        client = APIClient(headers={"Authorization": f"Bearer {token}", "Host": "127.0.0.1"})
        answer = client.post(path, body, **({"HTTP_IDEMPOTENCY_KEY": key} if key else {})) if body else client.get(path)
        answered = [answer.status_code, answer.headers.get("Idempotency-Replayed"), answer.json()]
        print(json.dumps(answered), flush=True)


class Site:
    def __init__(self, database, shows, tokens, process):
        self.database, self.shows, self.tokens, self.process = database, shows, tokens, process
        # The first reader of a row may set hint bits, which wait for a replica with the count of the attempts.
        self.run("VACUUM")

    def run(self, sql):
        """Return a connection of a superuser whose commits don't wait for a replica."""
        with psycopg.connect(host=str(self.database.folder), user="postgres", autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            return connection.execute(sql)

    def want_replica(self, name):
        self.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.run("SELECT pg_reload_conf()")
        wait_until(lambda: self.run("SHOW synchronous_standby_names").fetchone() == (name,))

    def send(self, path, body=None, key=None, seconds=60, customer=0):
        """Begins a request that may take `seconds`; `answer` waits for its end."""
        self.process.stdin.write(json.dumps([self.tokens[customer], path, body, key, seconds]) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """Status, whether it was replayed, and the body."""
        return json.loads(self.process.stdout.readline())

    def book(self, seat, **options):
        self.send(f"/api/shows/{self.shows[0]}/book/", {"seat_number": seat}, **options)

    def waiting(self):
        """Return the server's processes whose commit waits for a replica."""
        rows = self.run("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()
        return {pid for (pid,) in rows}

    def end_wait(self, function):
        wait_until(self.waiting)
        [pid] = self.waiting()
        self.run(f"SELECT {function}({pid})")

    def seats(self):
        return self.run("SELECT seat_number FROM booking_booking WHERE status = 'booked'").fetchall()


@pytest.fixture(scope="module")
def filled_site():
    with filled_postgres() as (database, *data):
        process = subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=PROJECT,
            env=environment(database.url, LOG_FORMAT="text"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        yield Site(database, *data, process)
        process.communicate()


@pytest.fixture
def site(filled_site):
    """Deletes all bookings, and requires a replica that is missing."""
    filled_site.want_replica("nobody")
    yield filled_site
    filled_site.want_replica("")
    wait_until(lambda: not filled_site.waiting())
    filled_site.run("TRUNCATE booking_booking, booking_idempotencykey")


def test_a_commit_whose_wait_was_cancelled_is_not_reported_as_a_booking(site):
    site.book(7, seconds=3)
    site.end_wait("pg_cancel_backend")
    status, _, body = site.answer()
    assert (status, body["code"]) == (503, "busy")
    # It is stored nevertheless, as after any commit whose response was lost.
    assert site.seats() == [(7,)]


def test_a_commit_whose_wait_ended_with_its_connection_is_not_reported_as_a_booking(site):
    site.book(7, seconds=3)
    site.end_wait("pg_terminate_backend")
    assert site.answer()[0] == 503


def test_a_commit_whose_wait_was_cancelled_is_reported_once_no_replica_is_required(site):
    site.book(7)
    site.end_wait("pg_cancel_backend")
    wait_until(site.waiting)
    site.want_replica("")
    status, _, body = site.answer()
    assert (status, body["seat_number"], site.seats()) == (201, 7, [(7,)])


def test_a_commit_that_waits_too_long_is_busy_and_invisible(site):
    site.book(7, seconds=2)
    assert site.answer()[0] == 503
    assert (len(site.waiting()), site.seats()) == (1, [])


def test_a_replay_is_not_returned_before_a_replica_has_the_booking(site):
    site.book(7, key="k", seconds=3)
    site.end_wait("pg_cancel_backend")
    assert site.answer()[0] == 503
    site.book(7, key="k", seconds=2)
    assert site.answer()[0] == 503
    site.want_replica("")
    wait_until(lambda: not site.waiting())
    site.book(7, key="k")
    status, replayed, body = site.answer()
    assert (status, replayed, body["seat_number"]) == (201, "true", 7)


def test_signing_out_everywhere_is_not_confirmed_before_a_replica_has_it(site):
    site.send("/api/me/logout-everywhere/", {"everywhere": True}, customer=1)
    site.end_wait("pg_cancel_backend")
    status, _, body = site.answer()
    assert (status, body["code"]) == (503, "busy")


def test_reads_go_on_without_a_replica(site):
    site.send("/api/movies/", seconds=2)
    assert site.answer()[0] == 200
