"""Sales in the hall, to customers with and without an account."""

from booking.models import Order
from tests.admin.hall import act, detail, seats, seen

JO = {"name": "Jo Bakker", "phone": "0612345678", "email": "jo@cinema.example"}


def test_seats_are_sold_without_an_account(box_office, show):
    answer = act(box_office, show, "sell", seats="1,2", **JO)
    order = Order.objects.get()
    assert detail(answer) == (200, f"Sold A1, A2 to Jo Bakker (no account), {order.reference}.")
    assert (order.user, {field: getattr(order, field) for field in JO}) == (None, JO)
    title = f"sold to Jo Bakker (no account), {order.reference} (sold by seller)"
    assert [seat["title"] for seat in answer.json()["hall"]["taken"].values()] == [title, title]


def test_seats_are_sold_without_a_name(box_office, show):
    answer = act(box_office, show, "sell", seats="1")
    reference = show.bookings.get().reference
    assert detail(answer) == (200, f"Sold A1 to a customer without an account, {reference}.")


def test_a_seat_sold_without_an_account_moves(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "move", seen=seen(booking), seats="2")
    moved = f"Moved a customer without an account, {booking.reference}, from A1 to A2."
    assert (detail(answer), seats(show)) == ((200, moved), [2])


def test_a_seat_sold_without_an_account_is_cancelled(box_office, show):
    act(box_office, show, "sell", seats="1", **JO)
    booking = show.bookings.get()
    answer = act(box_office, show, "cancel", seen=seen(booking))
    cancelled = f"Cancelled A1 of a customer without an account, {booking.reference}."
    assert (detail(answer), seats(show)) == ((200, cancelled), [])
