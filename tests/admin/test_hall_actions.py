"""Actions of staff in the hall: selling, blocking, moving and cancelling, and refusals."""

from functools import partial

import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking, User
from tests.admin.hall import act, block, detail, hold, seats, seen
from tests.factories import make_booking


def test_seats_are_sold_under_one_reference(box_office, show, user):
    answer = act(box_office, show, "sell", seats="7,8", customer="ESHA")
    [reference] = set(show.bookings.values_list("reference", flat=True))
    assert detail(answer) == (200, f"Sold A7, A8 to esha, {reference}.")
    assert (seats(show), list(answer.json()["hall"]["taken"])) == ([7, 8], ["7", "8"])


def test_seats_are_blocked_and_unblocked(staff, show):
    assert detail(act(staff, show, "block", seats="7,8", reason="broken")) == (200, "Blocked A7, A8 (broken).")
    a7 = seen(show.bookings.get(seat_number=7))
    assert detail(act(staff, show, "unblock", seen=a7)) == (200, "Unblocked A7.")
    assert seats(show, "blocked") == [8]


@pytest.mark.parametrize("make", [partial(make_booking, seat_number=1), partial(hold, seat_number=1)])
def test_a_booking_or_a_hold_is_cancelled(box_office, show, user, make):
    booking = make(show=show, user=user)
    answer = act(box_office, show, "cancel", seen=seen(booking))
    assert detail(answer) == (200, f"Cancelled A1 of esha, {booking.reference}.")
    assert seats(show, "cancelled") == [1]


def test_several_bookings_are_cancelled_at_once(box_office, show, user):
    mine = [make_booking(show=show, user=user, seat_number=seat, reference="ACDEFGHJ") for seat in (1, 2)]
    other = make_booking(show=show, seat_number=3)
    answer = act(box_office, show, "cancel", seen=",".join(map(seen, [*mine, other])))
    message = f"Cancelled A1, A2 of esha, ACDEFGHJ; A3 of {other.user}, {other.reference}."
    assert (detail(answer), seats(show, "cancelled")) == ((200, message), [1, 2, 3])


def test_several_seats_are_unblocked_at_once(staff, show):
    for seat in (2, 3):
        block(show, seat)
    answer = act(staff, show, "unblock", seen=",".join(map(seen, show.bookings.all())))
    assert (detail(answer)[0], seats(show, "blocked")) == (200, [])


def test_a_booking_is_moved(box_office, show, user):
    booking = make_booking(show=show, user=user)
    answer = act(box_office, show, "move", seen=seen(booking), seats="12")
    assert detail(answer) == (200, f"Moved esha, {booking.reference}, from A1 to B2.")
    assert seats(show) == [12]


# --- Refusals, each with the current hall -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("sell", {"seats": "1", "customer": "esha"}, (409, "Seat A1 is already taken.")),
        ("sell", {"seats": "1,2", "customer": "esha"}, (409, "Seat A1 is already taken.")),
        ("block", {"seats": "1,2", "reason": "broken"}, (409, "Seat A1 is already taken.")),
        ("unblock", {"seen": "1:1:blocked"}, (409, "Not blocked: A1.")),
    ],
)
def test_a_refused_action_answers_with_the_current_hall(staff, show, user, name, data, message):
    make_booking(show=show)
    answer = act(staff, show, name, **data)
    assert (detail(answer), list(answer.json()["hall"]["taken"])) == (message, ["1"])
    assert show.bookings.count() == 1


def test_a_booking_is_not_moved_onto_a_taken_seat(box_office, show):
    booking = make_booking(show=show)
    make_booking(show=show, seat_number=2)
    answer = act(box_office, show, "move", seen=seen(booking), seats="2")
    assert (detail(answer), seats(show)) == ((409, "Seat A2 is already taken."), [1, 2])


def test_a_hold_is_not_moved(box_office, show, user):
    answer = act(box_office, show, "move", seen=seen(hold(show, user, 1)), seats="2")
    assert detail(answer) == (409, "This seat is only held; hold or book the other seat instead.")


def test_a_booking_without_an_account_is_moved(box_office, show):
    booking = make_booking(show=show, seat_number=1)
    Booking.objects.update(user=None)
    moved = services.move_booking(
        user=None,
        booking_id=booking.pk,
        seat_number=2,
        now=timezone.now(),
        moved_by=User.objects.get(username="seller"),
    )
    assert (moved.seat_number, moved.seat_label) == (2, "A2")
