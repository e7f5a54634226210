"""Scans of several doors at the same time, on connections of their own, with controls without the lock."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from booking import services
from booking.models import Booking, CheckIn, User
from booking.services import (
    admit,
    cancel_booking,
    change_show,
    delete_account,
    move_booking,
    sign_ticket,
    undo_admission,
)
from booking.services.transactions import Busy
from tests.door import DOORS, MINUTE, make_door_staff, scan_of, stored
from tests.factories import PASSWORD, STARTS_AT, make_booking
from tests.races import all_decide_before_one_commits, all_read_before_one_writes, at_once, outcome, parallel_writers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]
UNKNOWN = 10**9


@pytest.fixture
def door(transactional_db):
    return make_door_staff()


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5)


def scanning(booking, by, **fields):
    return partial(outcome, admit, show_id=booking.show_id, scan=scan_of(booking, **fields), by=by, now=DOORS)


def undoing(booking, by, number):
    call = {"show_id": booking.show_id, "booking_id": booking.pk, "by": by, "now": DOORS}
    return partial(outcome, undo_admission, **call, reason="Wrong ticket", nonce=f"undo-{number}")


def test_100_concurrent_scans_of_one_ticket_admit_once(door, booking):
    outcomes = at_once([scanning(booking, door) for _ in range(100)])
    assert Counter(outcomes) == {"done": 1, "already_checked_in": 99}
    assert stored(booking) == [("in", "")]


def test_two_doors_admit_each_of_20_tickets_once(door, show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(20)]
    outcomes = at_once([scanning(booking, door) for booking in [*bookings, *bookings]])
    assert Counter(outcomes) == {"done": 20, "already_checked_in": 20}
    assert sorted(CheckIn.objects.values_list("booking_id", flat=True)) == sorted(one.pk for one in bookings)


def test_a_scan_that_is_sent_30_times_at_the_same_time_is_stored_once(door, booking):
    assert at_once([scanning(booking, door, nonce="same") for _ in range(30)]) == ["done"] * 30
    assert stored(booking) == [("in", "")]


def test_two_devices_with_the_same_nonce_admit_a_ticket_once(door, booking):
    outcomes = at_once([scanning(booking, door, nonce="same", device=device) for device in ("left", "right")])
    assert Counter(outcomes) == {"done": 1, "nonce_reused": 1}


def test_an_admission_that_10_devices_undo_at_the_same_time_is_undone_once(door, booking):
    scanning(booking, door)()
    outcomes = at_once([undoing(booking, door, number) for number in range(10)])
    assert Counter(outcomes) == {"done": 1, "not_checked_in": 9}
    assert stored(booking) == [("in", ""), ("undo", "Wrong ticket")]


def cancelling(booking):
    return partial(outcome, cancel_booking, booking_id=booking.pk, now=DOORS)


def moving(booking, seat):
    return partial(outcome, move_booking, user=booking.user, booking_id=booking.pk, seat_number=seat, now=DOORS)


def with_ticket(booking, by):
    return scanning(booking, by, ticket=sign_ticket(booking=booking), reference="", seat_label="")


def test_a_booking_is_cancelled_by_its_customer_or_admitted(door, show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(10)]
    outcomes = at_once([*map(cancelling, bookings), *(scanning(booking, door) for booking in bookings)])
    ends = set(zip(outcomes[:10], outcomes[10:], strict=True))
    assert ends <= {("done", "ticket_cancelled"), ("seat_admitted", "done")}
    admitted = [end == "done" for end in outcomes[10:]]
    assert [bool(stored(booking)) for booking in bookings] == admitted


def test_a_booking_is_moved_by_its_customer_or_admitted(door, show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(5)]
    moves = [moving(booking, booking.seat_number + 10) for booking in bookings]
    outcomes = at_once([*moves, *(with_ticket(booking, door) for booking in bookings)])
    ends = set(zip(outcomes[:5], outcomes[5:], strict=True))
    assert ends <= {("done", "ticket_cancelled"), ("seat_admitted", "done")}


def deleting(booking):
    return partial(outcome, delete_account, user=booking.user, password=PASSWORD, now=DOORS)


def test_the_seats_of_a_deleted_account_are_cancelled_or_admitted(door, show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(5)]
    outcomes = at_once([*map(deleting, bookings), *(scanning(booking, door) for booking in bookings)])
    states = [Booking.objects.get(pk=booking.pk).status for booking in bookings]
    assert outcomes[:5] == ["done"] * 5
    assert set(zip(states, outcomes[5:], strict=True)) <= {("cancelled", "ticket_cancelled"), ("booked", "done")}


def postponing(show, by):
    later = STARTS_AT + timedelta(days=7)
    return partial(outcome, change_show, show_id=show.pk, starts_at=later, now=DOORS + MINUTE, changed_by=by)


def test_nobody_stays_admitted_to_a_show_that_is_postponed_at_the_same_time(door, show):
    bookings = [make_booking(show=show, seat_number=1 + n) for n in range(10)]
    outcomes = at_once([*(scanning(booking, door) for booking in bookings), postponing(show, door)])
    # The group Door does not see the show any more.
    ends = {"done": [("in", ""), ("undo", "The show was moved.")], "not_found": []}
    assert outcomes[-1] == "done"
    assert [stored(booking) for booking in bookings] == [ends[end] for end in outcomes[:-1]]


@parallel_writers
def test_a_nonce_that_two_bookings_use_at_the_same_time_is_stored_once(door, show):
    bookings = [make_booking(show=show, seat_number=seat) for seat in (5, 6)]
    outcomes = all_read_before_one_writes([scanning(booking, door, nonce="same") for booking in bookings])
    assert Counter(outcomes) == {"done": 1, "nonce_reused": 1}
    assert CheckIn.objects.count() == 1


def test_nothing_is_stored_for_a_concurrently_deleted_member_of_staff(door, booking):
    with pytest.raises(Busy):
        services.admit(show_id=booking.show_id, scan=scan_of(booking), by=User(pk=UNKNOWN), now=DOORS)
    assert stored(booking) == []


@parallel_writers
def test_a_scan_takes_two_round_trips(exchanges, door, show):
    warm_up, booking = (make_booking(show=show, seat_number=seat) for seat in (5, 6))
    admit_ticket(warm_up, door)
    exchanges.clear()
    admit_ticket(booking, door)
    assert len(exchanges) == 2


def admit_ticket(booking, door):
    scan = scan_of(booking, ticket=sign_ticket(booking=booking), reference="", seat_label="")
    admit(show_id=booking.show_id, scan=scan, by=door, now=DOORS)


# --- Controls: without the lock, the races do happen ---------------------------------------------


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_ticket_is_admitted_twice(door, booking):
    assert all_read_before_one_writes([scanning(booking, door) for _ in range(2)]) == ["done", "done"]
    assert stored(booking) == [("in", ""), ("in", "")]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_an_admission_is_undone_twice(door, booking):
    scanning(booking, door)()
    assert all_read_before_one_writes([undoing(booking, door, number) for number in range(2)]) == ["done", "done"]
    assert stored(booking) == [("in", ""), *[("undo", "Wrong ticket")] * 2]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_an_admitted_booking_is_cancelled(door, booking):
    assert all_read_before_one_writes([cancelling(booking), scanning(booking, door)]) == ["done", "done"]


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_an_admitted_booking_of_a_deleted_account_is_cancelled(door, booking):
    assert all_read_before_one_writes([deleting(booking), scanning(booking, door)]) == ["done", "done"]
    booking.refresh_from_db()
    assert (booking.status, stored(booking)) == ("cancelled", [("in", "")])


@parallel_writers
@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_customer_stays_admitted_to_a_show_that_is_postponed(door, booking):
    calls = [scanning(booking, door), postponing(booking.show, door)]
    assert all_decide_before_one_commits(calls) == ["done", "done"]
    assert stored(booking) == [("in", "")]
