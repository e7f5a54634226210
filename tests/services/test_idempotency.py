"""Idempotency records: their lifetime and their scope."""

from datetime import timedelta

import pytest

from booking.models import Booking, IdempotencyKey
from booking.services import IdempotencyKeyReused, IdempotentRequest, Replay, book_seats
from booking.services.seats.rules.seats import SeatTaken
from tests.factories import NOW, make_booking, make_show, make_user

MOMENT = timedelta(microseconds=1)
HOURS = timedelta(hours=24)
# Early enough for requests 24 hours later.
FIRST = NOW - 2 * HOURS


def book_best(user, show, now=FIRST, count=1, key="key"):
    """Book the best seats with the key, and return their numbers."""
    idempotency = IdempotentRequest(user, key, "book-seats", {"count": count}, lambda made: {"id": made[0].pk})
    bookings = book_seats(user=user, show_id=show.pk, count=count, now=now, idempotency=idempotency)
    return [booking.seat_number for booking in bookings]


def test_a_request_is_replayed_until_its_record_expires(user, show):
    book_best(user, show)
    with pytest.raises(Replay) as replay:
        book_best(user, show, now=FIRST + HOURS - MOMENT)
    assert replay.value.response == {"id": Booking.objects.get().pk}


def test_a_request_is_carried_out_again_once_its_record_has_expired(user, show):
    first, second = book_best(user, show), book_best(user, show, now=FIRST + HOURS)
    assert (first, second) == ([25], [26])


def test_an_expired_record_is_overwritten(user, show):
    book_best(user, show)
    book_best(user, show, now=FIRST + HOURS)
    record = IdempotencyKey.objects.get()
    assert record.created_at == FIRST + HOURS
    with pytest.raises(Replay) as replay:
        book_best(user, show, now=FIRST + HOURS)
    assert replay.value.response == {"id": Booking.objects.get(seat_number=26).pk}


def test_records_expire_after_the_hours_in_the_settings(user, show, settings):
    settings.IDEMPOTENCY_HOURS = 2
    book_best(user, show)
    with pytest.raises(Replay):
        book_best(user, show, now=FIRST + timedelta(hours=2) - MOMENT)
    assert book_best(user, show, now=FIRST + timedelta(hours=2)) == [26]


def test_an_expired_key_may_be_used_for_another_request(user, show):
    book_best(user, show)
    assert len(book_best(user, show, now=FIRST + HOURS, count=2)) == 2


def test_a_key_is_refused_for_another_request_until_its_record_expires(user, show):
    book_best(user, show)
    with pytest.raises(IdempotencyKeyReused):
        book_best(user, show, count=2)


def test_equal_keys_of_two_customers_or_shows_are_independent(user, show):
    book_best(user, show)
    assert (book_best(make_user(), show), book_best(user, make_show())) == ([26], [25])


def sell(clerk, show, *seats, user=None):
    """Sell the seats at the counter with the key "key"."""
    idempotency = IdempotentRequest(clerk, "key", "sell", {"seats": seats}, lambda made: {"id": made[0].pk})
    sale = {"user": user, "show_id": show.pk, "seat_numbers": seats, "now": NOW, "sold_by": clerk}
    return book_seats(**sale, idempotency=idempotency)


def test_a_sale_without_an_account_is_replayed_to_the_clerk(show):
    clerk = make_user(is_staff=True)
    [booking] = sell(clerk, show, 7)
    with pytest.raises(Replay) as replay:
        sell(clerk, show, 7)
    assert (replay.value.response, IdempotencyKey.objects.get().user) == ({"id": booking.pk}, clerk)


def test_a_key_of_a_sale_is_refused_for_another_sale(show):
    clerk = make_user(is_staff=True)
    sell(clerk, show, 7)
    with pytest.raises(IdempotencyKeyReused):
        sell(clerk, show, 8)


def test_a_key_of_a_sale_belongs_to_the_clerk_and_not_to_the_customer(user, show):
    sell(make_user(is_staff=True), show, 7, user=user)
    with pytest.raises(SeatTaken):
        sell(make_user(is_staff=True), show, 7, user=user)
    assert book_best(user, show) == [25]


def test_a_refused_request_has_no_record(user, show):
    make_booking(show=show, seat_number=7)
    idempotency = IdempotentRequest(user, "key", "book-seats", {}, lambda made: {})
    with pytest.raises(SeatTaken):
        book_seats(user=user, show_id=show.pk, seat_numbers=[7], now=NOW, idempotency=idempotency)
    assert IdempotencyKey.objects.count() == 0


def test_a_request_is_replayed_although_its_seat_is_taken(user, show):
    idempotency = IdempotentRequest(user, "key", "book-seats", {}, lambda made: {"seat": made[0].seat_number})
    call = {"user": user, "show_id": show.pk, "seat_numbers": [7], "now": NOW, "idempotency": idempotency}
    book_seats(**call)
    with pytest.raises(Replay) as replay:
        book_seats(**call)
    assert replay.value.response == {"seat": 7}
