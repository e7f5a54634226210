"""A connection that breaks in the middle of a service, on a real one that the server really cuts."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import DataError, connection

from booking.models import Booking
from booking.serializers import represent_only
from booking.services import Receipt, Replay, book_seat, book_seats, cancel_booking, hold_seats
from booking.services.locks import Interrupted, retried
from tests.factories import NOW, make_booking

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection that could be cut"),
    pytest.mark.django_db(transaction=True),
]


def cut():
    """Ends this thread's connection from the server's side, by another one."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])
    other.close()


@contextmanager
def cut_at(start, *, before=True, commit=False, times=1):
    """Cuts the connection before or after the first statements that hold `start`, after a commit perhaps."""
    left = [cut] * times

    def intercept(execute, sql, params, many, context):
        hit = start in sql and left
        if hit and before:
            left.pop()()
        result = execute(sql, params, many, context)
        if hit and not before:
            if commit:
                connection.connection.commit()
                # Something to commit, so that the cut is noticed there.
                connection.connection.execute("SELECT 1")
            left.pop()()
        return result

    with connection.execute_wrapper(intercept):
        yield left


INSERT = 'INSERT INTO "booking_booking"'


either_way = pytest.mark.parametrize("way", ["at once", "step by step"])


@pytest.fixture
def _way(request, way):
    if way == "step by step":
        request.getfixturevalue("_step_by_step")


def book(user, show, receipt=None):
    return book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW, receipt=receipt)


def receipt():
    return Receipt("key", "book", {"seat_number": 7}, represent_only)


@either_way
@pytest.mark.usefixtures("_way")
def test_a_booking_cut_off_before_it_is_written_is_made_all_the_same(user, show):
    with cut_at(INSERT) as left:
        assert book(user, show).seat_number == 7
    assert (left, Booking.objects.count()) == ([], 1)


@pytest.mark.usefixtures("_step_by_step")
def test_a_booking_cut_off_at_its_commit_is_made_once(user, show):
    with cut_at(INSERT, before=False) as left:
        booking = book(user, show)
    assert (left, [booking]) == ([], list(Booking.objects.all()))
    assert (booking.show, booking.seat_number) == (show, 7)


@either_way
@pytest.mark.usefixtures("_way")
def test_a_booking_whose_commit_was_not_heard_of_is_found_again(user, show):
    with cut_at(INSERT, before=False, commit=True) as left:
        booking = book(user, show)
    assert (left, [booking]) == ([], list(Booking.objects.all()))


def test_the_best_seats_are_not_booked_twice_when_the_commit_was_not_heard_of(user, show):
    with cut_at(INSERT, before=False, commit=True):
        bookings = book_seats(user=user, show_id=show.pk, count=3, now=NOW)
    assert bookings == list(Booking.objects.order_by("seat_number"))
    assert len(bookings) == 3


def test_a_seat_held_already_when_the_commit_was_not_heard_of_is_held_once(user, show):
    with cut_at(INSERT, before=False, commit=True):
        [hold] = hold_seats(user=user, show_id=show.pk, seat_numbers=[7], now=NOW)
    assert [hold] == list(Booking.objects.all())


def test_seats_of_which_one_was_held_already_are_all_told_when_the_commit_was_not_heard_of(user, show):
    hold_seats(user=user, show_id=show.pk, seat_numbers=[7], now=NOW)
    with cut_at(INSERT, before=False, commit=True):
        holds = hold_seats(user=user, show_id=show.pk, seat_numbers=[7, 8], now=NOW + timedelta(minutes=1))
    assert holds == list(Booking.objects.order_by("seat_number"))
    assert [hold.seat_number for hold in holds] == [7, 8]


def test_a_booking_with_a_receipt_is_tried_again_after_a_cut_at_its_commit(user, show):
    with cut_at('INSERT INTO "booking_idempotencykey"', before=False):
        made = book(user, show, receipt())
    with pytest.raises(Replay) as replay:
        book(user, show, receipt())
    assert (replay.value.answer["id"], Booking.objects.count()) == (made.pk, 1)


def test_a_cancellation_cut_off_is_made_all_the_same(user, show):
    booking = make_booking(user=user, show=show)
    with cut_at('UPDATE "booking_booking"'):
        cancelled = cancel_booking(booking_id=booking.pk, user=user, now=NOW + timedelta(hours=1))
    assert cancelled.status == "cancelled"


def test_a_read_cut_off_before_the_transaction_is_made_again(user, show):
    booking = make_booking(user=user, show=show)
    with cut_at("SELECT") as left:
        cancelled = cancel_booking(booking_id=booking.pk, user=user, now=NOW + timedelta(hours=1))
    assert (left, cancelled.status) == ([], "cancelled")


def test_a_statement_that_is_wrong_is_not_tried_again():
    with pytest.raises(DataError):
        retried(connection.cursor().execute)("SELECT 1 / 0")


@either_way
@pytest.mark.usefixtures("_way")
def test_retries_end(user, show, monkeypatch):
    monkeypatch.setattr("booking.services.locks.RETRY_SECONDS", 0.05)
    with cut_at(INSERT, times=100), pytest.raises(Interrupted):
        book(user, show)
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("key", ["", "é", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused_by_name(client, show, key):
    answer = client.post(f"/api/shows/{show.pk}/book/", {"seat_number": 7}, HTTP_IDEMPOTENCY_KEY=key)
    reasons = ["Enter 1 to 255 printable ASCII characters."]
    assert (answer.status_code, answer.json()) == (400, {"Idempotency-Key": reasons})
