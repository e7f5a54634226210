"""Breaches of each rule, stored without the ORM and the database's constraints, are found."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import CheckConstraint
from django.utils import timezone

from booking.models import Booking, Order, Show
from booking.services import SeenSeat, cancel_bookings, cancel_show
from tests.door import DOORS, admit, make_door_staff, offline, stored, undo
from tests.factories import (
    NOW,
    STARTS_AT,
    make_block,
    make_booking,
    make_hold,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)


def audit():
    """Run the command and return its exit status and the lines of its output."""
    out = StringIO()
    try:
        call_command("audit", stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


@pytest.fixture
def _unguarded(db):
    """Drops the constraints of shows and bookings until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_active_booking_per_show_and_seat")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
        else:
            for model in (Show, Booking):
                for constraint in model._meta.constraints:
                    if isinstance(constraint, CheckConstraint):
                        cursor.execute(f"ALTER TABLE {model._meta.db_table} DROP CONSTRAINT {constraint.name}")
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


unguarded = pytest.mark.usefixtures("_unguarded")


def test_valid_data_has_no_breaches(show, user):
    make_booking(show=show, user=user, seat_number=1)
    make_booking(show=show, user=user, seat_number=50)
    assert audit() == (0, ["No breach: 1 shows, 2 bookings checked."])


def test_an_empty_database_has_no_breaches():
    assert audit() == (0, ["No breach: 0 shows, 0 bookings checked."])


def test_the_number_of_queries_is_constant(user, django_assert_num_queries):
    for _ in range(3):
        make_booking(user=user, show=make_show())
    with django_assert_num_queries(33):
        audit()


# --- Seats ------------------------------------------------------------------------------------


@unguarded
def test_a_seat_that_is_active_twice(show, user):
    first, second = (make_booking(show=show, user=user, seat_number=15) for _ in range(2))
    breach = f"Show {show.pk}: seat B5 is active 2 times, as {first.reference}, {second.reference}"
    assert audit() == (1, [breach, "1 breach"])


@unguarded
def test_two_seats_that_are_active_twice(show, user):
    bookings = [make_booking(show=show, user=user, seat_number=number) for number in (1, 2, 1, 2, 2)]
    one, two, one_again, *two_again = (booking.reference for booking in bookings)
    assert audit() == (
        1,
        [
            f"Show {show.pk}: seat A1 is active 2 times, as {one}, {one_again}",
            f"Show {show.pk}: seat A2 is active 3 times, as {two}, {', '.join(two_again)}",
            "2 breaches",
        ],
    )


def test_a_seat_that_was_cancelled_and_sold_again_is_valid(show, user):
    make_booking(show=show, user=user, status="cancelled")
    make_booking(show=show, user=user)
    assert audit() == (0, ["No breach: 1 shows, 2 bookings checked."])


def test_one_seat_number_in_two_shows_is_valid(show, user):
    make_booking(show=show, user=user)
    make_booking(show=make_show(), user=user)
    assert audit() == (0, ["No breach: 2 shows, 2 bookings checked."])


@unguarded
@pytest.mark.parametrize(("seat_number", "label"), [(0, "number 0"), (51, "number 51")])
def test_an_active_seat_outside_the_hall(show, user, seat_number, label):
    booking = make_booking(show=show, user=user, seat_number=seat_number)
    breach = f"Show {show.pk}: booking {booking.reference} of seat {label} is active for an unknown seat"
    assert audit() == (1, [breach, "1 breach"])


def test_a_cancelled_seat_outside_the_hall_is_valid(show, user):
    make_booking(show=show, user=user, seat_number=51, status="cancelled")
    assert audit() == (0, ["No breach: 1 shows, 1 bookings checked."])


@pytest.mark.parametrize("make", [make_hold, make_block])
def test_a_held_or_blocked_seat_outside_the_hall(show, make):
    row = make(show=show, seat_number=51)
    breach = f"Show {show.pk}: booking {row.reference} of seat number 51 is active for an unknown seat"
    assert audit() == (1, [breach, "1 breach"])


def test_an_expired_hold_outside_the_hall_is_valid(show):
    make_hold(show=show, seat_number=51, held_since=NOW, expires_at=timezone.now() - MINUTE)
    assert audit() == (0, ["No breach: 1 shows, 1 bookings checked."])


@unguarded
@pytest.mark.parametrize("make", [make_booking, make_hold, make_block])
def test_a_seat_that_is_active_in_two_ways(show, make):
    first, second = make_hold(show=show), make(show=show)
    breach = f"Show {show.pk}: seat A1 is active 2 times, as {first.reference}, {second.reference}"
    assert audit() == (1, [breach, "1 breach"])


def test_an_active_booking_of_a_cancelled_show(user):
    show = make_show(cancelled_at=NOW)
    booking = make_booking(show=show, user=user)
    make_booking(show=show, user=user, seat_number=2, status="cancelled")
    breach = f"Show {show.pk}: booking {booking.reference} of seat A1 is active in a cancelled show"
    assert audit() == (1, [breach, "1 breach"])


def test_a_hold_of_a_cancelled_show():
    show = make_show(cancelled_at=NOW)
    hold = make_hold(show=show)
    breach = f"Show {show.pk}: booking {hold.reference} of seat A1 is active in a cancelled show"
    assert audit() == (1, [breach, "1 breach"])


def test_a_blocked_seat_of_a_cancelled_show_is_valid():
    make_block(show=make_show(cancelled_at=NOW))
    assert audit() == (0, ["No breach: 1 shows, 1 bookings checked."])


# --- Holds and blocked seats ------------------------------------------------------------------

HELD = {"status": "held", "held_since": NOW, "expires_at": NOW + 10 * MINUTE}


@unguarded
@pytest.mark.parametrize(
    ("fields", "breach"),
    [
        (HELD | {"expires_at": None}, "is held without an expiry time"),
        (HELD | {"expires_at": NOW + 31 * MINUTE + MOMENT}, "is held for longer than allowed"),
        ({"expires_at": NOW}, "has an expiry time but is not held"),
        ({"status": "blocked", "user": None, "expires_at": NOW}, "has an expiry time but is not held"),
        ({"status": "blocked"}, "is blocked but has a customer"),
    ],
)
def test_an_invalid_hold_or_blocked_seat(show, user, fields, breach):
    fields = {"show": show, "user": user, "seat_number": 1, "created_at": NOW} | fields
    booking = Booking.objects.create(**fields)
    Order.objects.create(show=show, reference=booking.reference, created_at=NOW)
    assert audit() == (1, [f"Show {show.pk}: booking {booking.reference} of seat A1 {breach}", "1 breach"])


def test_holds_of_the_longest_time_and_blocked_seats_are_valid(show):
    make_hold(show=show, seat_number=1, expires_at=NOW + 31 * MINUTE)
    make_hold(show=show, seat_number=2, status="cancelled")
    make_block(show=show, seat_number=3)
    assert audit() == (0, ["No breach: 1 shows, 3 bookings checked."])


# --- Times ------------------------------------------------------------------------------------


@unguarded
@pytest.mark.parametrize("lasts", [-HOUR, timedelta()])
def test_a_show_that_ends_before_it_starts(lasts):
    show = make_show(ends_at=STARTS_AT + lasts)
    assert audit() == (1, [f"Show {show.pk}: ends before it starts", "1 breach"])


@unguarded
@pytest.mark.parametrize(
    ("fields", "breach"),
    [
        ({"status": "cancelled", "cancelled_at": None}, "is cancelled without a cancellation time"),
        ({"cancelled_at": NOW}, "has a cancellation time but is not cancelled"),
        ({"status": "cancelled", "cancelled_at": NOW - MINUTE - MOMENT}, "was cancelled before it was made"),
        ({"created_at": STARTS_AT + MINUTE + MOMENT}, "was made after the show's start"),
    ],
)
def test_a_booking_at_an_impossible_time(show, user, fields, breach):
    booking = make_booking(show=show, user=user, **fields)
    assert audit() == (1, [f"Show {show.pk}: booking {booking.reference} of seat A1 {breach}", "1 breach"])


def test_clocks_may_differ_by_a_minute(show, user):
    make_booking(show=show, user=user, status="cancelled", cancelled_at=NOW - MINUTE)
    make_booking(show=show, user=user, created_at=STARTS_AT + MINUTE)
    assert audit() == (0, ["No breach: 1 shows, 2 bookings checked."])


def test_a_hold_of_an_upcoming_show_without_a_customer(show):
    hold = make_hold(show=show, seat_number=15)
    Booking.objects.update(user=None)
    breach = "is held without a customer although the show has not started"
    assert audit() == (1, [f"Show {show.pk}: booking {hold.reference} of seat B5 {breach}", "1 breach"])


def test_a_booked_seat_of_a_customer_without_an_account_is_valid(show):
    make_booking(show=show)
    Booking.objects.update(user=None)
    assert audit() == (0, ["No breach: 1 shows, 1 bookings checked."])


def test_a_booking_without_an_order(show):
    booking = make_booking(show=show)
    Order.objects.all().delete()
    breach = f"Show {show.pk}: booking {booking.reference} of seat A1 has no order"
    assert audit() == (1, [breach, "1 breach"])


def test_an_order_without_bookings(show):
    order = Order.objects.create(show=show, created_at=NOW)
    assert audit() == (1, [f"Show {show.pk}: order {order.reference} has no bookings", "1 breach"])


def test_a_seat_with_another_label_than_the_plan_s(show):
    booking = make_booking(show=show, seat_label="B1")
    breach = f"Show {show.pk}: booking {booking.reference} has seat B1, which is A1 in the plan"
    assert audit() == (1, [breach, "1 breach"])
    Booking.objects.update(seat_label="A1")
    assert audit() == (0, ["No breach: 1 shows, 1 bookings checked."])


def test_invalid_prices(show):
    adult = make_ticket_type()
    make_price_list({("S", adult): 12})
    free, wrong = make_booking(show=show, price=1), make_booking(show=show, seat_number=2, category="S", price=2)
    Booking.objects.filter(pk=wrong.pk).update(ticket_type=adult)
    make_booking(show=show, seat_number=3, category="S", ticket_type=adult, price=12)
    breaches = ["has a price without a ticket type", "has a price that no price list has"]
    lines = zip((free, wrong), ("A1", "A2"), breaches, strict=True)
    expected = [f"Show {show.pk}: booking {row.reference} of seat {seat} {breach}" for row, seat, breach in lines]
    assert audit() == (1, [*expected, "2 breaches"])


def test_past_and_cancelled_bookings_need_no_customer(show):
    make_booking(show=make_show(starts_at=timezone.now() - HOUR), created_at=timezone.now() - 2 * HOUR)
    Booking.objects.update(user=None)
    Booking.objects.create(show=show, seat_number=1, status="cancelled", created_at=NOW, cancelled_at=NOW)
    assert audit() == (0, ["No breach: 2 shows, 2 bookings checked."])


# --- Schedule ---------------------------------------------------------------------------------


def shows_on(screen, *hours, **fields):
    """Create a show for each pair of hours of one evening."""
    return [
        make_show(screen=screen, starts_at=STARTS_AT + start * HOUR, ends_at=STARTS_AT + end * HOUR, **fields)
        for start, end in hours
    ]


@pytest.mark.parametrize("hours", [((0, 2), (1, 3)), ((0, 3), (1, 2)), ((0, 2), (0, 2)), ((0, 2), (0, 1))])
def test_shows_that_overlap(hours):
    first, second = shows_on(make_screen(name="Studio"), *hours)
    assert audit() == (1, [f"Shows {first.pk} and {second.pk} overlap on Studio", "1 breach"])


def test_a_show_that_started_earlier_is_named_first_whichever_was_planned_first():
    later, earlier = shows_on(make_screen(name="Studio"), (1, 3), (0, 2))
    assert audit() == (1, [f"Shows {earlier.pk} and {later.pk} overlap on Studio", "1 breach"])


def test_a_show_that_overlaps_others_than_its_neighbour():
    long, short, late = shows_on(make_screen(name="Studio"), (0, 4), (1, 2), (3, 5))
    breaches = [f"Shows {long.pk} and {other.pk} overlap on Studio" for other in (short, late)]
    assert audit() == (1, [*breaches, "2 breaches"])


def test_shows_without_a_break_are_valid():
    shows_on(make_screen(), (0, 2), (2, 4), (4, 5))
    assert audit() == (0, ["No breach: 3 shows, 0 bookings checked."])


def test_shows_at_the_same_time_on_two_screens_are_valid():
    shows_on(make_screen(), (0, 2))
    shows_on(make_screen(), (0, 2))
    assert audit() == (0, ["No breach: 2 shows, 0 bookings checked."])


def test_a_cancelled_show_does_not_overlap():
    screen = make_screen()
    shows_on(screen, (0, 2))
    shows_on(screen, (1, 3), cancelled_at=NOW)
    assert audit() == (0, ["No breach: 2 shows, 0 bookings checked."])


@unguarded
def test_every_breach_is_printed_on_a_line(user):
    show, other = shows_on(make_screen(name="Studio"), (0, 2), (1, 3))
    booking = make_booking(show=show, user=make_user(), seat_number=99)
    status, lines = audit()
    assert (status, len(lines), lines[-1]) == (1, 3, "2 breaches")
    assert booking.reference in lines[0]
    assert f"{show.pk} and {other.pk}" in lines[1]


# --- Admissions -------------------------------------------------------------------------------


def test_a_booking_that_is_admitted_several_times_until_one_is_undone(show, user):
    booking, door = make_booking(show=show, user=user, seat_number=5), make_door_staff()
    admit(booking, door)
    assert audit()[0] == 0
    offline(booking, door)
    breach = f"Show {show.pk}: booking {booking.reference} of seat A5 is admitted 2 times"
    assert audit() == (1, [breach, "1 breach"])
    undo(booking, door)
    assert audit()[0] == 0


def test_a_booking_that_is_admitted_although_it_is_cancelled(show, user):
    booking = make_booking(show=show, user=user, seat_number=5, status="cancelled")
    offline(booking, make_door_staff())
    breach = f"Show {show.pk}: booking {booking.reference} of seat A5 is admitted once, but is cancelled"
    assert audit() == (1, [breach, "1 breach"])


def test_a_booking_that_is_cancelled_after_its_admission_is_no_breach(show, user):
    bookings = [make_booking(show=show, user=user, seat_number=seat) for seat in (5, 6)]
    door = make_door_staff()
    for booking in bookings:
        admit(booking, door)
    seen = [SeenSeat(bookings[0].pk, 5, "booked")]
    cancel_bookings(show_id=show.pk, seen=seen, now=DOORS + MINUTE, cancelled_by=door)
    assert audit()[0] == 0
    cancel_show(show_id=show.pk, now=DOORS + 2 * MINUTE, cancelled_by=door)
    assert audit()[0] == 0


def test_a_booking_whose_scan_arrives_after_its_cancellation_is_no_breach(show, user):
    booking = make_booking(show=show, user=user, seat_number=5, status="cancelled", cancelled_at=DOORS + MINUTE)
    offline(booking, make_door_staff())
    assert (stored(booking), audit()[0]) == ([("in", "ticket_cancelled")], 0)
