"""A request waits for the database no longer than it may, on a real lock that is never given up."""

import time
from contextlib import contextmanager

import pytest
from django.db import InternalError, close_old_connections, connection

from booking.models import Movie
from booking.services import broke_off
from movieticket.deadline import seconds_left
from tests.factories import make_movie

postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is no server to wait for")


@contextmanager
def locked(table):
    """Another connection keeps everybody else from the table."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table}")
        yield
    finally:
        other.close()
        # As Django does after each request, but for those of a test.
        close_old_connections()


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_read_ends_at_its_deadline(anyone, settings):
    settings.DATABASE_SECONDS = 0.5
    with locked("booking_movie"):
        began = time.monotonic()
        answer = anyone.get("/api/movies/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert 0.5 <= time.monotonic() - began < 20


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_booking_ends_at_its_deadline(client, show, settings):
    settings.DATABASE_SECONDS = 0.5
    with locked("booking_idempotencykey"):
        path = f"/api/shows/{show.pk}/book/"
        answer = client.post(path, {"seat_number": 7}, HTTP_IDEMPOTENCY_KEY="k")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


@postgresql
@pytest.mark.django_db(transaction=True)
def test_the_next_request_has_a_deadline_and_a_connection_of_its_own(anyone, settings):
    make_movie(title="A")
    settings.DATABASE_SECONDS = 0.5
    with locked("booking_movie"):
        anyone.get("/api/movies/")
    settings.DATABASE_SECONDS = 10
    assert anyone.get("/api/movies/").json()["count"] == 1


@pytest.mark.django_db
def test_outside_a_request_there_is_no_deadline():
    assert (Movie.objects.count(), seconds_left()) == (0, None)


def test_an_answer_too_many_is_a_connection_that_broke_off():
    """As psycopg puts it when PgBouncer passes on two goodbyes."""
    assert broke_off(InternalError("received 2 results from command 'BEGIN'"))
