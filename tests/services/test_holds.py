"""Holding, renewing, booking and cancelling held seats, with an explicit time."""

from datetime import timedelta

import pytest
from django.db import transaction

from booking.models import Booking, Show
from booking.services import (
    Busy,
    IdempotentRequest,
    NotFound,
    Replay,
    book_seat,
    book_seats,
    cancel_booking,
    hold_seats,
    move_booking,
)
from booking.services.seats.holds import release_expired_holds
from booking.services.seats.rules import NoBlock
from booking.services.seats.rules.limits import HoldLimitReached, SeatLimitReached
from booking.services.seats.rules.sale import AlreadyCancelled, ShowCancelled, ShowStarted
from booking.services.seats.rules.seats import NoSuchSeat, SeatTaken, SoldOut
from tests.bookings import active_seats, refusal_of
from tests.factories import NOW, STARTS_AT, make_block, make_booking, make_hold, make_show, make_user
from tests.races import at_once, with_short_timeout

MOMENT = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
END = NOW + 10 * MINUTE


def hold(user, show, *seat_numbers, now=NOW):
    return hold_seats(user=user, show_id=show.pk, seat_numbers=seat_numbers, now=now)


def hold_best(user, show, count, split=False, now=NOW):
    return hold_seats(user=user, show_id=show.pk, count=count, split=split, now=now)


def cancel(user, booking, now=NOW):
    return cancel_booking(user=user, booking_id=booking.pk, now=now)


def rows(show, *fields):
    """Return these fields of all rows of the show, oldest first."""
    return list(show.bookings.order_by("pk").values_list("seat_number", *fields))


def ends(holds):
    return [made.expires_at for made in holds]


# --- Holding ----------------------------------------------------------------------------------


def test_a_hold_keeps_its_seats_for_10_minutes_under_one_reference(user, show):
    holds = hold(user, show, 7, 5)
    [reference] = {made.reference for made in holds}
    held = ("held", user.pk, reference, NOW, NOW, END, None)
    fields = ("status", "user", "reference", "created_at", "held_since", "expires_at", "cancelled_at")
    assert rows(show, *fields) == [(7, *held), (5, *held)]


def test_holds_are_returned_with_show_movie_and_screen(user, show, django_assert_num_queries):
    [made] = hold(user, show, 5)
    with django_assert_num_queries(0):
        assert (made.show.movie, made.show.screen, made.status) == (show.movie, show.screen, "held")
    assert list(show.bookings.values_list("pk", "expires_at")) == [(made.pk, made.expires_at)]


def test_a_hold_lasts_for_hold_minutes(user, show, settings):
    settings.HOLD_MINUTES = 3
    assert ends(hold(user, show, 5)) == [NOW + 3 * MINUTE]


def test_the_best_seats_can_be_held(user, show):
    assert [made.seat_number for made in hold_best(user, show, 2)] == [25, 26]


def test_split_seats_can_be_held(user):
    show = make_show(total_seats=3, seats_per_row=3)
    make_booking(show=show, seat_number=2)
    assert refusal_of(hold_best, user, show, 2) == (NoBlock, "no_block", {"largest_block": 1})
    assert [made.seat_number for made in hold_best(user, show, 2, split=True)] == [1, 3]


@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_all_seats_are_held_or_none(user, show, make):
    make(show=show, seat_number=6)
    extra = {"seats": [6], "alternatives": [4, 5]}
    assert refusal_of(hold, user, show, 5, 6) == (SeatTaken, "seat_taken", extra)
    assert show.bookings.count() == 1


def test_a_seat_that_the_customer_has_booked_can_not_be_held(user, show):
    make_booking(user=user, show=show, seat_number=5)
    assert refusal_of(hold, user, show, 5)[:2] == (SeatTaken, "seat_taken")


def test_a_show_without_a_free_seat_is_sold_out(user):
    show = make_show(total_seats=1)
    make_hold(show=show)
    assert refusal_of(hold, user, show, 1) == (SoldOut, "sold_out", {})


def test_holds_count_towards_the_seat_limit(user, show, settings):
    settings.MAX_SEATS_PER_USER = 3
    make_booking(user=user, show=show, seat_number=1)
    hold(user, show, 2, 3)
    refusals = [
        refusal_of(way, user=user, show_id=show.pk, seat_numbers=[4], now=NOW) for way in (hold_seats, book_seats)
    ]
    assert refusals == [(SeatLimitReached, "seat_limit_reached", {})] * 2


def test_renewed_holds_count_once(user, show, settings):
    settings.MAX_SEATS_PER_USER = 2
    hold(user, show, 1, 2)
    assert len(hold(user, show, 1, 2)) == 2


@pytest.mark.parametrize("seat_number", [0, 51, 10**30])
def test_a_seat_outside_the_hall_can_not_be_held(user, show, seat_number):
    assert refusal_of(hold, user, show, seat_number) == (NoSuchSeat, "no_such_seat", {})


def test_a_started_cancelled_or_unknown_show_can_not_be_held(user, show):
    cancelled = make_show(cancelled_at=NOW)
    assert refusal_of(hold, user, show, 1, now=STARTS_AT) == (ShowStarted, "show_started", {})
    assert refusal_of(hold, user, cancelled, 1) == (ShowCancelled, "show_cancelled", {})
    assert refusal_of(hold, user, Show(pk=10**9), 1) == (NotFound, "not_found", {})


def test_seats_held_by_the_same_request_are_held_once(user, show):
    idempotency = IdempotentRequest(
        user, "key", "hold", {"count": 1}, lambda holds: {"ids": [made.pk for made in holds]}
    )
    call = {"user": user, "show_id": show.pk, "count": 1, "idempotency": idempotency}
    [made] = hold_seats(now=NOW, **call)
    with pytest.raises(Replay) as replay:
        hold_seats(now=NOW + MINUTE, **call)
    assert (replay.value.response, rows(show, "expires_at")) == ({"ids": [made.pk]}, [(25, END)])


# --- The end of a hold ------------------------------------------------------------------------


def attempts(user, show, booking):
    """Calls of all services that get a seat, by `user`, while another customer holds seat 5."""
    return {
        "book": lambda now: book_seat(user=user, show_id=show.pk, seat_number=5, now=now),
        "book seats": lambda now: book_seats(user=user, show_id=show.pk, seat_numbers=[4, 5], now=now),
        "hold": lambda now: hold_seats(user=user, show_id=show.pk, seat_numbers=[5], now=now),
        "move": lambda now: move_booking(user=user, booking_id=booking.pk, seat_number=5, now=now),
    }


@pytest.mark.parametrize("way", ["book", "book seats", "hold", "move"])
def test_a_held_seat_is_free_from_the_moment_at_which_the_hold_expires(user, show, way):
    made = make_hold(show=show, seat_number=5, expires_at=END + 7 * MOMENT)
    attempt = attempts(user, show, make_booking(user=user, show=show, seat_number=9))[way]
    assert refusal_of(attempt, END + 6 * MOMENT)[:2] == (SeatTaken, "seat_taken")
    attempt(END + 7 * MOMENT)
    made.refresh_from_db()
    assert (made.status, made.cancelled_at) == ("cancelled", END + 7 * MOMENT)


def test_a_hold_is_renewed_under_its_reference(user, show):
    first = hold(user, show, 5, 6)
    again = hold(user, show, 5, 6, now=NOW + 4 * MINUTE)
    assert [(made.pk, made.reference) for made in again] == [(made.pk, made.reference) for made in first]
    assert rows(show, "held_since", "expires_at") == [(5, NOW, END + 4 * MINUTE), (6, NOW, END + 4 * MINUTE)]


def test_a_seat_held_besides_others_joins_their_reference(user, show):
    [first] = hold(user, show, 5)
    assert {made.reference for made in hold(user, show, 5, 6)} == {first.reference}


def test_seats_of_two_holds_held_together_get_a_new_reference(user, show):
    before = {hold(user, show, seat_number)[0].reference for seat_number in (5, 6)}
    after = {made.reference for made in hold(user, show, 5, 6)}
    assert (len(before), len(after), before & after) == (2, 1, set())


def test_a_seat_is_held_for_at_most_30_minutes(user, show):
    for minutes, end in ((0, 10), (9, 19), (18, 28), (27, 30), (29, 30)):
        assert ends(hold(user, show, 5, now=NOW + minutes * MINUTE)) == [NOW + end * MINUTE]
    cap = NOW + 30 * MINUTE
    assert ends(hold(user, show, 5, now=cap - MOMENT)) == [cap]
    assert refusal_of(hold, user, show, 5, now=cap) == (HoldLimitReached, "hold_limit_reached", {"seats": [5]})


def test_a_hold_lasts_at_most_max_hold_minutes(user, show, settings):
    settings.MAX_HOLD_MINUTES = 5
    assert ends(hold(user, show, 5)) == [NOW + 5 * MINUTE]


def test_a_hold_that_expired_a_moment_ago_continues(user, show):
    hold(user, show, 5)
    now = END + 10 * MINUTE - MOMENT
    assert ends(hold(user, show, 5, now=now)) == [now + 10 * MINUTE]
    assert rows(show, "status", "held_since") == [(5, "cancelled", NOW), (5, "held", NOW)]


def test_a_hold_that_continues_after_a_gap_ends_with_the_longest_time(user, show):
    hold(user, show, 5)
    hold(user, show, 5, now=NOW + 9 * MINUTE)
    assert ends(hold(user, show, 5, now=NOW + 28 * MINUTE)) == [NOW + 30 * MINUTE]


def test_a_hold_that_expired_hold_minutes_ago_begins_again(user, show):
    hold(user, show, 5)
    now = END + 10 * MINUTE
    hold(user, show, 5, now=now)
    assert rows(show, "status", "held_since") == [(5, "cancelled", NOW), (5, "held", now)]


def test_an_expired_hold_that_was_cleaned_up_begins_again(user, show):
    hold(user, show, 5)
    release_expired_holds(expired_by=END)
    hold(user, show, 5, now=END + MINUTE)
    assert rows(show, "status", "held_since") == [(5, "cancelled", NOW), (5, "held", END + MINUTE)]


def test_a_cancelled_hold_begins_again(user, show):
    [made] = hold(user, show, 5)
    cancel(user, made, now=NOW + MINUTE)
    hold(user, show, 5, now=NOW + 2 * MINUTE)
    assert rows(show, "status", "held_since") == [(5, "cancelled", NOW), (5, "held", NOW + 2 * MINUTE)]


def test_a_hold_begins_again_after_its_booking_was_cancelled(user, show):
    hold(user, show, 5)
    cancel(user, book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW + timedelta(seconds=1)))
    now = NOW + 30 * MINUTE
    assert ends(hold(user, show, 5, now=now)) == [now + 10 * MINUTE]


def test_a_hold_begins_again_after_its_booking_was_moved_away(user, show):
    hold(user, show, 5)
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW)
    move_booking(user=user, booking_id=booking.pk, seat_number=8, now=NOW)
    now = NOW + 30 * MINUTE
    assert ends(hold(user, show, 5, now=now)) == [now + 10 * MINUTE]


def test_a_hold_begins_again_after_another_customer_held_the_seat(user, show):
    hold(user, show, 5)
    hold(make_user(), show, 5, now=END)
    now = END + 10 * MINUTE
    assert ends(hold(user, show, 5, now=now)) == [now + 10 * MINUTE]


def test_the_longest_time_is_per_customer_seat_and_show(user, show):
    hold(user, show, 5)
    now = NOW + 25 * MINUTE
    holds = [*hold(make_user(), show, 5, now=now), *hold(user, show, 6, now=now), *hold(user, make_show(), 5, now=now)]
    assert ends(holds) == [now + 10 * MINUTE] * 3


def hold_for_the_longest_time(user, show, *seat_numbers):
    """Holds the seats until MAX_HOLD_MINUTES after NOW."""
    for minutes in (0, 9, 18, 27):
        hold(user, show, *seat_numbers, now=NOW + minutes * MINUTE)


def test_all_seats_held_for_the_longest_time_are_listed_and_none_is_held(user, show):
    hold_for_the_longest_time(user, show, 5, 7)
    refusal = refusal_of(hold, user, show, 7, 6, 5, now=NOW + 30 * MINUTE)
    assert refusal == (HoldLimitReached, "hold_limit_reached", {"seats": [5, 7]})
    assert rows(show, "status") == [(5, "held"), (7, "held")]


def test_a_refused_hold_names_the_seat_by_its_label(user, show):
    hold_for_the_longest_time(user, show, 5)
    detail = r"^You have held A5 for the longest time allowed; book now or choose other seats\.$"
    with pytest.raises(HoldLimitReached, match=detail):
        hold(user, show, 5, now=NOW + 30 * MINUTE)


def test_a_seat_that_was_held_too_long_can_be_booked(user, show):
    hold_for_the_longest_time(user, show, 5)
    assert book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW + 30 * MINUTE).status == "booked"


def test_a_hold_ends_when_the_show_starts(user, show):
    assert ends(hold(user, show, 5, now=STARTS_AT - MINUTE)) == [STARTS_AT]
    assert ends(hold(user, show, 5, now=STARTS_AT - MOMENT)) == [STARTS_AT]


def test_a_hold_begins_on_the_seat_that_a_held_booking_was_moved_to(user, show):
    hold(user, show, 5)
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW)
    cancel(user, move_booking(user=user, booking_id=booking.pk, seat_number=8, now=NOW))
    now = NOW + 40 * MINUTE
    assert ends(hold(user, show, 8, now=now)) == [now + 10 * MINUTE]


def test_the_best_seats_to_hold_exclude_those_held_for_the_longest_time(user, show):
    hold_for_the_longest_time(user, show, 25, 26)
    holds = hold_best(user, show, 2, now=NOW + 30 * MINUTE)
    assert [made.seat_number for made in holds] == [15, 16]


# --- Booking a held seat ----------------------------------------------------------------------


def test_a_held_seat_becomes_a_booking_of_the_same_reference(user, show):
    [made] = hold(user, show, 5)
    later = NOW + MINUTE
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=later)
    assert (booking.pk, booking.status, booking.created_at, booking.expires_at) == (made.pk, "booked", later, None)
    fields = ("status", "reference", "created_at", "held_since", "expires_at")
    assert rows(show, *fields) == [(5, "booked", made.reference, later, NOW, None)]


def test_a_hold_is_booked_until_it_expires_and_its_seat_afterwards(user, show):
    for number, now in ((5, END - MOMENT), (6, END)):
        hold(user, show, number)
        book_seat(user=user, show_id=show.pk, seat_number=number, now=now)
    assert rows(show, "status", "cancelled_at") == [(5, "booked", None), (6, "cancelled", END), (6, "booked", None)]


def test_an_expired_hold_is_booked_under_a_new_reference(user, show):
    [made] = hold(user, show, 5)
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=END)
    assert (booking.pk == made.pk, booking.reference == made.reference) == (False, False)


# --- Cancelling a hold ------------------------------------------------------------------------


def test_the_seat_of_a_cancelled_hold_is_free(user, show):
    [made] = hold(user, show, 5)
    released = cancel(user, made, now=NOW + MINUTE)
    assert (released.status, released.cancelled_at) == ("cancelled", NOW + MINUTE)
    book_seat(user=make_user(), show_id=show.pk, seat_number=5, now=NOW + MINUTE)
    assert active_seats(show) == [5]


def test_a_hold_can_be_cancelled_until_it_expires(user, show):
    first, second = hold(user, show, 5, 6)
    assert cancel(user, first, now=END - MOMENT).status == "cancelled"
    call = {"user": user, "booking_id": second.pk, "now": END}
    assert refusal_of(cancel_booking, **call) == (AlreadyCancelled, "already_cancelled", {})
    assert rows(show, "status", "cancelled_at") == [(5, "cancelled", END - MOMENT), (6, "held", None)]


def test_a_hold_of_another_customer_and_a_blocked_seat_can_not_be_cancelled(user, show):
    for row in (make_hold(show=show, seat_number=1), make_block(show=show, seat_number=2)):
        assert refusal_of(cancel, user, row) == (NotFound, "not_found", {})
    assert refusal_of(cancel_booking, booking_id=row.pk, now=NOW) == (NotFound, "not_found", {})


# --- Releasing expired holds ------------------------------------------------------------------


def test_only_expired_holds_are_released(user, show):
    make_hold(show=show, seat_number=1, expires_at=NOW)
    make_hold(show=show, seat_number=2, expires_at=NOW + MOMENT)
    make_booking(show=show, seat_number=3)
    make_block(show=show, seat_number=4)
    assert (release_expired_holds(expired_by=NOW), release_expired_holds(expired_by=NOW)) == (1, 0)
    statuses = [(1, "cancelled", NOW), (2, "held", None), (3, "booked", None), (4, "blocked", None)]
    assert rows(show, "status", "cancelled_at") == statuses


def test_expired_holds_of_all_shows_are_released(show):
    for seat_number in (1, 2):
        make_hold(show=show, seat_number=seat_number)
    make_hold()
    assert release_expired_holds(expired_by=END) == 3


@pytest.mark.django_db(transaction=True)
def test_expired_holds_of_a_show_that_stays_locked_are_not_released(show):
    make_hold(show=show)

    def fail():
        with pytest.raises(Busy):
            release_expired_holds(expired_by=END)

    with transaction.atomic():
        Show.objects.select_for_update().get(pk=show.pk)
        at_once([lambda: with_short_timeout(fail)])
    assert Booking.objects.get().status == "held"


def test_a_late_renewal_does_not_shorten_a_hold(user, show):
    hold(user, show, 5)
    hold(user, show, 5, now=NOW + 5 * MINUTE)
    [late] = hold(user, show, 5)
    assert late.expires_at == NOW + 15 * MINUTE
