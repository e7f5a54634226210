"""A request waits for a locked table only until its deadline."""

import time
from contextlib import contextmanager
from threading import Timer

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InternalError, close_old_connections, connection

from booking.models import Movie
from booking.services import is_transient_error
from movieticket.deadline import seconds_left, with_staff_deadline
from tests.factories import make_movie

postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is no server to wait for")


@contextmanager
def locked(table):
    """Lock the table on another connection; yields a function that releases the lock, on any thread."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table}")
        yield other.connection.rollback
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


# --- Pages of the staff -----------------------------------------------------------------------


@pytest.fixture
def boss(staff, settings, long_timeout):
    """A client of staff, in a service whose pages have three seconds and whose reports a minute, also for locks."""
    settings.DATABASE_SECONDS, settings.STAFF_DATABASE_SECONDS = 3, 60
    staff.raise_request_exception = False
    # The time that a connection waits for a lock is set when it opens.
    connection.close()
    yield staff
    connection.close()


@postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("movie/", "booking_user"),
        ("movie/", "booking_movie"),
        ("show/plan/", "booking_show"),
        # Before the view is reached.
        ("booking/reports/", "booking_user"),
        ("movie/import/", "booking_user"),
    ],
)
def test_a_page_of_the_admin_ends_at_its_deadline(boss, page, table, settings):
    settings.DATABASE_SECONDS = 0.5
    with locked(table):
        began = time.monotonic()
        answer = boss.get(f"/admin/booking/{page}")
    assert answer.status_code == 503
    assert 0.5 <= time.monotonic() - began < 20


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_report_may_take_longer(boss):
    with locked("booking_show") as unlock:
        began = time.monotonic()
        Timer(4, unlock).start()
        answer = boss.get("/admin/booking/booking/reports/")
    assert answer.status_code == 200
    assert time.monotonic() - began >= 4


@postgresql
@pytest.mark.django_db(transaction=True)
def test_an_import_may_take_longer(boss):
    content = b"title,duration_minutes,certificate,release_date,genre,director\nAlien,117,,,,\n"
    upload = boss.post("/admin/booking/movie/import/", {"file": SimpleUploadedFile("movies.csv", content)})
    with locked("booking_movie") as unlock:
        began = time.monotonic()
        Timer(4, unlock).start()
        answer = boss.post(upload.url)
    assert (answer.status_code, Movie.objects.count()) == (302, 1)
    assert time.monotonic() - began >= 4


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_report_ends_at_its_own_deadline(boss, settings):
    settings.STAFF_DATABASE_SECONDS = 4
    with locked("booking_show"):
        began = time.monotonic()
        answer = boss.get("/admin/booking/booking/reports/")
    assert answer.status_code == 503
    assert 4 <= time.monotonic() - began < 20


def test_outside_a_request_a_slow_view_has_no_deadline():
    assert with_staff_deadline(seconds_left)() is None


@pytest.mark.django_db
def test_outside_a_request_there_is_no_deadline():
    assert (Movie.objects.count(), seconds_left()) == (0, None)


def test_an_unexpected_result_is_reported_as_a_broken_connection():
    """psycopg's exception when PgBouncer forwards a second error."""
    assert is_transient_error(error=InternalError("received 2 results from command 'BEGIN'"))
