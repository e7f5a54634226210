"""Concurrent requests for several seats: groups, holds, moves, blocks and the best seats."""

from collections import Counter
from datetime import timedelta
from functools import partial
from itertools import product

import pytest

from booking import services
from booking.models import Booking
from booking.services.seats.holds import release_expired_holds
from booking.services.seats.rules.sale import AlreadyCancelled
from booking.services.seats.seating import largest_block
from tests.conftest import signed_in
from tests.factories import NOW, make_booking, make_hold, make_show, make_user
from tests.races import (
    all_decide_before_one_commits,
    all_read_before_one_writes,
    at_once,
    make_users,
    outcome,
    parallel_writers,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]

MOMENT = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
END = NOW + 10 * MINUTE
ONE_WINS = {"done": 1, "seat_taken": 1}


def cancellation(booking):
    return partial(outcome, services.cancel_booking, booking_id=booking.pk, now=NOW)


def book(user, show, *seats, now=NOW, **seat_request):
    return partial(
        outcome, services.book_seats, user=user, show_id=show.pk, seat_numbers=seats, now=now, **seat_request
    )


def hold(user, show, *seats, now=NOW, **seat_request):
    return partial(
        outcome, services.hold_seats, user=user, show_id=show.pk, seat_numbers=seats, now=now, **seat_request
    )


def block(show, *seats):
    return partial(outcome, services.block_seats, show_id=show.pk, seat_numbers=seats, reason="House seats", now=NOW)


def move(booking, seat):
    return partial(outcome, services.move_booking, user=booking.user, booking_id=booking.pk, seat_number=seat, now=NOW)


def on_seats(show):
    """Return the seat, status and user of each row that occupies a seat."""
    rows = Booking.objects.occupying().filter(show=show).order_by("seat_number", "pk")
    return list(rows.values_list("seat_number", "status", "user"))


def seats(show, **of):
    return sorted(Booking.objects.occupying().filter(show=show, **of).values_list("seat_number", flat=True))


def booked_by(user, *seat_numbers):
    return [(seat, "booked", user.pk) for seat in seat_numbers]


def those_done(callers, outcomes):
    return [caller for caller, end in zip(callers, outcomes, strict=True) if end == "done"]


def in_shows(calls_of, number=8):
    """Pairs of a show and its outcomes: `calls_of` returns the calls in a show, and all run at the same time."""
    shows = [make_show() for _ in range(number)]
    calls = [calls_of(show) for show in shows]
    outcomes = iter(at_once([call for calls_of_show in calls for call in calls_of_show]))
    return [(show, [next(outcomes) for _ in of_show]) for show, of_show in zip(shows, calls, strict=True)]


# --- Groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [book, hold])
def test_one_of_20_requests_for_the_same_8_seats_succeeds(show, ask):
    users = make_users(20)
    outcomes = at_once([ask(user, show, *range(1, 9)[:: (-1) ** n]) for n, user in enumerate(users)])
    [winner] = those_done(users, outcomes)
    assert Counter(outcomes) == {"done": 1, "seat_taken": 19}
    assert seats(show) == seats(show, user=winner) == list(range(1, 9))
    assert Booking.objects.count() == 8


def test_groups_that_overlap_in_opposite_orders_get_all_or_none(show):
    groups = {user: range(1 + n, 6 + n)[:: (-1) ** n] for n, user in enumerate(make_users(24))}
    outcomes = at_once([book(user, show, *group) for user, group in groups.items()])
    won = those_done(groups, outcomes)
    assert set(outcomes) == {"done", "seat_taken"}
    assert on_seats(show) == sorted(row for user in won for row in booked_by(user, *groups[user]))
    assert len(set(seats(show))) == 5 * len(won)
    assert all(set(seats(show)) & set(group) for group in groups.values())


def test_one_of_two_groups_that_share_a_seat_is_sold():
    groups = dict(zip(make_users(2), [(3, 4, 5), (7, 6, 5)], strict=True))
    for show, outcomes in in_shows(lambda show: [book(user, show, *group) for user, group in groups.items()]):
        [winner] = those_done(groups, outcomes)
        assert Counter(outcomes) == ONE_WINS
        assert on_seats(show) == booked_by(winner, *sorted(groups[winner]))


# --- Holds ------------------------------------------------------------------------------------


def test_one_of_a_hold_and_a_booking_that_share_a_seat_succeeds():
    holder, buyer = make_users(2)
    for show, outcomes in in_shows(lambda show: [hold(holder, show, 6, 7), book(buyer, show, 7, 8)]):
        assert Counter(outcomes) == ONE_WINS
        held_6_and_7 = [(6, "held", holder.pk), (7, "held", holder.pk)]
        assert on_seats(show) == (held_6_and_7 if outcomes[0] == "done" else booked_by(buyer, 7, 8))


@pytest.mark.parametrize("ask", [book, hold])
def test_a_hold_that_expires_while_it_is_booked_is_sold_once(ask):
    users = holder, rival = make_users(2)
    moments = iter([*product([-MOMENT, 0 * MOMENT, MOMENT], [0 * MOMENT, MOMENT])] * 3)

    def calls_of(show):
        make_hold(user=holder, show=show, seat_number=7, expires_at=END)
        late, later = next(moments)
        return [ask(holder, show, 7, now=END + late), book(rival, show, 7, now=END + later)]

    for show, outcomes in in_shows(calls_of, 18):
        assert Counter(outcomes) == ONE_WINS
        [winner] = those_done(users, outcomes)
        assert seats(show) == seats(show, user=winner) == [7]


def test_a_hold_that_is_released_while_it_is_booked_is_sold_once():
    users = holder, rival = make_users(2)

    def calls_of(show):
        make_hold(user=holder, show=show, seat_number=7, expires_at=END)
        buyers = [book(holder, show, 7, now=END - MOMENT), book(rival, show, 7, now=END)]
        return [*buyers, partial(outcome, release_expired_holds, expired_by=END)]

    for show, [*outcomes, tidied] in in_shows(calls_of):
        assert (Counter(outcomes), tidied) == (ONE_WINS, "done")
        [winner] = those_done(users, outcomes)
        assert on_seats(show) == booked_by(winner, 7)


def test_seats_that_their_holder_books_10_times_at_the_same_time_are_booked_once(user, show):
    for seat in (1, 2, 3):
        make_hold(user=user, show=show, seat_number=seat)
    outcomes = at_once([book(user, show, *(1, 2, 3)[:: (-1) ** n]) for n in range(10)])
    assert Counter(outcomes) == {"done": 1, "seat_taken": 9}
    assert on_seats(show) == booked_by(user, 1, 2, 3)
    assert Booking.objects.count() == 3


def test_a_hold_requested_30_times_at_the_same_time_is_one_hold(user, show):
    assert at_once([hold(user, show, *(1, 2, 3)[:: (-1) ** n]) for n in range(30)]) == ["done"] * 30
    rows = Booking.objects.order_by("seat_number").values_list("seat_number", "status", "held_since", "expires_at")
    assert list(rows) == [(seat, "held", NOW, NOW + 10 * MINUTE) for seat in (1, 2, 3)]
    assert Booking.objects.values("reference").distinct().count() == 1


def test_many_renewals_keep_a_hold_within_its_longest_time(user, show):
    for seat in (1, 2, 3):
        make_hold(user=user, show=show, seat_number=seat, expires_at=NOW + 29.9 * MINUTE)
    renewals = [hold(user, show, 3, 2, 1, now=NOW + 20 * MINUTE + n * 0.3 * MINUTE) for n in range(30)]
    too_late = [hold(user, show, 1, 2, 3, now=NOW + 30 * MINUTE) for _ in range(5)]
    rivals = [book(rival, show, 2, 3, 4, now=NOW + 29 * MINUTE) for rival in make_users(5)]
    assert at_once([*renewals, *too_late, *rivals]) == ["done"] * 30 + ["hold_limit_reached"] * 5 + ["seat_taken"] * 5
    rows = Booking.objects.order_by("seat_number").values_list("seat_number", "status", "held_since", "expires_at")
    assert list(rows) == [(seat, "held", NOW, NOW + 30 * MINUTE) for seat in (1, 2, 3)]


def test_the_seat_limit_holds_for_a_customer_who_books_and_holds_30_seats_at_the_same_time(user, show, settings):
    outcomes = at_once([(book, hold)[n % 2](user, show, 1 + n) for n in range(30)])
    limit = settings.MAX_SEATS_PER_USER
    assert Counter(outcomes) == {"done": limit, "seat_limit_reached": 30 - limit}
    assert len(seats(show)) == limit


def test_the_seat_limit_holds_for_groups_that_are_booked_and_held_at_the_same_time(user, show):
    outcomes = at_once([(book, hold)[n % 2](user, show, count=3) for n in range(16)])
    assert Counter(outcomes) == {"done": 3, "seat_limit_reached": 13}
    assert len(set(seats(show))) == len(seats(show)) == 9


# --- Moves, cancellations and blocks ----------------------------------------------------------


def test_one_of_a_move_and_a_booking_of_the_same_seat_succeeds():
    mover, buyer = make_users(2)

    def calls_of(show):
        return [move(make_booking(user=mover, show=show, seat_number=5), 8), book(buyer, show, 8)]

    for show, outcomes in in_shows(calls_of):
        stayed = booked_by(mover, 5) + booked_by(buyer, 8)
        assert Counter(outcomes) == ONE_WINS
        assert on_seats(show) == (booked_by(mover, 8) if outcomes[0] == "done" else stayed)


def test_two_customers_who_move_to_each_other_s_seat_keep_their_own():
    users = make_users(2)

    def calls_of(show):
        return [move(make_booking(user=user, show=show, seat_number=5 + n), 6 - n) for n, user in enumerate(users)]

    for show, outcomes in in_shows(calls_of):
        assert outcomes == ["seat_taken"] * 2
        assert on_seats(show) == booked_by(users[0], 5) + booked_by(users[1], 6)


def test_a_row_of_customers_who_move_by_one_seat_have_one_seat_each(show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(20)]
    outcomes = at_once([move(booking, booking.seat_number + 1) for booking in bookings])
    moved = {booking.pk for booking in those_done(bookings, outcomes)}
    ends = [(booking.pk, booking.seat_number + (booking.pk in moved)) for booking in bookings]
    assert outcomes[-1] == "done"
    assert set(outcomes) <= {"done", "seat_taken"}
    assert list(Booking.objects.order_by("pk").values_list("pk", "seat_number")) == ends
    assert len(set(seats(show))) == 20


def test_a_booking_moved_to_20_seats_at_the_same_time_is_on_one_of_them(user, show):
    booking = make_booking(user=user, show=show, seat_number=5)
    assert at_once([move(booking, 11 + n) for n in range(20)]) == ["done"] * 20
    assert Booking.objects.get().seat_number in range(11, 31)


def test_a_booking_moved_and_cancelled_at_the_same_time_leaves_both_seats_free():
    user = make_user()

    def calls_of(show):
        booking = make_booking(user=user, show=show, seat_number=5)
        by_reference = {"user": user, "reference": booking.reference, "now": NOW}
        return [move(booking, 8), cancellation(booking), partial(outcome, services.cancel_order, **by_reference)]

    for show, [moved, *cancelled] in in_shows(calls_of):
        assert Counter(cancelled) == {"done": 1, "already_cancelled": 1}
        row = {"done": (8, "cancelled"), "already_cancelled": (5, "cancelled")}[moved]
        assert list(show.bookings.values_list("seat_number", "status")) == [row]


def cancelled_by(service, **call):
    """Return the seats that this call has cancelled."""
    try:
        cancelled = service(now=NOW, **call)
    except AlreadyCancelled:
        return []
    return [booking.seat_number for booking in (cancelled if isinstance(cancelled, list) else [cancelled])]


def test_seats_cancelled_by_reference_and_one_by_one_at_the_same_time_are_cancelled_once():
    user = make_user()

    def calls_of(show):
        rows = [make_booking(user=user, show=show, seat_number=n, reference=f"A{show.pk}") for n in (5, 6, 7)]
        whole = partial(cancelled_by, services.cancel_order, user=user, reference=f"A{show.pk}")
        return [whole, partial(cancelled_by, services.cancel_booking, user=user, booking_id=rows[1].pk), whole]

    for show, [first, single, second] in in_shows(calls_of):
        assert sorted([*first, *single, *second]) == [5, 6, 7]
        assert [] in (first, second)
        assert on_seats(show) == []


@pytest.mark.parametrize("ask", [book, hold])
def test_one_of_a_block_and_a_request_for_the_same_seat_succeeds(user, ask):
    for show, outcomes in in_shows(lambda show: [block(show, 6, 7), ask(user, show, 8, 7)]):
        assert Counter(outcomes) == ONE_WINS
        blocked, booked_first = ([6, 7], [6, 7]), ([7, 8], [])
        assert (seats(show), seats(show, status="blocked")) == (blocked if outcomes[0] == "done" else booked_first)


# --- The best seats ---------------------------------------------------------------------------


def side_by_side(some):
    return some[-1] - some[0] == len(some) - 1 and (some[-1] - 1) // 10 == (some[0] - 1) // 10


def test_40_customers_who_request_the_best_seats_sit_side_by_side_unless_split(show):
    seat_requests = [(user, 2 + n % 3, n % 5 == 0) for n, user in enumerate(make_users(40))]
    asks = zip([book, hold] * 20, seat_requests, strict=True)
    outcomes = at_once([ask(user, show, count=count, split=split) for ask, (user, count, split) in asks])
    numbers = seats(show)
    assert numbers == sorted(set(numbers) & set(range(1, 51)))
    for (user, count, split), end in zip(seat_requests, outcomes, strict=True):
        got = seats(show, user=user)
        left = 50 - len(numbers) if split else largest_block(show.hall, numbers)
        sits_well = len(got) == count and (split or side_by_side(got))
        # No customer is refused seats that are still free at the end.
        assert sits_well if end == "done" else (got == [] and count > left and end in ("no_block", "sold_out"))


def test_40_split_requests_fill_the_hall_to_the_last_seat():
    show = make_show(total_seats=48, seats_per_row=7)
    users = make_users(40)
    outcomes = at_once([book(user, show, count=4, split=True) for user in users])
    assert Counter(outcomes) == {"done": 12, "sold_out": 28}
    assert seats(show) == list(range(1, 49))
    assert [len(seats(show, user=user)) for user in those_done(users, outcomes)] == [4] * 12


# --- Idempotency-Key --------------------------------------------------------------------------


def post(user, path, body):
    return partial(signed_in(user).post, f"/api/{path}/", body, headers={"Idempotency-Key": "k"})


def check_one_was_carried_out(answers, status):
    assert [answer.status_code for answer in answers] == [status] * len(answers)
    assert Counter(answer.get("Idempotency-Replayed") for answer in answers) == {None: 1, "true": len(answers) - 1}
    assert [answer.json() for answer in answers] == [answers[0].json()] * len(answers)


@pytest.mark.parametrize("seat_request", [{"seat_numbers": [8, 7]}, {"count": 2}])
@pytest.mark.parametrize("action", ["book-seats", "hold"])
def test_a_request_sent_20_times_at_the_same_time_under_one_key_is_carried_out_once(user, show, action, seat_request):
    answers = at_once([post(user, f"shows/{show.pk}/{action}", seat_request) for _ in range(20)])
    check_one_was_carried_out(answers, 201)
    assert Booking.objects.count() == len(seats(show)) == 2


def test_a_move_sent_20_times_at_the_same_time_under_one_key_is_carried_out_once(user, show):
    booking = make_booking(user=user, show=show, seat_number=5)
    answers = at_once([post(user, f"bookings/{booking.pk}/move", {"seat_number": 8}) for _ in range(20)])
    check_one_was_carried_out(answers, 200)
    assert on_seats(show) == booked_by(user, 8)


@pytest.mark.parametrize("action", ["book-seats", "hold"])
def test_equal_keys_of_two_customers_are_independent(show, action):
    users = make_users(2)
    answers = at_once([post(user, f"shows/{show.pk}/{action}", {"count": 3}) for user in users for _ in range(10)])
    check_one_was_carried_out(answers[:10], 201)
    check_one_was_carried_out(answers[10:], 201)
    assert [len(seats(show, user=user)) for user in users] == [3, 3]


def move_pairs(show, clerk, wanted):
    """Move two pairs of bookings by staff to the wanted seats."""
    pairs = [[make_booking(show=show, seat_number=seat) for seat in pair] for pair in ((1, 2), (11, 12))]
    seen = [[services.SeenSeat(one.pk, one.seat_number, one.status) for one in pair] for pair in pairs]
    return [
        partial(
            outcome, services.move_bookings, show_id=show.pk, seen=pair, seat_numbers=seats, now=NOW, moved_by=clerk
        )
        for pair, seats in zip(seen, wanted, strict=True)
    ]


def test_one_of_two_pairs_that_are_moved_to_a_shared_seat_is_moved(user, show):
    assert Counter(at_once(move_pairs(show, user, [(5, 6), (6, 7)]))) == ONE_WINS
    assert seats(show) in ([1, 2, 6, 7], [5, 6, 11, 12])


# --- Controls: the same races with the guards off ---------------------------------------------


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_lock_and_constraint_two_groups_that_share_a_seat_are_both_sold(show):
    first, second = make_users(2)
    groups = [book(first, show, 3, 4, 5), book(second, show, 5, 6, 7)]
    assert all_read_before_one_writes(groups) == ["done"] * 2
    assert seats(show) == [3, 4, 5, 5, 6, 7]


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
@pytest.mark.parametrize("rival", ["booking", "hold", "block", "move"])
def test_without_lock_and_constraint_a_seat_that_is_booked_has_a_second_row(user, show, rival):
    other = make_booking(show=show, seat_number=5)
    calls = {"booking": book(other.user, show, 8), "hold": hold(other.user, show, 8), "block": block(show, 8)}
    call = calls.get(rival) or move(other, 8)
    assert all_read_before_one_writes([book(user, show, 8), call]) == ["done"] * 2
    assert seats(show)[-2:] == [8, 8]


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_lock_and_constraint_two_pairs_are_moved_to_a_shared_seat(user, show):
    # Each of the two moves of a pair reads the seats, so all have to be made before one pair is committed.
    assert all_decide_before_one_commits(move_pairs(show, user, [(5, 6), (6, 7)])) == ["done"] * 2
    assert seats(show) == [5, 6, 6, 7]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_constraint_still_keeps_a_move_off_a_booked_seat(user, show):
    calls = [book(user, show, 8), move(make_booking(show=show, seat_number=5), 8)]
    assert Counter(all_read_before_one_writes(calls)) == ONE_WINS
    assert seats(show) in ([8], [5, 8])


@parallel_writers
@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_lock_and_constraint_all_choose_the_same_best_seats(show):
    outcomes = all_read_before_one_writes([hold(user, show, count=3) for user in make_users(8)])
    assert outcomes == ["done"] * 8
    assert Counter(seats(show)) == {24: 8, 25: 8, 26: 8}


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_constraint_still_sells_one_of_two_groups_whole(show):
    users = make_users(2)
    outcomes = all_read_before_one_writes([book(users[0], show, 3, 4, 5), book(users[1], show, 5, 6, 7)])
    [winner] = those_done(users, outcomes)
    assert Counter(outcomes) == ONE_WINS
    assert on_seats(show) == booked_by(winner, *((3, 4, 5) if winner == users[0] else (5, 6, 7)))


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_the_seat_limit_is_exceeded_by_bookings_and_holds(user, show):
    outcomes = all_read_before_one_writes([(book, hold)[n % 2](user, show, 1 + n) for n in range(20)])
    assert outcomes == ["done"] * 20
    assert seats(show) == list(range(1, 21))
