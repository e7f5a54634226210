"""Services whose connection breaks because the server terminates it."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import DataError, connection

from booking.models import Booking
from booking.serializers import represent_only
from booking.services import (
    IdempotentRequest,
    Replay,
    block_seats,
    book_seat,
    book_seats,
    cancel_booking,
    hold_seats,
    move_booking,
)
from booking.services.seats.rules.seats import SeatTaken
from booking.services.transactions import Interrupted, retried
from tests.factories import NOW, make_booking, make_hold, make_user
from tests.races import at_once

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection that could be cut"),
    pytest.mark.django_db(transaction=True),
]

LOCK = "FOR NO KEY UPDATE"
INSERT = 'INSERT INTO "booking_booking"'
UPDATE = 'UPDATE "booking_booking"'
MINUTE = timedelta(minutes=1)


def cut():
    """Let the server terminate this thread's connection."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])
    other.close()


@contextmanager
def cut_before(text, times=1, then=lambda: None):
    """Cuts the connection before the first round trips that contain `text`, and calls `then`."""
    left = [cut] * times

    def intercept(execute, sql, params, many, context):
        if text in sql and left:
            left.pop()()
            then()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(intercept):
        yield
    assert left == [] or times > 1


@contextmanager
def answer_lost(text):
    """Cuts the connection after the first round trip that contains `text`, as if its answer was lost."""
    left = [cut]

    def intercept(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if text in sql and left:
            left.pop()()
            with connection.wrap_database_errors:
                connection.connection.execute("SELECT 1")
        return result

    with connection.execute_wrapper(intercept):
        yield
    assert left == []


def idempotent(user):
    return IdempotentRequest(user, "key", "book", {"seat_number": 7}, represent_only)


def book(user, show, idempotency=None):
    return book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW, idempotency=idempotency)


def hold(user, show, *seat_numbers, now=NOW):
    return hold_seats(user=user, show_id=show.pk, seat_numbers=seat_numbers, now=now)


# --- Nothing was committed --------------------------------------------------------------------


@pytest.mark.parametrize("text", [LOCK, INSERT])
def test_a_booking_is_made_when_the_connection_breaks_before(user, show, text):
    with cut_before(text):
        booking = book(user, show)
    assert list(Booking.objects.all()) == [booking]
    assert (booking.show, booking.seat_number) == (show, 7)


def test_a_booking_with_a_key_is_made_once_when_the_connection_breaks_before_its_commit(user, show):
    with cut_before('INSERT INTO "booking_idempotencykey"'):
        booking = book(user, show, idempotent(user))
    with pytest.raises(Replay) as replay:
        book(user, show, idempotent(user))
    assert (replay.value.response["id"], Booking.objects.count()) == (booking.pk, 1)


def test_a_seat_that_was_booked_before_the_retry_is_taken(user, show):
    rival = make_user()
    rival_books = lambda: at_once([lambda: make_booking(user=rival, show=show, seat_number=7)])  # noqa: E731
    with pytest.raises(SeatTaken), cut_before(INSERT, then=rival_books):
        book(user, show)
    assert [booking.user for booking in Booking.objects.all()] == [rival]


def test_another_seat_booked_at_the_same_microsecond_is_not_the_lost_booking(user, show):
    other = make_booking(user=user, show=show, seat_number=8, created_at=NOW)
    with cut_before(INSERT):
        booking = book(user, show)
    assert (booking.seat_number, booking == other) == (7, False)
    assert Booking.objects.count() == 2


def test_a_hold_of_the_same_microsecond_is_not_the_lost_booking(user, show):
    [made] = hold(user, show, 7)
    with cut_before(UPDATE):
        booking = book(user, show)
    made.refresh_from_db()
    assert (booking, booking.status, made.status) == (made, "booked", "booked")


def test_a_booking_of_another_customer_at_the_same_microsecond_is_not_the_lost_booking(user, show):
    rival = make_user()
    rival_books = lambda: at_once([lambda: book(rival, show)])  # noqa: E731
    with pytest.raises(SeatTaken), cut_before(INSERT, then=rival_books):
        book(user, show)
    assert [booking.user for booking in Booking.objects.all()] == [rival]


def test_a_cancelled_booking_of_the_same_microsecond_is_not_the_lost_booking(user, show):
    make_booking(user=user, show=show, seat_number=7, status="cancelled", created_at=NOW)
    with cut_before(INSERT):
        booking = book(user, show)
    assert list(Booking.objects.filter(status="booked")) == [booking]


def test_a_cancellation_is_made_when_the_connection_breaks_before(user, show):
    booking = make_booking(user=user, show=show)
    with cut_before(UPDATE):
        cancelled = cancel_booking(booking_id=booking.pk, user=user, now=NOW)
    assert cancelled.status == "cancelled"


def test_a_read_before_the_transaction_is_repeated(user, show):
    booking = make_booking(user=user, show=show)
    with cut_before("SELECT"):
        cancelled = cancel_booking(booking_id=booking.pk, user=user, now=NOW)
    assert cancelled.status == "cancelled"


def test_a_wrong_statement_is_not_repeated():
    with pytest.raises(DataError):
        retried(connection.cursor().execute)("SELECT 1 / 0")


def test_retries_end_after_a_time_limit(user, show, monkeypatch):
    monkeypatch.setattr("booking.services.transactions.RETRY_SECONDS", 0.05)
    with cut_before(INSERT, times=100), pytest.raises(Interrupted):
        book(user, show)
    assert Booking.objects.count() == 0


# --- The answer to the commit was lost --------------------------------------------------------


def test_a_booking_is_found_after_its_answer_was_lost(user, show):
    with answer_lost(INSERT):
        booking = book(user, show)
    assert list(Booking.objects.all()) == [booking]
    assert (booking.show.movie, booking.seat_number, booking.status) == (show.movie, 7, "booked")


def test_a_booking_with_a_key_is_replayed_after_its_answer_was_lost(user, show):
    with pytest.raises(Replay) as replay, answer_lost('INSERT INTO "booking_idempotencykey"'):
        book(user, show, idempotent(user))
    assert [booking.pk for booking in Booking.objects.all()] == [replay.value.response["id"]]


def test_the_best_seats_are_found_after_their_answer_was_lost(user, show):
    with answer_lost(INSERT):
        bookings = book_seats(user=user, show_id=show.pk, count=3, now=NOW)
    assert list(Booking.objects.order_by("seat_number")) == bookings
    assert [booking.seat_number for booking in bookings] == [24, 25, 26]


def test_a_hold_is_found_after_its_answer_was_lost(user, show):
    with answer_lost(INSERT):
        [made] = hold(user, show, 7)
    assert (list(Booking.objects.all()), made.status) == ([made], "held")


def test_a_renewed_hold_and_a_new_one_are_found_after_their_answer_was_lost(user, show):
    hold(user, show, 7)
    with answer_lost(INSERT):
        holds = hold(user, show, 7, 8, now=NOW + MINUTE)
    assert list(Booking.objects.order_by("seat_number")) == holds
    assert [made.seat_number for made in holds] == [7, 8]


def test_a_booked_hold_is_found_after_its_answer_was_lost(user, show):
    made = make_hold(user=user, show=show, seat_number=7)
    with answer_lost(UPDATE):
        booking = book(user, show)
    assert (booking, booking.status) == (made, "booked")


def test_a_move_is_found_after_its_answer_was_lost(user, show):
    booking = make_booking(user=user, show=show, seat_number=7)
    with answer_lost(UPDATE):
        moved = move_booking(user=user, booking_id=booking.pk, seat_number=8, now=NOW)
    assert (moved.pk, moved.seat_number, LogEntry.objects.count()) == (booking.pk, 8, 1)


def test_a_sale_by_staff_is_found_after_its_answer_was_lost(user, show):
    with answer_lost('INSERT INTO "django_admin_log"'):
        book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW, sold_by=make_user(is_staff=True))
    assert (Booking.objects.count(), LogEntry.objects.count()) == (1, 1)


def test_blocked_seats_are_found_after_their_answer_was_lost(show):
    with answer_lost(INSERT):
        blocked = block_seats(show_id=show.pk, seat_numbers=[7, 8], reason="Broken", now=NOW)
    assert list(Booking.objects.order_by("seat_number")) == blocked


def test_a_cancellation_whose_answer_was_lost_is_not_repeated(user, show):
    booking = make_booking(user=user, show=show)
    with pytest.raises(Interrupted), commit_lost():
        cancel_booking(booking_id=booking.pk, user=user, now=NOW)
    booking.refresh_from_db()
    assert booking.status == "cancelled"


@contextmanager
def commit_lost():
    """Cuts the connection after the next COMMIT that Django sends."""

    def lose():
        del connection.commit
        connection.commit()
        cut()
        with connection.wrap_database_errors:
            connection.connection.execute("SELECT 1")

    connection.commit = lose
    yield
