"""The rules for seats: each one alone, and the addition of a new one."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from booking.models import Booking, Show, User
from booking.services import Action, Refusal, book_seat, book_seats, hold_seats, move_booking
from booking.services.seats import rules
from booking.services.seats.facts import SEAT_REQUESTS, Facts, SeatRequest, SeatRow
from booking.services.seats.rules import seats
from booking.services.seats.rules.base import Rule, SeatRule
from booking.services.seats.rules.limits import HoldLimit, SeatLimit
from booking.services.seats.rules.sale import Movable, OnSale
from booking.services.seats.rules.seats import SeatsExist, SeatsFree
from tests.bank import ask, make_paid_show, report
from tests.factories import NOW, STARTS_AT, make_booking, make_show, make_user
from tests.races import all_read_before_one_writes, at_once, outcome, parallel_writers

# --- A rule on seats --------------------------------------------------------------------------


class RowClosed(Refusal):
    code = "example_row_closed"

    def __init__(self, seats):
        super().__init__("This row is closed.", seats=list(seats))


class RowAClosed(SeatRule):
    refusals = (RowClosed,)
    # Not SETTLE, which would refund a held seat whose row is closed before its payment arrives, and not BLOCK.
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def closed_seats(self, facts, request):
        return range(1, facts.show.seats_per_row + 1)

    def refusal(self, facts, request, seats):
        return RowClosed(seats)


@pytest.fixture
def _row_a_closed(monkeypatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, RowAClosed()])


@pytest.fixture
def small_show(db):
    """A show with rows A and B of 10 seats each."""
    return make_show(total_seats=20)


with_row_a_closed = pytest.mark.usefixtures("_row_a_closed")


@with_row_a_closed
def test_half_a_sofa_is_sold_if_a_new_rule_closes_all_other_seats(user):
    show = make_show(layout="SS\nLL", seats_per_row=2)
    assert book_seat(user=user, show_id=show.pk, seat_number=3, now=NOW).label == "B1"


@with_row_a_closed
@pytest.mark.parametrize("service", [book_seats, hold_seats])
def test_a_new_rule_refuses_seats_by_their_numbers(user, small_show, service):
    with pytest.raises(RowClosed) as refusal:
        service(user=user, show_id=small_show.pk, seat_numbers=[11, 10, 1], now=NOW)
    assert (refusal.value.extra, Booking.objects.count()) == ({"seats": [1, 10]}, 0)


@with_row_a_closed
@pytest.mark.parametrize("service", [book_seats, hold_seats])
def test_the_best_seats_obey_a_new_rule(user, small_show, service):
    bookings = service(user=user, show_id=small_show.pk, count=10, now=NOW)
    assert [booking.seat_number for booking in bookings] == list(range(11, 21))


@with_row_a_closed
def test_the_largest_block_obeys_a_new_rule(user, small_show):
    make_booking(show=small_show, seat_number=20)
    with pytest.raises(rules.NoBlock) as refusal:
        book_seats(user=user, show_id=small_show.pk, count=10, now=NOW)
    assert refusal.value.extra == {"largest_block": 9}


@with_row_a_closed
@pytest.mark.parametrize("service", [book_seats, hold_seats])
def test_alternatives_obey_a_new_rule(user, small_show, service):
    make_booking(show=small_show, seat_number=11)
    with pytest.raises(seats.SeatTaken) as refusal:
        service(user=user, show_id=small_show.pk, seat_numbers=[11], now=NOW)
    assert refusal.value.extra["alternatives"] == [12]


@with_row_a_closed
@pytest.mark.parametrize("sold_by", [None, "clerk"])
def test_a_new_rule_refuses_a_single_seat_to_customers_and_staff(user, small_show, sold_by):
    clerk = make_user(username=sold_by, is_staff=True) if sold_by else None
    with pytest.raises(RowClosed):
        book_seat(user=user, show_id=small_show.pk, seat_number=1, now=NOW, sold_by=clerk)


@with_row_a_closed
def test_a_new_rule_refuses_a_move(user, small_show):
    booking = make_booking(user=user, show=small_show, seat_number=11)
    with pytest.raises(RowClosed):
        move_booking(user=user, booking_id=booking.pk, seat_number=1, now=NOW)


@with_row_a_closed
@pytest.mark.parametrize(
    ("action", "body"),
    [("book", {"seat_number": 1}), ("book-seats", {"seat_numbers": [1, 11]}), ("hold", {"seat_numbers": [1]})],
)
def test_the_api_answers_with_the_refusal_of_a_new_rule(client, small_show, action, body):
    answer = client.post(f"/api/shows/{small_show.pk}/{action}/", body)
    refusal = {"detail": "This row is closed.", "code": "example_row_closed", "seats": [1]}
    assert (answer.status_code, answer.json()) == (409, refusal)


@with_row_a_closed
def test_the_api_answers_a_move_with_the_refusal_of_a_new_rule(client, user, small_show):
    booking = make_booking(user=user, show=small_show, seat_number=11)
    answer = client.post(f"/api/bookings/{booking.pk}/move/", {"seat_number": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "example_row_closed")


@with_row_a_closed
@pytest.mark.parametrize("action", SEAT_REQUESTS)
def test_the_refusal_of_a_new_rule_is_documented_for_its_actions(action):
    assert (RowClosed in rules.refusals_for(action=action)) == (action in RowAClosed.actions)


# --- A rule over several shows ----------------------------------------------------------------


class OverallLimitReached(Refusal):
    code = "example_limit_reached"


class OverallLimit(Rule):
    """A customer may have 2 seats over all shows; staff may sell more."""

    refusals = (OverallLimitReached,)
    actions = (Action.BOOK, Action.HOLD)

    def locks_customer(self, request):
        return True

    def check(self, facts, request):
        if request.staff:
            return
        # Seats that the customer holds and books now are not counted twice.
        wanted = Q(show=request.show_id, seat_number__in=request.seat_numbers)
        own = Booking.objects.active(request.now).filter(user=request.user).exclude(wanted).count()
        if own + request.number_of_seats > 2:
            raise OverallLimitReached("One customer may have 2 seats.")


def test_a_rule_over_several_shows_counts_a_held_seat_once(user, show, monkeypatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, OverallLimit()])
    hold_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW)
    assert len(book_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW)) == 2


class LimitOfPaidSeats(OverallLimit):
    actions = (Action.SETTLE,)


@pytest.mark.parametrize(("limit", "locked"), [(SeatLimit, 0), (LimitOfPaidSeats, 1)])
def test_a_rule_over_several_shows_locks_the_customer_of_a_paid_hold(bank, user, monkeypatch, limit, locked):
    show = make_paid_show()
    [hold] = hold_seats(user=user, show_id=show.pk, seat_numbers=[1], now=NOW)
    payment = ask(user, hold.reference)
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, limit()])
    with CaptureQueriesContext(connection) as queries:
        report(payment, now=NOW)
    lock = 'SELECT "booking_user"."id" AS "pk" FROM "booking_user"'
    assert sum(query["sql"].startswith(lock) for query in queries) == locked
    assert Booking.objects.get().status == "booked"


class UnlockedOverallLimit(OverallLimit):
    def locks_customer(self, request):
        return False


def purchases(user, shows):
    """Return calls that book a seat in each of the shows."""
    return [partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=7, now=NOW) for show in shows]


@pytest.fixture
def shows(transactional_db):
    return [make_show() for _ in range(8)]


@pytest.mark.usefixtures("long_timeout")
def test_a_rule_over_several_shows_holds_for_requests_at_the_same_time(user, shows, monkeypatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, OverallLimit()])
    outcomes = at_once(purchases(user, shows))
    assert sorted(outcomes) == ["done"] * 2 + ["example_limit_reached"] * 6
    assert Booking.objects.filter(user=user).count() == 2


@parallel_writers
def test_without_the_customer_s_lock_a_rule_over_several_shows_is_broken(user, shows, monkeypatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, UnlockedOverallLimit()])
    assert all_read_before_one_writes(purchases(user, shows)) == ["done"] * 8
    assert Booking.objects.filter(user=user).count() == 8


@parallel_writers
@pytest.mark.usefixtures("long_timeout")
def test_the_customer_s_lock_lets_other_customers_book(shows, monkeypatch):
    monkeypatch.setattr(rules, "RULES", [*rules.RULES, OverallLimit()])
    calls = [call for show in shows for call in purchases(make_user(), [show])]
    assert all_read_before_one_writes(calls) == ["done"] * 8


# --- Each rule alone --------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
CUSTOMER, OTHER = User(pk=1), User(pk=2)


def row(seat_number, user=CUSTOMER, status="booked", pk=1, **fields):
    return SeatRow(
        pk=pk,
        user_id=user.pk if user else None,
        seat_number=seat_number,
        status=status,
        reference="ACDEFGHJ",
        created_at=NOW,
        expires_at=fields.get("expires_at"),
        held_since=fields.get("held_since"),
        category="S",
        ticket_type_id=None,
        price=Decimal(0),
    )


def held(seat_number, user=CUSTOMER, expires_at=NOW + MINUTE, held_since=NOW):
    return row(seat_number, user, "held", expires_at=expires_at, held_since=held_since)


def facts_of(*rows, **show):
    defaults = {"pk": 1, "total_seats": 50, "seats_per_row": 10, "starts_at": STARTS_AT}
    return Facts(Show(**(defaults | show)), rows, is_locked=True)


def request_for(*seat_numbers, action=Action.BOOK, user=CUSTOMER, now=NOW, **fields):
    return SeatRequest(action, 1, user, now, seat_numbers, **fields)


def code(rule, facts, request):
    """Return the code of the refusal, or None."""
    try:
        rule.check(facts, request)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ({}, None),
        ({"starts_at": NOW}, "show_started"),
        ({"cancelled_at": NOW}, "show_cancelled"),
        ({"cancelled_at": NOW, "starts_at": NOW}, "show_cancelled"),
    ],
)
def test_a_show_is_on_sale_until_it_starts_or_is_cancelled(show, expected):
    assert code(OnSale(), facts_of(**show), request_for(1)) == expected


@pytest.mark.parametrize(
    ("seat_number", "expected"), [(0, "no_such_seat"), (1, None), (50, None), (51, "no_such_seat")]
)
def test_seats_of_the_show_exist(seat_number, expected):
    assert code(SeatsExist(), facts_of(), request_for(5, seat_number)) == expected


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (row(7, OTHER), "seat_taken"),
        (row(7, CUSTOMER), "seat_taken"),
        (row(7, None, "blocked"), "seat_taken"),
        (held(7, OTHER), "seat_taken"),
        (held(7, OTHER, expires_at=NOW), None),
        (held(7, CUSTOMER), None),
        (row(8, OTHER), None),
    ],
)
def test_a_seat_is_free_unless_a_row_takes_it(taken, expected):
    assert code(SeatsFree(), facts_of(taken), request_for(7)) == expected


@pytest.mark.parametrize(("is_sold_out", "expected"), [(False, "seat_taken"), (True, "sold_out")])
def test_a_show_without_a_free_seat_is_sold_out(is_sold_out, expected):
    facts = facts_of(row(7, OTHER))
    facts.is_sold_out = is_sold_out
    assert code(SeatsFree(), facts, request_for(7)) == expected


def test_a_count_chooses_none_of_the_seats_that_the_customer_holds():
    assert SeatsFree().closed_seats(facts_of(held(7)), request_for(count=1)) == [7]


def test_a_booking_may_be_moved_to_its_own_seat():
    request = request_for(7, action=Action.MOVE, booking_id=1)
    assert code(SeatsFree(), facts_of(row(7, pk=1)), request) is None


@pytest.mark.parametrize(
    ("rows", "request_", "expected"),
    [
        ([row(1)], request_for(7), None),
        ([row(1), row(2)], request_for(7), "seat_limit_reached"),
        ([row(1), held(2)], request_for(7), "seat_limit_reached"),
        ([row(1), held(2, expires_at=NOW)], request_for(7), None),
        ([row(1), held(7)], request_for(7), None),
        ([row(1), row(2, OTHER)], request_for(7), None),
        ([row(1)], request_for(count=1), None),
        ([row(1)], request_for(count=2), "seat_limit_reached"),
        ([], request_for(1, 2, 3), "seat_limit_reached"),
    ],
)
def test_a_customer_s_active_seats_are_limited(settings, rows, request_, expected):
    settings.MAX_SEATS_PER_USER = 2
    assert code(SeatLimit(), facts_of(*rows), request_) == expected


@pytest.mark.parametrize(
    ("booking", "expected"),
    [
        ([row(5)], None),
        ([], "already_cancelled"),
        ([row(5, pk=2)], "already_cancelled"),
        ([held(5)], "not_booked"),
        ([held(5, expires_at=NOW)], "already_cancelled"),
    ],
)
def test_only_a_booked_seat_can_be_moved(booking, expected):
    request = request_for(8, action=Action.MOVE, booking_id=1)
    assert code(Movable(), facts_of(*booking), request) == expected


@pytest.mark.parametrize(
    ("minutes_held", "expires_in", "expected"),
    [
        (29, 1, None),
        (30, 0, "hold_limit_reached"),
        (39, -9, "hold_limit_reached"),
        (40, -10, None),
    ],
)
def test_a_hold_is_limited_until_hold_minutes_after_its_end(minutes_held, expires_in, expected):
    hold = held(7, expires_at=NOW + expires_in * MINUTE, held_since=NOW - minutes_held * MINUTE)
    assert code(HoldLimit(), facts_of(hold), request_for(7, action=Action.HOLD)) == expected


def test_a_hold_of_another_customer_is_not_limited():
    hold = held(7, OTHER, expires_at=NOW, held_since=NOW - 30 * MINUTE)
    assert code(HoldLimit(), facts_of(hold), request_for(7, action=Action.HOLD)) is None


@pytest.mark.parametrize("wanted", [{}, {"seat_numbers": [1], "count": 1}, {"seat_numbers": [1, 1]}])
def test_a_request_is_for_distinct_seats_or_for_a_count(wanted):
    with pytest.raises(ValueError, match="Pass either seat numbers"):
        SeatRequest(Action.BOOK, 1, CUSTOMER, NOW, **wanted)
