"""Sales on PostgreSQL: the number of round trips, and waiting for a show's lock."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import partial

import pytest

from booking.models import Booking, TicketType
from booking.services import IdempotentRequest, Refusal, book_seat, book_seats, hold_seats, move_booking
from booking.services.seats import facts
from booking.services.seats.rules.seats import SeatTaken, SoldOut
from tests.bookings import post
from tests.factories import (
    NOW,
    make_booking,
    make_hold,
    make_plan,
    make_price_list,
    make_show,
    make_ticket_type,
    make_user,
)
from tests.races import at_once, locked_elsewhere, parallel_writers, start

pytestmark = [parallel_writers, pytest.mark.django_db(transaction=True)]


def idempotent(user):
    return IdempotentRequest(user, "key", "book", {}, lambda made: {"id": made[0].pk})


@pytest.fixture
def count(exchanges, user):
    """A function that counts the round trips of a service in a show, after a call in another show as a warm-up."""

    def count(service, show, prepare=lambda show: {}, **call):
        for own in (make_show(), show):
            prepared = prepare(own)
            exchanges.clear()
            service(user=user, show_id=own.pk, now=NOW, **call, **prepared)
        return len(exchanges)

    return count


# --- Round trips ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "call"),
    [
        (book_seat, {"seat_number": 7}),
        (book_seats, {"seat_numbers": [7, 8, 9]}),
        (book_seats, {"count": 3}),
        (book_seats, {"count": 3, "split": True}),
        (hold_seats, {"seat_numbers": [7, 8]}),
        (hold_seats, {"count": 2}),
    ],
)
def test_a_sale_takes_two_round_trips(count, show, service, call):
    assert count(service, show, **call) == 2
    assert show.bookings.count() > 0


@pytest.mark.parametrize(
    ("service", "call"),
    [
        (book_seat, {"seat_number": 7}),
        (book_seats, {"seat_numbers": [7, 8, 9]}),
        (book_seats, {"count": 3}),
        (hold_seats, {"count": 3}),
    ],
)
def test_a_sale_of_priced_seats_on_a_drawn_plan_takes_two_round_trips(round_trips, user, service, call):
    show = make_priced_show()
    adult, child = TicketType.objects.all()
    types = {"seat_number": child.pk, "seat_numbers": {7: child.pk, 8: adult.pk}, "count": {child.pk: 1, adult.pk: 2}}
    [by] = call
    call |= {"ticket_type" if by == "seat_number" else "ticket_types": types[by], "now": NOW, "user": user}
    # A sale on the same plan at the same prices, as a warm-up.
    other = make_show(plan=show.plan, total_seats=show.total_seats, price_list=show.price_list)
    service(show_id=other.pk, **call)
    round_trips.clear()
    service(show_id=show.pk, **call)
    assert len(round_trips) == 2
    assert {booking.price for booking in user.bookings.all()} >= {Decimal(8)}


def make_priced_show():
    """Create a show with gaps, sofas and a wheelchair space, and a price list for two ticket types."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    prices = {(code, kind): amount for code in "SLW" for kind, amount in ((adult, 12), (child, 8))}
    return make_show(layout="..SS.SSSS\nSSSS.SSSS\n\nWSSS.LLLL", price_list=make_price_list(prices))


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("book", {"seat_number": 7}, 201),
        ("book-seats", {"count": 2}, 201),
        ("hold", {"count": 2}, 201),
        ("book", {"seat_number": 1}, 409),
    ],
)
def test_a_request_takes_three_round_trips(exchanges, client, show, action, body, status):
    # One of them finds the account and counts the request.
    for own in (make_show(), show):
        make_booking(show=own, seat_number=1)
        exchanges.clear()
        assert client.post(f"/api/shows/{own.pk}/{action}/", body, format="json").status_code == status
    assert len(exchanges) == 3


def test_booking_held_seats_takes_two_round_trips(count, user, show):
    def hold(own):
        hold_seats(user=user, show_id=own.pk, seat_numbers=[7, 8], now=NOW)
        return {}

    assert count(book_seats, show, hold, seat_numbers=[7, 8]) == 2


def test_booking_over_an_expired_hold_takes_two_round_trips(count, show):
    def hold(own):
        make_hold(show=own, seat_number=7, expires_at=NOW)
        return {}

    assert count(book_seat, show, hold, seat_number=7) == 2


def test_a_sale_with_a_key_takes_three_round_trips(count, user, show):
    assert count(book_seat, show, seat_number=7, idempotency=idempotent(user)) == 3


def test_a_sale_by_staff_takes_three_round_trips(count, show):
    assert count(book_seat, show, seat_number=7, sold_by=make_user(is_staff=True)) == 3


def test_a_sale_by_staff_with_a_key_takes_three_round_trips(count, show):
    sold_by = make_user(is_staff=True)
    assert count(book_seat, show, seat_number=7, sold_by=sold_by, idempotency=idempotent(sold_by)) == 3


def test_a_move_takes_three_round_trips_after_its_booking_was_read(exchanges, user, show):
    # One of them locks the booking, because the door may admit it.
    for own in (make_show(), show):
        booking = make_booking(user=user, show=own, seat_number=7)
        exchanges.clear()
        move_booking(user=user, booking_id=booking.pk, seat_number=8, now=NOW)
    assert len(exchanges) == 4


def refused(service, **call):
    with pytest.raises(Refusal):
        service(**call)


def test_a_taken_seat_is_refused_after_two_round_trips(count, show):
    def take(own):
        make_booking(show=own, seat_number=7)
        return {}

    assert count(partial(refused, book_seat), show, take, seat_number=7) == 2


def test_a_sold_out_show_is_refused_after_one_round_trip_and_the_rollback(count):
    def sell(own):
        own.plan, own.total_seats = make_plan("S"), 1
        own.save()
        make_booking(show=own)
        return {}

    assert count(partial(refused, book_seats), make_show(), sell, count=1) == 2


# --- The lock ---------------------------------------------------------------------------------


def test_a_taken_seat_is_refused_without_waiting_for_the_lock(user, show):
    make_booking(show=show, seat_number=7)
    with locked_elsewhere(show), pytest.raises(SeatTaken):
        book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW)


def test_a_count_without_enough_free_seats_is_refused_without_waiting_for_the_lock(user):
    show = make_show(total_seats=1)
    make_booking(show=show)
    with locked_elsewhere(show), pytest.raises(SoldOut):
        book_seats(user=user, show_id=show.pk, count=1, now=NOW)


def test_a_move_to_a_taken_seat_is_refused_without_waiting_for_the_lock(user, show):
    booking = make_booking(user=user, show=show, seat_number=1)
    make_booking(show=show, seat_number=7)
    with locked_elsewhere(show), pytest.raises(SeatTaken):
        move_booking(user=user, booking_id=booking.pk, seat_number=7, now=NOW)


def test_a_lock_that_is_not_released_makes_the_service_busy_in_time(client, show):
    with ThreadPoolExecutor(1) as pool, locked_elsewhere(show):
        answer = start(pool, partial(post, client, show)).result(timeout=4)
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "1")
    assert Booking.objects.count() == 0


# --- A seat that becomes free while the facts are read ----------------------------------------


@contextmanager
def after_the_first_lock(monkeypatch, act):
    """Calls `act` between the first statement that locks a show if seats are free, and those that read its facts."""
    send, pending = facts.send, [act]

    def send_in_two(*calls, **options):
        if not pending:
            return send(*calls, **options)
        first = send(calls[0])
        at_once([pending.pop()])
        return [*first, *send(*calls[1:], **options)]

    monkeypatch.setattr(facts, "send", send_in_two)
    yield
    assert pending == []


def test_a_seat_that_becomes_free_after_the_lock_was_not_taken_is_sold(user, show, monkeypatch):
    taken = make_booking(show=show, seat_number=7)
    with after_the_first_lock(monkeypatch, taken.delete):
        booking = book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW)
    assert list(Booking.objects.all()) == [booking]


def test_the_last_seat_that_becomes_free_after_the_lock_was_not_taken_is_sold(user, monkeypatch):
    show = make_show(total_seats=1)
    taken = make_booking(show=show)
    with after_the_first_lock(monkeypatch, taken.delete):
        [booking] = book_seats(user=user, show_id=show.pk, count=1, now=NOW)
    assert list(Booking.objects.all()) == [booking]


def test_a_seat_that_is_taken_after_the_facts_were_read_without_the_lock_is_refused(user, show, monkeypatch):
    taken, rival = make_booking(show=show, seat_number=7), make_user()

    def free_and_take():
        taken.delete()
        book_seat(user=rival, show_id=show.pk, seat_number=7, now=NOW)

    with after_the_first_lock(monkeypatch, free_and_take), pytest.raises(SeatTaken):
        book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW)
    assert [booking.user for booking in Booking.objects.all()] == [rival]


@pytest.mark.parametrize("number", [1, 8])
def test_a_request_is_replayed_although_its_seat_is_visibly_taken(user, show, number):
    call = {"user": user, "show_id": show.pk, "seat_number": 7, "now": NOW, "idempotency": idempotent(user)}
    first = book_seat(**call)
    answers = at_once([partial(replayed, **call)] * number)
    assert answers == [{"id": first.pk}] * number


def replayed(**call):
    from booking.services import Replay

    with pytest.raises(Replay) as replay:
        book_seat(**call)
    return replay.value.response
