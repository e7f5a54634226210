"""A primary and a streaming replica of the test's own: what is read where, and that nobody can tell.

The service runs in a process of its own, which is sent one line for each request.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import psycopg
import pytest

from movieticket.replica import REPLICA, CatalogueRouter
from tests.postgres_server import postgres_server
from tests.service import PROJECT, environment, filled, wait_until

SERVE = "import django; django.setup(); from tests.test_replica import serve; serve()"


def serve():
    """Answers each request on a line of standard input; tells how many statements the replica was sent for it."""
    from django.db import connections
    from rest_framework.test import APIClient

    asked = []
    with connections["replica"].execute_wrapper(lambda run, *call: asked.append(call[0]) or run(*call)):
        for line in sys.stdin:
            token, path, body = json.loads(line)
            client = APIClient(headers={"Host": "127.0.0.1"} | ({"Authorization": f"Bearer {token}"} if token else {}))
            asked.clear()
            answer = client.post(path, body) if body else client.get(path)
            print(json.dumps([answer.status_code, answer.json(), len(asked)]), flush=True)


class Service:
    def __init__(self, process, shows, tokens):
        self._process, self.shows, self.tokens = process, shows, tokens

    def send(self, path, body=None, token=None):
        """Status, body and the number of statements that the replica was sent."""
        self._process.stdin.write(json.dumps([token, path, body]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def titles(self, query):
        """The titles of the movies found, and whether they were read from the replica."""
        status, body, asked = self.send(f"/api/movies/?search={query}")
        assert status == 200
        # One to ask for its version, and those for the movies.
        return [movie["title"] for movie in body["results"]], asked > 1


@contextmanager
def running(primary, replica_url, shows, tokens):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=PROJECT,
        env=environment(primary.url, REPLICA_URL=replica_url, LOG_FORMAT="text"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Service(process, shows, tokens)


def run(server, sql):
    with psycopg.connect(host=str(server.folder), user="postgres", autocommit=True) as connection:
        return connection.execute(sql)


@pytest.fixture(scope="module")
def primary():
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def fillings(primary):
    return filled(primary.url)


@pytest.fixture(scope="module")
def replica(primary, fillings):
    with postgres_server(primary) as server:
        yield server


@pytest.fixture
def service(primary, replica, fillings):
    with running(primary, replica.url, *fillings) as service:
        yield service


@pytest.fixture
def add(primary, replica):
    """Adds a movie, past all services, and waits until the replica has it, unless told otherwise."""

    def add(title, *, wait=True):
        columns = "title, description, duration_minutes, certificate, language, genre, director"
        run(primary, f"INSERT INTO booking_movie ({columns}) VALUES ('{title}', '', 90, '', '', '', '')")
        found = f"SELECT 1 FROM booking_movie WHERE title = '{title}'"
        if wait:
            wait_until(lambda: run(replica, found).fetchone())

    return add


@pytest.fixture
def behind(replica):
    """The replica gets changes and shows none of them."""
    run(replica, "SELECT pg_wal_replay_pause()")
    yield
    run(replica, "SELECT pg_wal_replay_resume()")


def test_movies_are_read_from_a_replica_that_has_all_changes(service, add):
    add("Alien")
    assert service.titles("Alien") == (["Alien"], True)


def test_a_movie_that_the_replica_has_not_got_yet_is_in_the_next_list(service, add, behind):
    add("Brazil", wait=False)
    assert service.titles("Brazil") == (["Brazil"], False)


def test_a_movies_page_and_its_shows_are_read_from_the_replica(service):
    movie = service.send(f"/api/shows/{service.shows[0]}/")[1]["movie"]["id"]
    assert service.send(f"/api/movies/{movie}/")[2] > 1
    assert service.send(f"/api/movies/{movie}/shows/")[2] > 1
    assert service.send("/api/movies/999999/")[0] == 404


def test_a_booking_is_seen_at_once_however_far_behind_the_replica_is(service, behind):
    token, show = service.tokens[0], service.shows[1]
    movie = service.send(f"/api/shows/{show}/")[1]["movie"]["id"]
    free = service.send(f"/api/movies/{movie}/shows/")[1]["results"][0]["seats_available"]
    status, _, asked = service.send(f"/api/shows/{show}/book/", {"seat_number": 7}, token)
    assert (status, asked) == (201, 0)
    assert service.send(f"/api/movies/{movie}/shows/")[1]["results"][0]["seats_available"] == free - 1
    status, bookings, asked = service.send("/api/my-bookings/", token=token)
    assert (bookings["count"], asked) == (1, 0)
    [seat] = service.send(f"/api/shows/{show}/seats/", token=token)[1]["unavailable"]
    assert (seat["seat_number"], seat["mine"]) == (7, True)


class HangUp(BaseRequestHandler):
    """Notes that somebody came, and says nothing."""

    def handle(self):
        self.server.visits.append(self.client_address)


@pytest.fixture
def silent():
    """Where a replica was: a port on which each connection is closed at once."""
    with ThreadingTCPServer(("127.0.0.1", 0), HangUp) as server:
        server.visits = []
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_replica_that_is_away_is_done_without_and_not_asked_again_at_once(primary, fillings, add, silent):
    add("Casablanca")
    with running(primary, f"postgres://postgres@127.0.0.1:{silent.server_address[1]}/postgres", *fillings) as service:
        assert service.titles("Casablanca") == (["Casablanca"], False)
        visits = len(silent.visits)
        assert service.titles("casablanca") == (["Casablanca"], False)
    assert (visits > 0, len(silent.visits)) == (True, visits)


def test_a_replica_without_the_tables_of_this_version_is_done_without(primary, fillings, add):
    add("Dracula")
    run(primary, "CREATE DATABASE bare")
    with running(primary, primary.url.removesuffix("postgres") + "bare", *fillings) as service:
        assert service.titles("Dracula") == (["Dracula"], False)


def test_migrations_leave_the_replica_alone(primary, fillings):
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    settings = environment(primary.url) | {"REPLICA_URL": "postgres://postgres@127.0.0.1:1/postgres"}
    assert subprocess.run(command, cwd=PROJECT, env=os.environ | settings, check=False).returncode == 0
    assert [CatalogueRouter().allow_migrate(alias, "booking") for alias in ("default", REPLICA)] == [True, False]
