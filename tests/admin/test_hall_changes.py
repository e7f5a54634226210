"""Actions in the hall on seats that have changed since the page showed them, and invalid input."""

from datetime import timedelta

import pytest
from django.utils import timezone

from booking import services
from tests.admin.hall import act, block, detail, hold, seats, seen
from tests.factories import make_booking, make_show

# --- Seats that have changed since the page showed them ---------------------------------------


def changed(*sentences: str) -> tuple[int, str]:
    return 409, " ".join([*sentences, "Nothing was changed."])


def test_cancelling_a_seat_does_not_cancel_the_booking_that_has_moved_from_it(box_office, show, user):
    booking = make_booking(show=show, user=user)
    a1 = seen(booking)
    services.move_booking(user=user, booking_id=booking.pk, seat_number=11, now=timezone.now())
    answer = act(box_office, show, "cancel", seen=a1)
    assert detail(answer) == changed(f"{booking.reference} has moved from A1 to B1.")
    assert seats(show) == [11]


def test_cancelling_a_seat_does_not_cancel_its_next_customer_s_booking(box_office, show):
    booking = make_booking(show=show)
    a1 = seen(booking)
    services.cancel_booking(booking_id=booking.pk, now=timezone.now())
    make_booking(show=show)
    assert detail(act(box_office, show, "cancel", seen=a1)) == changed(f"{booking.reference} on A1 is cancelled now.")
    assert seats(show) == [1]


def test_ending_a_hold_does_not_cancel_a_booking(box_office, show, user):
    booking = hold(show, user, 1)
    a1 = seen(booking)
    services.book_seat(user=user, show_id=show.pk, seat_number=1, now=timezone.now())
    assert detail(act(box_office, show, "cancel", seen=a1)) == changed(f"{booking.reference} on A1 is booked now.")
    assert seats(show) == [1]


def test_an_expired_hold_is_reported(box_office, show, user):
    booking = hold(show, user, 1, expires_at=timezone.now())
    answer = act(box_office, show, "cancel", seen=seen(booking))
    assert detail(answer) == changed(f"The hold {booking.reference} on A1 has expired.")


def test_several_seats_are_all_cancelled_or_none(box_office, show):
    first, second = make_booking(show=show), make_booking(show=show, seat_number=2)
    chosen = f"{seen(first)},{seen(second, seat=12)}"
    answer = act(box_office, show, "cancel", seen=chosen)
    assert detail(answer) == changed(f"{second.reference} has moved from B2 to A2.")
    assert seats(show) == [1, 2]


def test_a_booking_that_has_moved_is_not_moved_again(box_office, show):
    booking = make_booking(show=show, seat_number=11)
    answer = act(box_office, show, "move", seen=seen(booking, seat=1), seats="12")
    assert (detail(answer), seats(show)) == (changed(f"{booking.reference} has moved from A1 to B1."), [11])


def test_a_cancelled_booking_is_not_moved(box_office, show):
    booking = make_booking(show=show)
    a1 = seen(booking)
    services.cancel_booking(booking_id=booking.pk, now=timezone.now())
    answer = act(box_office, show, "move", seen=a1, seats="2")
    assert detail(answer) == changed(f"{booking.reference} on A1 is cancelled now.")


def test_a_seat_that_was_blocked_again_is_not_unblocked(staff, show):
    block(show, 1)
    a1 = seen(show.bookings.get())
    # SQLite would use the id again.
    block(show, 2)
    services.unblock_seats(show_id=show.pk, seat_numbers=[1])
    block(show, 1)
    assert detail(act(staff, show, "unblock", seen=a1)) == changed("A1 has been blocked again.")
    assert seats(show, "blocked") == [1, 2]


# --- Invalid input ----------------------------------------------------------------------------


def test_seats_of_a_started_show_are_not_sold(box_office, user):
    show = make_show(starts_at=timezone.now() - timedelta(minutes=5))
    answer = act(box_office, show, "sell", seats="1", customer="esha")
    assert detail(answer) == (409, "This show has already started.")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("sell", {"seats": "", "customer": "esha"}, "Choose a seat."),
        ("sell", {"seats": "A1", "customer": "esha"}, "Seats must be whole numbers."),
        ("sell", {"seats": "51", "customer": "esha"}, "This show has no such seat."),
        ("sell", {"seats": "0", "customer": "esha"}, "This show has no such seat."),
        ("sell", {"seats": "1", "email": "jo"}, "Enter a valid email address."),
        (
            "sell",
            {"seats": "1", "customer": "esha", "name": "Jo"},
            "Enter either an account or a name, a phone number and an e-mail address.",
        ),
        ("sell", {"seats": "1", "customer": "nobody"}, "There is no customer with this username."),
        ("block", {"seats": "1", "reason": " "}, "Enter a reason."),
        ("cancel", {}, "Choose a booking."),
        ("cancel", {"seen": f"{10**30}:1:sold"}, "This show has no such booking."),
        ("cancel", {"seen": "999:1:sold"}, "This show has no such booking."),
        ("unblock", {"seen": "1:1:painted"}, "This show has no such booking."),
        ("move", {"seen": "x", "seats": ""}, "Choose a seat. This show has no such booking."),
    ],
)
def test_invalid_input_is_refused(staff, show, user, name, data, message):
    answer = act(staff, show, name, **data)
    assert (detail(answer), answer.json()["hall"]["taken"]) == ((400, message), {})


def test_a_booking_is_moved_to_one_seat(box_office, show):
    answer = act(box_office, show, "move", seen=seen(make_booking(show=show)), seats="2,3")
    assert detail(answer) == (400, "Choose one seat.")


def test_bookings_are_moved_to_as_many_seats(box_office, show):
    two = ",".join(seen(make_booking(show=show, seat_number=seat)) for seat in (1, 2))
    answer = act(box_office, show, "move", seen=two, seats="3")
    assert (detail(answer), seats(show)) == ((400, "Choose 2 seats."), [1, 2])


def test_neither_another_shows_booking_nor_a_block_is_cancelled(staff, show):
    block(show, 2)
    for booking in (make_booking(), show.bookings.get()):
        answer = act(staff, show, "cancel", seen=seen(booking))
        assert detail(answer) == (400, "This show has no such booking.")
