"""Admitted seats: only staff cancel and move them."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from booking.models import CheckIn, FormerStart
from booking.services import (
    NotYetOpen,
    SeatAdmitted,
    SeenSeat,
    admitted_bookings,
    cancel_booking,
    cancel_bookings,
    cancel_order,
    change_show,
    delete_account,
    move_booking,
)
from booking.services.door.admitted import lock_admitted
from booking.services.programme.shows import ShowsOverlap
from tests.door import DOORS, MINUTE, admit, make_door_staff, offline, scan_of, stored, undo
from tests.factories import NOW, PASSWORD, STARTS_AT, make_booking, make_show, make_user

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)


@pytest.fixture
def door():
    return make_door_staff()


@pytest.fixture
def booking(show, user):
    return make_booking(show=show, user=user, seat_number=5)


@pytest.fixture
def pair(booking):
    """A second booking in the order."""
    return make_booking(show=booking.show, user=booking.user, seat_number=6, reference=booking.reference)


def cancel(booking, now=DOORS):
    return cancel_booking(user=booking.user, booking_id=booking.pk, now=now)


def cancel_whole_order(booking, now=DOORS):
    return cancel_order(user=booking.user, reference=booking.reference, now=now)


def move(booking, now=DOORS, **fields):
    return move_booking(user=booking.user, booking_id=booking.pk, seat_number=9, now=now, **fields)


CHANGES = {"cancel": cancel, "cancel the order": cancel_whole_order, "move": move}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_customer_does_not_change_an_admitted_seat(booking, pair, door, change):
    admit(booking, door)
    with pytest.raises(SeatAdmitted, match="A5 was admitted, so it can't be cancelled or moved"):
        change(booking)
    pair.refresh_from_db()
    assert pair.status == "booked"


def move_show(booking, by, starts_at, now=DOORS + MINUTE):
    change_show(show_id=booking.show_id, now=now, starts_at=starts_at, changed_by=by)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_customer_changes_an_admitted_seat_of_a_show_that_was_postponed(booking, door, change):
    admit(booking, door)
    move_show(booking, door, STARTS_AT + WEEK)
    change(booking)


def test_a_ticket_admits_again_to_a_show_that_was_postponed(booking, pair, door):
    clerk = make_user(username="clerk")
    admit(booking, door)
    move_show(booking, clerk, STARTS_AT + WEEK)
    admit(booking, door, now=DOORS + WEEK)
    assert stored(booking) == [("in", ""), ("undo", "The show was moved."), ("in", "")]
    assert (stored(pair), CheckIn.objects.get(action="undo").by) == ([], clerk)


def test_each_admission_by_two_offline_doors_is_undone(booking, door):
    for _ in range(2):
        offline(booking, door)
    move_show(booking, door, STARTS_AT + WEEK, now=DOORS + 20 * MINUTE)
    assert stored(booking)[2:] == [("undo", "The show was moved.")] * 2
    assert admitted_bookings(bookings=[booking]) == []


@pytest.mark.parametrize(("later", "admitted"), [(-MINUTE, True), (timedelta(0), False)])
def test_customers_wait_in_the_hall_until_the_old_end(booking, door, settings, later, admitted):
    admit(booking, door)
    opens = booking.show.ends_at + later
    move_show(booking, door, opens + settings.DOORS_OPEN_MINUTES * MINUTE)
    assert admitted_bookings(bookings=[booking]) == [booking] * admitted


def test_admissions_stay_when_the_start_moves_earlier(booking, door):
    early = DOORS - 60 * MINUTE
    offline(booking, door, scanned_at=early, now=early)
    move_show(booking, door, STARTS_AT - 10 * MINUTE, now=early)
    assert stored(booking) == [("in", "not_yet_open")]


HALF_HOUR = 30 * MINUTE
ARRIVAL = DOORS + 20 * MINUTE


def test_a_scan_that_arrives_after_a_delay_was_made_while_the_doors_were_open(booking, door):
    move_show(booking, door, STARTS_AT + HALF_HOUR)
    assert offline(booking, door, scanned_at=DOORS, now=ARRIVAL).conflict is None
    assert stored(booking) == [("in", "")]


def test_a_scan_over_the_network_follows_the_new_start(booking, door):
    move_show(booking, door, STARTS_AT + HALF_HOUR)
    with pytest.raises(NotYetOpen):
        admit(booking, door, now=DOORS + MINUTE)


def test_a_scan_before_the_doors_of_every_start_was_too_early(booking, door):
    move_show(booking, door, STARTS_AT + HALF_HOUR)
    assert offline(booking, door, scanned_at=DOORS - HALF_HOUR, now=ARRIVAL).conflict == "not_yet_open"


def test_the_other_reasons_against_a_scan_hold_after_a_delay(booking, door):
    admit(booking, door)
    move_show(booking, door, STARTS_AT + HALF_HOUR)
    assert offline(booking, door, now=ARRIVAL).conflict == "already_checked_in"


@pytest.mark.parametrize("starts", [[12], [3, 12], [12, 3]])
def test_a_scan_that_arrives_after_a_move_beyond_the_old_end_is_undone(booking, door, starts):
    for later in starts:
        move_show(booking, door, STARTS_AT + later * HALF_HOUR)
    assert offline(booking, door, now=ARRIVAL).conflict is None
    assert stored(booking) == [("in", ""), ("undo", "The show was moved.")]
    assert admit(booking, door, now=STARTS_AT + starts[-1] * HALF_HOUR).booking == booking


def test_a_scan_that_arrives_after_several_delays_is_not_undone(booking, door):
    for later in (4, 7):
        move_show(booking, door, STARTS_AT + later * HALF_HOUR)
    assert offline(booking, door, now=ARRIVAL).conflict is None
    assert stored(booking) == [("in", "")]


def test_a_late_scan_that_is_sent_again_is_undone_once(booking, door):
    move_show(booking, door, STARTS_AT + 12 * HALF_HOUR)
    scan = scan_of(booking, scanned_at=DOORS)
    first, again = (admit(booking, door, scan=scan, now=ARRIVAL) for _ in range(2))
    assert (again.check_in, len(stored(booking))) == (first.check_in, 2)


def test_people_at_the_door_send_the_scans_of_a_show_that_was_moved_to_another_day(booking, door):
    move_show(booking, door, STARTS_AT + WEEK)
    offline(booking, door, now=ARRIVAL)
    assert stored(booking) == [("in", ""), ("undo", "The show was moved.")]


def test_an_earlier_date_of_a_show_undoes_no_admission_to_its_new_one(booking, door):
    move_show(booking, door, STARTS_AT + WEEK, now=NOW)
    move_show(booking, door, STARTS_AT + WEEK + HALF_HOUR, now=DOORS + WEEK)
    offline(booking, door, scanned_at=DOORS + WEEK, now=ARRIVAL + WEEK)
    assert stored(booking) == [("in", "")]


def test_cancelled_seats_and_undone_admissions_get_no_scans_when_the_show_moves(booking, pair, door):
    for one in (booking, pair):
        admit(one, door)
    undo(booking, door)
    cancel_bookings(
        show_id=pair.show_id, seen=[SeenSeat(pair.pk, pair.seat_number, pair.status)], now=DOORS, cancelled_by=door
    )
    move_show(booking, door, STARTS_AT + WEEK)
    assert (stored(booking), stored(pair)) == ([("in", ""), ("undo", "Wrong ticket")], [("in", "")])


def test_nothing_is_undone_when_the_new_start_is_refused(booking, door):
    make_show(screen=booking.show.screen, starts_at=STARTS_AT + WEEK)
    admit(booking, door)
    with pytest.raises(ShowsOverlap):
        move_show(booking, door, STARTS_AT + WEEK)
    assert stored(booking) == [("in", "")]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_seat_that_an_offline_door_admitted_too_early_stays_admitted(booking, door, change):
    early = DOORS - 60 * MINUTE
    offline(booking, door, scanned_at=early, now=early)
    assert stored(booking) == [("in", "not_yet_open")]
    with pytest.raises(SeatAdmitted):
        change(booking, now=early)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite gets the statements one by one")
@pytest.mark.parametrize("seats", [1, 3])
def test_admissions_are_read_in_1_round_trip_for_1_and_3_seats(show, user, seats, django_assert_num_queries):
    pks = [make_booking(show=show, user=user, seat_number=1 + number).pk for number in range(seats)]
    with transaction.atomic(), django_assert_num_queries(1):
        assert lock_admitted(show=show, booking_ids=pks) == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_customer_changes_a_seat_whose_admission_was_undone(booking, door, change):
    admit(booking, door)
    undo(booking, door)
    change(booking)


def test_the_other_seats_of_an_order_are_cancelled(booking, pair, door):
    admit(booking, door)
    assert CHANGES["cancel"](pair).status == "cancelled"


def test_staff_change_admitted_seats(booking, pair, door):
    for one in (booking, pair):
        admit(one, door)
    assert move(booking, moved_by=door).label == "A9"
    seen = [SeenSeat(pair.pk, pair.seat_number, pair.status)]
    [cancelled] = cancel_bookings(show_id=pair.show_id, seen=seen, now=DOORS, cancelled_by=door)
    assert cancelled.status == "cancelled"


def test_deleting_an_account_leaves_its_admitted_seats_booked(booking, pair, door):
    admit(booking, door)
    delete_account(user=booking.user, password=PASSWORD, now=DOORS)
    for one in (booking, pair):
        one.refresh_from_db()
    assert [(one.user, one.status) for one in (booking, pair)] == [(None, "booked"), (None, "cancelled")]


def test_a_moved_show_keeps_its_former_start(show):
    change_show(show_id=show.pk, starts_at=STARTS_AT + timedelta(hours=1), changed_by=make_user(is_staff=True), now=NOW)
    assert [str(start) for start in FormerStart.objects.filter(show=show)] == ["Mon 01 Jun 2099 18:00"]
