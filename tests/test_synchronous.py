"""A PostgreSQL that should wait for a replica with each commit, and has none: what is told then, and when.

Each booking is a request to the service in a process of its own; the server is the test's own too.
"""

import json
import subprocess
import sys

import psycopg
import pytest

from tests.postgres_server import postgres_server
from tests.service import PROJECT, environment, filled, wait_until

pytestmark = pytest.mark.server

ASK = f"import django; django.setup(); from {__name__} import ask; ask()"


def ask():
    """In a process of its own: sends the request that its standard input names and prints the answer."""
    from rest_framework.test import APIClient

    token, path, body, key = json.load(sys.stdin)
    client = APIClient(headers={"Authorization": f"Bearer {token}", "Host": "127.0.0.1"})
    answer = client.post(path, body, **({"HTTP_IDEMPOTENCY_KEY": key} if key else {})) if body else client.get(path)
    print(json.dumps([answer.status_code, answer.headers.get("Idempotency-Replayed"), answer.json()]))


class Site:
    def __init__(self, database):
        self.database = database
        self.shows, self.tokens = filled(database.url)
        # Who is the first to read a row may mark it, and such a mark, made with a count of tries, waits for a replica.
        self.run("VACUUM")

    def run(self, sql):
        """As a superuser whose own commits wait for nobody."""
        with psycopg.connect(host=str(self.database.folder), user="postgres", autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")
            return connection.execute(sql)

    def want_replica(self, name):
        self.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.run("SELECT pg_reload_conf()")
        wait_until(lambda: self.run("SHOW synchronous_standby_names").fetchone() == (name,))

    def send(self, path, body=None, key=None, seconds="60", customer=0):
        """A request that is under way."""
        process = subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=PROJECT,
            env=environment(self.database.url, DATABASE_SECONDS=seconds, LOG_FORMAT="text"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        json.dump([self.tokens[customer], path, body, key], process.stdin)
        process.stdin.flush()
        process.stdin.close()
        process.stdin = None
        return process

    def book(self, seat, **options):
        return self.send(f"/api/shows/{self.shows[0]}/book/", {"seat_number": seat}, **options)

    def waiting(self):
        """The servers' processes whose commit waits for a replica."""
        rows = self.run("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()
        return {pid for (pid,) in rows}

    def end_wait(self, function):
        wait_until(self.waiting)
        [pid] = self.waiting()
        self.run(f"SELECT {function}({pid})")

    def seats(self):
        return self.run("SELECT seat_number FROM booking_booking WHERE status = 'booked'").fetchall()


def answer_of(process):
    """Status, whether it was replayed, and the body."""
    output, _ = process.communicate(timeout=60)
    return json.loads(output)


@pytest.fixture(scope="module")
def filled_site():
    with postgres_server() as database:
        yield Site(database)


@pytest.fixture
def site(filled_site):
    """No booking yet, and a replica wanted that is not there."""
    filled_site.want_replica("nobody")
    yield filled_site
    filled_site.want_replica("")
    wait_until(lambda: not filled_site.waiting())
    filled_site.run("TRUNCATE booking_booking, booking_idempotencykey")


def test_a_commit_whose_wait_was_cancelled_is_no_booking_told(site):
    booking = site.book(7, seconds="6")
    site.end_wait("pg_cancel_backend")
    status, _, body = answer_of(booking)
    assert (status, body["code"]) == (503, "busy")
    # It is there all the same, as after any commit whose answer got lost.
    assert site.seats() == [(7,)]


def test_a_commit_whose_wait_was_ended_with_its_connection_is_no_booking_told(site):
    booking = site.book(7, seconds="6")
    site.end_wait("pg_terminate_backend")
    assert answer_of(booking)[0] == 503


def test_a_commit_whose_wait_was_cancelled_is_told_once_a_replica_is_not_wanted_any_more(site):
    booking = site.book(7)
    site.end_wait("pg_cancel_backend")
    wait_until(site.waiting)
    site.want_replica("")
    status, _, body = answer_of(booking)
    assert (status, body["seat_number"], site.seats()) == (201, 7, [(7,)])


def test_a_commit_that_waits_too_long_is_busy_and_seen_by_nobody(site):
    assert answer_of(site.book(7, seconds="3"))[0] == 503
    assert (len(site.waiting()), site.seats()) == (1, [])


def test_a_replay_is_not_told_before_a_replica_has_the_booking(site):
    booking = site.book(7, key="k", seconds="6")
    site.end_wait("pg_cancel_backend")
    assert answer_of(booking)[0] == 503
    assert answer_of(site.book(7, key="k", seconds="3"))[0] == 503
    site.want_replica("")
    wait_until(lambda: not site.waiting())
    status, replayed, body = answer_of(site.book(7, key="k"))
    assert (status, replayed, body["seat_number"]) == (201, "true", 7)


def test_signing_out_everywhere_is_not_told_before_a_replica_knows(site):
    signing_out = site.send("/api/me/logout-everywhere/", {"everywhere": True}, customer=1)
    site.end_wait("pg_cancel_backend")
    status, _, body = answer_of(signing_out)
    assert (status, body["code"]) == (503, "busy")


def test_reads_go_on_without_a_replica(site):
    assert answer_of(site.send("/api/movies/", seconds="3"))[0] == 200
