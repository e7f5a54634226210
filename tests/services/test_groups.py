"""Booking and cancelling several seats together, with an explicit time."""

from datetime import timedelta

import pytest

from booking.models import Booking
from booking.services import IdempotentRequest, NotFound, Replay, book_seats, cancel_order
from booking.services.seats.rules import NoBlock
from booking.services.seats.rules.limits import SeatLimitReached
from booking.services.seats.rules.sale import AlreadyCancelled, ShowCancelled, ShowStarted
from booking.services.seats.rules.seats import NoSuchSeat, SeatTaken, SoldOut
from tests.bookings import active_seats, refusal_of
from tests.factories import NOW, STARTS_AT, make_block, make_booking, make_hold, make_show, make_user

MOMENT = timedelta(microseconds=1)


def book(user, show, *seat_numbers, now=NOW):
    return book_seats(user=user, show_id=show.pk, seat_numbers=seat_numbers, now=now)


def book_best(user, show, count, split=False):
    return book_seats(user=user, show_id=show.pk, count=count, split=split, now=NOW)


def seats(bookings):
    return [booking.seat_number for booking in bookings]


def saved(bookings, *fields):
    """Return these fields of the bookings, by seat."""
    rows = Booking.objects.filter(pk__in=[booking.pk for booking in bookings]).order_by("seat_number")
    return list(rows.values_list("seat_number", *fields))


def give_back(user, reference, now=NOW):
    return cancel_order(user=user, reference=reference, now=now)


# --- Seats by their numbers -------------------------------------------------------------------


def test_the_requested_seats_are_booked(user, show):
    bookings = book(user, show, 5, 6)
    booked = ("booked", user.pk, show.pk, NOW, None, None)
    fields = ("status", "user", "show", "created_at", "cancelled_at", "expires_at")
    assert saved(bookings, *fields) == [(5, *booked), (6, *booked)]


def test_bookings_are_in_the_order_of_the_requested_seats(user, show):
    assert seats(book(user, show, 7, 50, 1)) == [7, 50, 1]


def test_bookings_are_returned_with_show_movie_and_screen(user, show, django_assert_num_queries):
    bookings = book(user, show, 5, 6)
    with django_assert_num_queries(0):
        assert {(made.show.movie, made.show.screen) for made in bookings} == {(show.movie, show.screen)}


def test_seats_booked_together_have_one_reference(user, show):
    first, second = ({made.reference for made in book(user, show, *numbers)} for numbers in ((1, 2, 3), (4, 5)))
    assert (len(first), len(second), first & second) == (1, 1, set())


def test_all_seats_are_booked_or_none(user, show):
    make_booking(show=show, seat_number=6)
    refusal_of(book, user, show, 5, 6, 7)
    assert active_seats(show) == [6]


def test_all_taken_seats_are_listed_with_the_nearest_free_ones(user, show):
    for seat_number in (7, 5):
        make_booking(show=show, seat_number=seat_number)
    extra = {"seats": [5, 7], "alternatives": [15, 16, 17]}
    assert refusal_of(book, user, show, 7, 6, 5) == (SeatTaken, "seat_taken", extra)


@pytest.mark.parametrize(
    ("taken", "detail"), [([5], "Seat A5 is already taken."), ([5, 6], "Seats A5, A6 are already taken.")]
)
def test_a_refusal_names_the_taken_seats_by_their_labels(user, show, taken, detail):
    for seat_number in taken:
        make_booking(show=show, seat_number=seat_number)
    with pytest.raises(SeatTaken) as refusal:
        book(user, show, 5, 6)
    assert refusal.value.detail == detail


def test_without_a_free_block_there_are_no_alternatives(user):
    show = make_show(total_seats=6, seats_per_row=3)
    for seat_number in (2, 5):
        make_booking(show=show, seat_number=seat_number)
    extra = {"seats": [2], "alternatives": []}
    assert refusal_of(book, user, show, 1, 2) == (SeatTaken, "seat_taken", extra)


def test_the_customer_s_own_holds_are_alternatives(user, show):
    make_booking(show=show, seat_number=5)
    make_booking(show=show, seat_number=6)
    for seat_number in (15, 16):
        make_hold(user=user, show=show, seat_number=seat_number)
    assert refusal_of(book, user, show, 5, 6)[2] == {"seats": [5, 6], "alternatives": [15, 16]}


def test_seats_held_by_others_and_blocked_ones_are_no_alternatives(user, show):
    for seat_number in (5, 6):
        make_booking(show=show, seat_number=seat_number)
    make_hold(show=show, seat_number=15)
    make_block(show=show, seat_number=16)
    assert refusal_of(book, user, show, 5, 6)[2] == {"seats": [5, 6], "alternatives": [3, 4]}


def test_seats_with_an_expired_hold_are_alternatives(user, show):
    for seat_number in (5, 6):
        make_booking(show=show, seat_number=seat_number)
    make_hold(show=show, seat_number=15, expires_at=NOW)
    assert refusal_of(book, user, show, 5, 6)[2] == {"seats": [5, 6], "alternatives": [15, 16]}


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_a_seat_that_is_booked_held_or_blocked_is_taken(user, show, make):
    make(show=show, seat_number=5)
    assert refusal_of(book, user, show, 5) == (SeatTaken, "seat_taken", {"seats": [5], "alternatives": [4]})


def test_a_show_without_a_free_seat_is_sold_out(user):
    show = make_show(total_seats=3)
    for seat_number, make in enumerate((make_booking, make_hold, make_block), start=1):
        make(show=show, seat_number=seat_number)
    assert refusal_of(book, user, show, 1, 2) == (SoldOut, "sold_out", {})


def test_a_show_with_an_expired_hold_is_not_sold_out(user):
    show = make_show(total_seats=2)
    make_booking(show=show, seat_number=1)
    make_hold(show=show, seat_number=2, expires_at=NOW)
    assert refusal_of(book, user, show, 1)[:2] == (SeatTaken, "seat_taken")


@pytest.mark.parametrize("seat_number", [0, -1, 51, 2**31, 10**30])
def test_one_seat_outside_the_hall_refuses_the_request(user, show, seat_number):
    assert refusal_of(book, user, show, 5, seat_number) == (NoSuchSeat, "no_such_seat", {})
    assert active_seats(show) == []


def test_seats_of_a_show_that_starts_can_not_be_booked(user, show):
    assert seats(book(user, show, 1, 2, now=STARTS_AT - MOMENT)) == [1, 2]
    assert refusal_of(book, user, show, 3, 4, now=STARTS_AT) == (ShowStarted, "show_started", {})


def test_seats_of_a_cancelled_show_can_not_be_booked(user):
    show = make_show(cancelled_at=NOW)
    assert refusal_of(book, user, show, 1, 2) == (ShowCancelled, "show_cancelled", {})


def test_seats_of_an_unknown_show_can_not_be_booked(user):
    call = {"user": user, "show_id": 10**9, "seat_numbers": [1, 2], "now": NOW}
    assert refusal_of(book_seats, **call) == (NotFound, "not_found", {})


# --- The seat limit ---------------------------------------------------------------------------


def test_a_group_may_have_seats_up_to_the_limit(user, show):
    assert refusal_of(book, user, show, *range(1, 12)) == (SeatLimitReached, "seat_limit_reached", {})
    assert seats(book(user, show, *range(1, 11))) == list(range(1, 11))


@pytest.mark.parametrize("make", [make_booking, make_hold])
def test_the_limit_counts_booked_and_held_seats(user, show, settings, make):
    settings.MAX_SEATS_PER_USER = 2
    make(user=user, show=show, seat_number=20)
    assert refusal_of(book, user, show, 1, 2) == (SeatLimitReached, "seat_limit_reached", {})
    assert refusal_of(book_best, user, show, 2) == (SeatLimitReached, "seat_limit_reached", {})


def test_the_limit_does_not_count_a_seat_twice_that_is_held_and_booked(user, show, settings):
    settings.MAX_SEATS_PER_USER = 2
    for seat_number in (1, 2):
        make_hold(user=user, show=show, seat_number=seat_number)
    assert seats(book(user, show, 1, 2)) == [1, 2]


def test_the_limit_does_not_count_an_expired_hold(user, show, settings):
    settings.MAX_SEATS_PER_USER = 2
    make_hold(user=user, show=show, seat_number=20, expires_at=NOW)
    assert seats(book(user, show, 1, 2)) == [1, 2]


# --- The best seats ---------------------------------------------------------------------------


def test_the_best_seats_are_booked_under_one_reference(user, show):
    bookings = book_best(user, show, 2)
    assert (seats(bookings), len({made.reference for made in bookings})) == ([25, 26], 1)


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_the_best_seats_are_free(user, show, make):
    make(show=show, seat_number=25)
    assert seats(book_best(user, show, 2)) == [15, 16]


def test_the_best_seats_are_not_those_that_the_customer_holds(user, show):
    for seat_number in (25, 26):
        make_hold(user=user, show=show, seat_number=seat_number)
    assert seats(book_best(user, show, 2)) == [15, 16]


def test_the_best_seats_may_have_an_expired_hold(user, show):
    hold = make_hold(show=show, seat_number=25, expires_at=NOW)
    assert seats(book_best(user, show, 2)) == [25, 26]
    assert saved([hold], "status", "cancelled_at") == [(25, "cancelled", NOW)]


@pytest.fixture
def gap(db):
    """A show of one row of 4 seats, of which 1, 3 and 4 are free."""
    show = make_show(total_seats=4, seats_per_row=4)
    make_booking(show=show, seat_number=2)
    return show


def test_a_missing_block_is_refused_with_the_size_of_the_largest_one(user, gap):
    assert refusal_of(book_best, user, gap, 3) == (NoBlock, "no_block", {"largest_block": 2})
    assert active_seats(gap) == [2]


def test_split_seats_are_booked_if_allowed(user, gap):
    assert seats(book_best(user, gap, 3, split=True)) == [1, 3, 4]


def test_split_seats_are_refused_if_too_few_are_free(user, gap):
    assert refusal_of(book_best, user, gap, 4, split=True) == (NoBlock, "no_block", {"largest_block": 2})


@pytest.mark.parametrize(
    ("count", "split", "detail"),
    [(3, False, "There are no 3 seats side by side."), (4, True, "Fewer than 4 seats are left.")],
)
def test_a_missing_block_is_refused_with_a_sentence(user, gap, count, split, detail):
    with pytest.raises(NoBlock) as refusal:
        book_best(user, gap, count, split)
    assert refusal.value.detail == detail


@pytest.mark.parametrize("split", [False, True])
def test_a_sold_out_show_has_no_best_seats(user, gap, split):
    for seat_number, make in ((1, make_hold), (3, make_block), (4, make_booking)):
        make(show=gap, seat_number=seat_number)
    assert refusal_of(book_best, user, gap, 1, split) == (SoldOut, "sold_out", {})


# --- Held seats -------------------------------------------------------------------------------


def hold(user, show, *seat_numbers, reference):
    return [make_hold(user=user, show=show, seat_number=number, reference=reference) for number in seat_numbers]


def test_held_seats_are_booked_under_the_reference_of_the_hold(user, show):
    holds = hold(user, show, 5, 6, reference="ACDEFGHJ")
    bookings = book(user, show, 5, 6)
    assert [(made.pk, made.reference, made.status) for made in bookings] == [
        (made.pk, "ACDEFGHJ", "booked") for made in holds
    ]


def test_free_seats_booked_with_held_ones_get_the_reference_of_the_hold(user, show):
    hold(user, show, 5, reference="ACDEFGHJ")
    bookings = book(user, show, 4, 5, 6)
    assert saved(bookings, "reference", "status") == [(number, "ACDEFGHJ", "booked") for number in (4, 5, 6)]


def test_seats_of_two_holds_get_a_new_reference(user, show):
    hold(user, show, 5, reference="ACDEFGHJ")
    hold(user, show, 6, reference="KMNPQRTU")
    [reference] = {made.reference for made in book(user, show, 5, 6)}
    assert reference not in {"ACDEFGHJ", "KMNPQRTU"}


def test_a_held_seat_that_is_not_booked_stays_held(user, show):
    holds = hold(user, show, 5, 6, reference="ACDEFGHJ")
    book(user, show, 5)
    assert saved(holds, "status", "reference") == [(5, "booked", "ACDEFGHJ"), (6, "held", "ACDEFGHJ")]


def test_held_seats_stay_held_where_another_seat_is_taken(user, show):
    holds = hold(user, show, 5, 6, reference="ACDEFGHJ")
    make_booking(show=show, seat_number=7)
    assert refusal_of(book, user, show, 5, 6, 7)[2] == {"seats": [7], "alternatives": [4, 5, 6]}
    assert saved(holds, "status") == [(5, "held"), (6, "held")]


# --- The same request again -------------------------------------------------------------------


def test_seats_booked_by_the_same_request_are_booked_once(user, show):
    idempotency = IdempotentRequest(
        user, "key", "book-seats", {"count": 2}, lambda bookings: {"seats": seats(bookings)}
    )
    call = {"user": user, "show_id": show.pk, "count": 2, "now": NOW, "idempotency": idempotency}
    book_seats(**call)
    with pytest.raises(Replay) as replay:
        book_seats(**call)
    assert (replay.value.response, active_seats(show)) == ({"seats": [25, 26]}, [25, 26])


# --- Cancelling a reference -------------------------------------------------------------------


def test_all_seats_of_a_reference_are_cancelled(user, show):
    bookings = book(user, show, 7, 5, 6)
    given_back = give_back(user, bookings[0].reference)
    assert [(made.seat_number, made.status, made.cancelled_at) for made in given_back] == [
        (seat_number, "cancelled", NOW) for seat_number in (5, 6, 7)
    ]
    assert saved(bookings, "status", "cancelled_at") == [(number, "cancelled", NOW) for number in (5, 6, 7)]


def test_cancelled_seats_are_returned_with_show_movie_and_screen(user, show, django_assert_num_queries):
    given_back = give_back(user, book(user, show, 5, 6)[0].reference)
    with django_assert_num_queries(0):
        assert {(made.show.movie, made.show.screen) for made in given_back} == {(show.movie, show.screen)}


def test_held_seats_of_a_reference_are_cancelled(user, show):
    hold(user, show, 5, 6, reference="ACDEFGHJ")
    book(user, show, 5)
    assert seats(give_back(user, "ACDEFGHJ")) == [5, 6]
    assert list(Booking.objects.occupying()) == []


def test_other_seats_are_not_cancelled(user, show):
    others = [
        make_booking(show=show, seat_number=1, reference="ACDEFGHJ"),
        make_booking(user=user, show=show, seat_number=2, reference="KMNPQRTU"),
    ]
    make_booking(user=user, show=show, seat_number=3, reference="ACDEFGHJ")
    assert seats(give_back(user, "ACDEFGHJ")) == [3]
    assert saved(others, "status") == [(1, "booked"), (2, "booked")]


def test_seats_that_were_cancelled_before_keep_their_time(user, show):
    make_booking(user=user, show=show, seat_number=1, reference="ACDEFGHJ")
    before = make_booking(user=user, show=show, seat_number=2, reference="ACDEFGHJ", status="cancelled")
    assert seats(give_back(user, "ACDEFGHJ", now=NOW + MOMENT)) == [1]
    assert saved([before], "cancelled_at") == [(2, NOW)]


def test_the_newest_of_two_orders_with_one_reference_is_cancelled(user, show):
    old = make_booking(user=user, show=show, reference="ACDEFGHJ", created_at=NOW - MOMENT)
    new = make_booking(user=user, reference="ACDEFGHJ", seat_number=2)
    assert give_back(user, "ACDEFGHJ") == [new]
    assert saved([old], "status") == [(1, "booked")]


def test_a_reference_can_not_be_cancelled_twice(user, show):
    [booking] = book(user, show, 5)
    give_back(user, booking.reference)
    assert refusal_of(give_back, user, booking.reference) == (AlreadyCancelled, "already_cancelled", {})


def test_a_reference_with_expired_holds_is_already_cancelled(user, show):
    hold(user, show, 5, reference="ACDEFGHJ")
    refusal = refusal_of(give_back, user, "ACDEFGHJ", now=NOW + timedelta(minutes=10))
    assert refusal == (AlreadyCancelled, "already_cancelled", {})


def test_a_reference_can_be_cancelled_until_the_show_starts(user, show):
    [booking] = book(user, show, 5)
    assert refusal_of(give_back, user, booking.reference, now=STARTS_AT) == (ShowStarted, "show_started", {})
    assert seats(give_back(user, booking.reference, now=STARTS_AT - MOMENT)) == [5]


def test_an_unknown_reference_and_one_of_another_customer_are_not_found(user, show):
    [booking] = book(make_user(), show, 5)
    assert [refusal_of(give_back, user, reference) for reference in ("ACDEFGHJ", booking.reference)] == [
        (NotFound, "not_found", {})
    ] * 2
    assert active_seats(show) == [5]
