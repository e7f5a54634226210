"""Cancelling seats as a page showed them, while another clerk changes them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection

from booking.services import NotFound, SeenSeat, cancel_bookings
from tests.factories import NOW, make_booking, make_show, make_user
from tests.races import outcome, parallel_writers, start, wait_for_waiters

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def moving_elsewhere(booking, seat_number):
    """Lock the show and move the booking on another connection, which commits at the end of the block."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM booking_show WHERE id = %s FOR NO KEY UPDATE", [booking.show_id])
            cursor.execute("UPDATE booking_booking SET seat_number = %s WHERE id = %s", [seat_number, booking.pk])
        yield
        other.commit()
    finally:
        other.close()


def cancel_while_it_moves(booking):
    seen = [SeenSeat(booking.pk, booking.seat_number, "booked")]
    call = {"show_id": booking.show_id, "seen": seen, "now": NOW, "cancelled_by": make_user(is_staff=True)}
    with ThreadPoolExecutor(1) as pool:
        with moving_elsewhere(booking, 11):
            cancelled = start(pool, lambda: outcome(cancel_bookings, **call))
            wait_for_waiters(1)
        result = cancelled.result()
    booking.refresh_from_db()
    return result, booking.status


@parallel_writers
def test_a_concurrently_moved_booking_is_not_cancelled(long_timeout):
    assert cancel_while_it_moves(make_booking()) == ("seats_changed", "booked")


@parallel_writers
def test_without_the_lock_the_moved_booking_is_cancelled(long_timeout, no_lock):
    assert cancel_while_it_moves(make_booking()) == ("done", "cancelled")


def test_another_show_s_booking_is_not_found(show):
    booking = make_booking(show=make_show())
    with pytest.raises(NotFound):
        cancel_bookings(show_id=show.pk, seen=[SeenSeat(booking.pk, 1, "booked")], now=NOW, cancelled_by=booking.user)
