"""The seat limit that staff may exceed, and the report of it."""

import pytest
from django.utils import timezone

from booking import services
from booking.services.seats.seat_limit import ExceededLimit
from tests.factories import make_booking, make_hold


@pytest.fixture(autouse=True)
def _limit_of_two(settings):
    settings.MAX_SEATS_PER_USER = 2


def exceeded(user, show, *seat_numbers):
    return services.find_exceeded_limit(user=user, show_id=show.pk, now=timezone.now(), seat_numbers=seat_numbers)


def test_seats_within_the_limit_are_not_reported(user, show):
    make_booking(user=user, show=show)
    assert exceeded(user, show, 2) is None


def test_seats_and_holds_over_the_limit_are_reported(user, show):
    make_booking(user=user, show=show)
    make_hold(user=user, show=show, seat_number=2, expires_at=show.starts_at)
    assert exceeded(user, show, 3) == ExceededLimit(seats=3, limit=2)


def test_a_seat_that_the_customer_holds_counts_once(user, show):
    make_booking(user=user, show=show)
    make_hold(user=user, show=show, seat_number=2, expires_at=show.starts_at)
    assert exceeded(user, show, 2) is None


def test_seats_of_others_cancelled_seats_and_expired_holds_do_not_count(user, show):
    make_booking(show=show)
    make_booking(user=user, show=show, seat_number=2, status="cancelled")
    make_hold(user=user, show=show, seat_number=3, expires_at=timezone.now())
    assert exceeded(user, show, 4, 5) is None
