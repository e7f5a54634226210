"""Moving seats in the hall: several at once, and to seats of another price."""

from decimal import Decimal

import pytest
from django.utils import timezone

from booking import services
from booking.models import Booking, Order, Refund, SeatCategory, User
from tests.admin.hall import act, block, detail, history, hold, seats, seen
from tests.factories import make_booking, make_payment, make_plan, make_price_list, make_show, make_ticket_type

# Row A costs 15, row B costs 12.
LAYOUT = "A PPPP\nB SSSS"


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult")


@pytest.fixture
def priced(adult):
    SeatCategory.objects.get_or_create(code="P", defaults={"name": "Premium", "colour": "#aa0000"})
    prices = make_price_list({("P", adult): "15", ("S", adult): "12"})
    return make_show(plan=make_plan(LAYOUT), price_list=prices)


@pytest.fixture
def sell(adult, user):
    """A function that sells seats of a show in one order, and returns the bookings."""

    def sell(show, *numbers):
        return [
            make_booking(
                show=show, user=user, seat_number=number, reference="ACDEFGHJ", ticket_type=adult, price=Decimal(12)
            )
            for number in numbers
        ]

    return sell


def move(client, show, bookings, to, **more):
    return act(client, show, "move", seen=",".join(map(seen, bookings)), seats=",".join(map(str, to)), **more)


def test_several_bookings_are_moved_in_the_order_of_their_seats(box_office, show):
    bookings = [make_booking(show=show, seat_number=seat) for seat in (2, 1)]
    answer = move(box_office, show, bookings, [12, 11])
    assert detail(answer) == (200, "Moved A1 to B1, A2 to B2.")
    assert [Booking.objects.get(pk=booking.pk).seat_number for booking in bookings] == [12, 11]
    assert history(box_office, bookings[1])[0] == ("seller", "Moved from A1 to B1.")


def test_no_booking_is_moved_if_one_seat_is_taken(box_office, show):
    bookings = [make_booking(show=show, seat_number=seat) for seat in (1, 2)]
    make_booking(show=show, seat_number=12)
    answer = move(box_office, show, bookings, [11, 12])
    assert (detail(answer), seats(show)) == ((409, "Seat B2 is already taken."), [1, 2, 12])


def test_no_booking_is_moved_if_one_has_changed(box_office, show, user):
    bookings = [make_booking(show=show, seat_number=seat) for seat in (1, 2)]
    answer = act(box_office, show, "move", seen=f"{seen(bookings[0])},{seen(bookings[1], seat=3)}", seats="11,12")
    expected = f"{bookings[1].reference} has moved from A3 to A2. Nothing was changed."
    assert (detail(answer), seats(show)) == ((409, expected), [1, 2])


def test_bookings_move_to_seats_of_another_price_after_confirmation(box_office, priced, sell):
    bookings = sell(priced, 5, 6)
    answer = move(box_office, priced, bookings, [1, 2])
    assert detail(answer) == (409, "Nothing was moved.")
    question = answer.json()
    assert question["question"] == "Move for 6.00 EUR more? The new price is 30.00 EUR, the old one 24.00 EUR."
    assert seats(priced) == [5, 6]
    moved = move(box_office, priced, bookings, [1, 2], expected_total=question["expected_total"])
    assert (detail(moved), seats(priced)) == ((200, "Moved B1 to A1, B2 to A2."), [1, 2])
    assert set(Booking.objects.values_list("price", "category")) == {(Decimal(15), "P")}


def test_a_price_that_changed_after_the_question_moves_nothing(box_office, priced, sell):
    answer = move(box_office, priced, sell(priced, 5), [1], expected_total="14.00")
    assert (detail(answer), seats(priced)) == ((409, "The seats cost 15.00 now."), [5])


def test_a_move_to_cheaper_seats_is_confirmed_and_refunded(box_office, priced, sell):
    [booking] = sell(priced, 1)
    Booking.objects.update(price=15, category="P")
    make_payment(booking, 15)
    question = move(box_office, priced, [booking], [5]).json()
    assert question["question"] == "Move for 3.00 EUR less? The new price is 12.00 EUR, the old one 15.00 EUR."
    assert move(box_office, priced, [booking], [5], expected_total="12.00").status_code == 200
    assert Refund.objects.get().amount == 3


def test_bookings_move_to_seats_of_the_same_price_without_a_question(box_office, priced, sell):
    assert move(box_office, priced, sell(priced, 5, 6), [7, 8]).status_code == 200


def test_a_block_is_not_moved(box_office, show):
    block(show, 1)
    [blocked] = show.bookings.all()
    one = services.SeenSeat(blocked.pk, 1, blocked.status)
    seller = User.objects.get(username="seller")
    with pytest.raises(services.NotFound):
        services.move_bookings(show_id=show.pk, seen=[one], seat_numbers=[2], now=timezone.now(), moved_by=seller)


def test_a_hold_among_several_is_not_moved(box_office, show, user):
    bookings = [make_booking(show=show, user=user), hold(show, user, 2)]
    answer = move(box_office, show, bookings, [11, 12])
    expected = (409, "This seat is only held; hold or book the other seat instead.")
    assert (detail(answer), seats(show)) == (expected, [1])


def test_walk_ins_are_moved_together(box_office, show):
    bookings = [make_booking(show=show, seat_number=seat, reference="ACDEFGHJ") for seat in (1, 2)]
    Booking.objects.update(user=None)
    Order.objects.update(user=None)
    assert move(box_office, show, bookings, [11, 12]).status_code == 200
    assert seats(show) == [11, 12]
