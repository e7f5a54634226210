"""Seats whose customers are in: only staff cancel and move them."""

import pytest

from booking.services import (
    SeatAdmitted,
    SeenSeat,
    cancel_booking,
    cancel_bookings,
    cancel_order,
    move_booking,
)
from tests.door import DOORS, admit, make_door_staff, undo
from tests.factories import make_booking

pytestmark = pytest.mark.django_db


@pytest.fixture
def door():
    return make_door_staff()


@pytest.fixture
def booking(show, user):
    return make_booking(show=show, user=user, seat_number=5)


@pytest.fixture
def pair(booking):
    """The other seat of the order."""
    return make_booking(show=booking.show, user=booking.user, seat_number=6, reference=booking.reference)


def move(booking, **fields):
    return move_booking(user=booking.user, booking_id=booking.pk, seat_number=9, now=DOORS, **fields)


CHANGES = {
    "cancel": lambda booking: cancel_booking(user=booking.user, booking_id=booking.pk, now=DOORS),
    "cancel the order": lambda booking: cancel_order(user=booking.user, reference=booking.reference, now=DOORS),
    "move": move,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_customer_does_not_change_an_admitted_seat(booking, pair, door, change):
    admit(booking, door)
    with pytest.raises(SeatAdmitted, match="A5 was admitted, so it can't be cancelled or moved"):
        change(booking)
    pair.refresh_from_db()
    assert pair.status == "booked"


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
