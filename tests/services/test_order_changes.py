"""Changes of an order by staff: its contact, its ticket types, and splitting it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from booking.models import Booking, Order, User
from booking.services import (
    Contact,
    NotFound,
    Refusal,
    ShowStarted,
    UnknownTicketType,
    book_seats,
    change_contact,
    change_ticket_types,
    move_booking,
    preview_move,
    preview_ticket_types,
    read_names,
    split_order,
)
from booking.services.audit import find_breaches
from booking.services.seats.order_changes import CustomerHasAccount
from booking.services.seats.prices import PriceChanged
from booking.services.seats.rules.orders import NotInOrder, WholeOrder
from booking.services.seats.seen_seats import SeatsChanged, SeenSeat
from tests.factories import (
    NOW,
    STARTS_AT,
    make_booking,
    make_hold,
    make_price_list,
    make_show,
    make_ticket_type,
    make_user,
)

JO = Contact("Jo Bakker", "jo@example.com", "0612345678")


@pytest.fixture
def clerk(db) -> User:
    return make_user(username="clerk", is_staff=True)


@pytest.fixture
def types(db):
    """The ticket types Adult and Child."""
    return make_ticket_type(name="Adult"), make_ticket_type(name="Child")


@pytest.fixture
def priced(types):
    """Row A is standard, row B premium, which children don't get."""
    adult, child = types
    prices = make_price_list({("S", adult): 12, ("S", child): 8, ("P", adult): 15})
    return make_show(layout="SSSSS\nPPPPP", price_list=prices)


@pytest.fixture
def order(priced, clerk):
    """Seats A1 to A3 of a customer without an account, sold to adults."""
    return sell(priced, clerk, 1, 2, 3)


def sell(show, clerk, *seats, user=None, contact=JO):
    contact = Contact() if user else contact
    bookings = book_seats(user=user, show_id=show.pk, seat_numbers=seats, now=NOW, sold_by=clerk, contact=contact)
    return Order.objects.get(reference=bookings[0].reference)


def seats_of(order):
    rows = Booking.objects.active(NOW).filter(show=order.show, reference=order.reference)
    return sorted(rows.values_list("seat_number", flat=True))


def log_of(order):
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Order), object_id=str(order.pk))
    return [(entry.user.username, entry.get_change_message()) for entry in entries.order_by("pk")]


def contact_of(order):
    return Order.objects.values_list("name", "email", "phone").get(pk=order.pk)


# --- The contact ------------------------------------------------------------------------------


def test_the_contact_of_an_order_is_changed(order, clerk):
    change_contact(order_id=order.pk, changed_by=clerk, name="Jo Visser", email="jo@visser.example", phone="")
    assert contact_of(order) == ("Jo Visser", "jo@visser.example", "")
    assert log_of(order) == [("clerk", "Changed name, e-mail address, phone number.")]


def test_fields_that_are_not_given_are_not_changed(order, clerk):
    changed = change_contact(order_id=order.pk, changed_by=clerk, phone="020 1234567")
    assert contact_of(order) == (changed.name, changed.email, changed.phone) == (JO.name, JO.email, "020 1234567")
    assert log_of(order) == [("clerk", "Changed phone number.")]


def test_nothing_is_logged_if_nothing_changes(order, clerk):
    change_contact(order_id=order.pk, changed_by=clerk, name=JO.name)
    assert log_of(order) == []


def test_an_order_with_an_account_has_no_contact(show, user, clerk):
    order = sell(show, clerk, 1, user=user)
    with pytest.raises(CustomerHasAccount):
        change_contact(order_id=order.pk, changed_by=clerk, name="Jo")


def test_a_missing_order_can_not_be_changed(clerk):
    with pytest.raises(NotFound):
        change_contact(order_id=1, changed_by=clerk, name="Jo")


# --- Splitting --------------------------------------------------------------------------------


def split(order, clerk, *seats, now=NOW):
    return split_order(order_id=order.pk, seat_numbers=seats, now=now, split_by=clerk)


def test_chosen_seats_get_a_new_order_with_the_same_customer(order, clerk):
    new = split(order, clerk, 3, 2)
    assert (seats_of(order), seats_of(new), contact_of(new)) == ([1], [2, 3], (JO.name, JO.email, JO.phone))
    assert (new.reference != order.reference, new.show, list(find_breaches())) == (True, order.show, [])
    assert log_of(order) == [("clerk", f"A2, A3 split off as order {new.reference}.")]
    assert log_of(new) == [("clerk", f"A2, A3 split off from order {order.reference}.")]


def test_an_order_of_an_account_is_split_for_that_account(show, user, clerk):
    first = make_booking(show=show, user=user)
    make_hold(show=show, user=user, seat_number=2, reference=first.reference)
    order = Order.objects.get()
    new = split(order, clerk, 2)
    assert (new.user, seats_of(order), seats_of(new)) == (user, [1], [2])


def test_a_split_of_all_seats_is_refused(order, clerk):
    with pytest.raises(WholeOrder):
        split(order, clerk, 1, 2, 3)
    assert seats_of(order) == [1, 2, 3]


@pytest.mark.parametrize(("seats", "others"), [((1, 4), [4]), ((4, 5), [4, 5]), ((99,), [99])])
def test_seats_of_others_are_not_split_off(order, clerk, seats, others):
    sell(order.show, clerk, 4)
    with pytest.raises(NotInOrder) as refusal:
        split(order, clerk, *seats)
    assert (refusal.value.extra, seats_of(order)) == ({"seats": others}, [1, 2, 3])


def test_a_cancelled_seat_is_not_split_off(order, clerk):
    Booking.objects.filter(seat_number=3).update(status="cancelled", cancelled_at=NOW)
    with pytest.raises(NotInOrder) as refusal:
        split(order, clerk, 3)
    assert refusal.value.detail == f"The order {order.reference} has no active seat A3. Nothing was changed."


def test_a_split_of_a_seat_that_is_not_as_it_was_seen_is_refused(order, clerk):
    booking = Booking.objects.get(seat_number=1)
    seen = SeenSeat(booking.pk, 1, "booked")
    Booking.objects.filter(pk=booking.pk).update(seat_number=4)
    Booking.objects.filter(seat_number=2).update(seat_number=1)
    with pytest.raises(SeatsChanged) as refusal:
        split_order(order_id=order.pk, seat_numbers=[1], now=NOW, split_by=clerk, seen=[seen])
    assert refusal.value.detail == f"{order.reference} has moved from A1 to A4. Nothing was changed."
    assert seats_of(order) == [1, 3, 4]


def test_an_order_is_not_split_after_the_start(order, clerk):
    with pytest.raises(ShowStarted):
        split(order, clerk, 1, now=STARTS_AT)


# --- Ticket types -----------------------------------------------------------------------------


def change(order, clerk, ticket_types, service=change_ticket_types, now=NOW, **more):
    return service(order_id=order.pk, ticket_types=ticket_types, now=now, changed_by=clerk, **more)


def tickets_of(order):
    rows = Booking.objects.filter(reference=order.reference).order_by("seat_number")
    return [(row.seat_label, row.ticket_type.name, int(row.price)) for row in rows.select_related("ticket_type")]


def test_seats_are_sold_as_another_ticket_type(order, clerk, types):
    changed = change(order, clerk, {3: types[1].pk, 1: types[1].pk}, expected_total=Decimal(16))
    assert tickets_of(order) == [("A1", "Child", 8), ("A2", "Adult", 12), ("A3", "Child", 8)]
    assert [(one.label, one.ticket_type, one.price) for one in changed] == [("A1", types[1], 8), ("A3", types[1], 8)]
    message = "Changed A1 from Adult to Child, 12.00 to 8.00; A3 from Adult to Child, 12.00 to 8.00."
    assert (log_of(order), list(find_breaches())) == ([("clerk", message)], [])


def test_a_changed_seat_has_the_current_price(order, clerk, types):
    order.show.price_list = make_price_list({("S", types[0]): 13})
    order.show.save()
    change(order, clerk, {1: types[0].pk})
    assert tickets_of(order) == [("A1", "Adult", 13), ("A2", "Adult", 12), ("A3", "Adult", 12)]


def test_a_seat_that_was_free_gets_a_ticket_type(priced, clerk, types):
    order = Order.objects.get(reference=make_booking(show=priced).reference)
    change(order, clerk, {1: types[1].pk})
    assert log_of(order) == [("clerk", "Changed A1 from no ticket type to Child, 0.00 to 8.00.")]


def test_another_total_than_the_expected_one_changes_nothing(order, clerk, types):
    with pytest.raises(PriceChanged) as refusal:
        change(order, clerk, {1: types[1].pk}, expected_total=Decimal(9))
    assert (refusal.value.extra, tickets_of(order)[0]) == ({"total": "8.00"}, ("A1", "Adult", 12))


def test_a_type_without_a_price_is_refused(priced, clerk, types):
    with pytest.raises(UnknownTicketType) as refusal:
        change(sell(priced, clerk, 6), clerk, {6: types[1].pk})
    assert refusal.value.field == "ticket_types.6"


def test_ticket_types_of_other_seats_are_not_changed(order, clerk, types):
    with pytest.raises(NotInOrder):
        change(order, clerk, {4: types[1].pk})


def test_ticket_types_are_not_changed_after_the_start(order, clerk, types):
    with pytest.raises(ShowStarted):
        change(order, clerk, {1: types[1].pk}, now=STARTS_AT + timedelta(minutes=1))


# --- Previews ---------------------------------------------------------------------------------


def test_a_preview_of_ticket_types_changes_nothing(order, clerk, types):
    [preview] = change(order, clerk, {1: types[1].pk}, preview_ticket_types)
    assert (preview.seat.price, preview.difference, tickets_of(order)[0]) == (8, -4, ("A1", "Adult", 12))


def test_a_preview_of_ticket_types_is_refused_like_the_change(order, clerk, types):
    with pytest.raises(NotInOrder):
        change(order, clerk, {5: types[1].pk}, preview_ticket_types)


def preview(booking, seat, clerk):
    return preview_move(booking=booking, seat_number=seat, now=NOW, moved_by=clerk)


def test_a_preview_of_a_move_has_the_price_of_the_new_seat(order, clerk):
    booking = Booking.objects.get(seat_number=1)
    move = preview(booking, 6, clerk)
    assert (move.seat.label, move.difference, seats_of(order)) == ("B1", 3, [1, 2, 3])
    moved = move_booking(
        user=None, booking_id=booking.pk, seat_number=6, now=NOW, moved_by=clerk, expected_total=move.seat.price
    )
    assert moved.price == move.seat.price


def test_a_preview_of_a_move_is_refused_like_the_move(order, clerk):
    with pytest.raises(Refusal) as refusal:
        preview(Booking.objects.get(seat_number=1), 2, clerk)
    assert refusal.value.code == "seat_taken"


# --- Names ------------------------------------------------------------------------------------


def test_names_are_those_of_orders_without_an_account(order, user, clerk, django_assert_num_queries):
    sell(order.show, clerk, 5, contact=Contact())
    make_booking(show=order.show, user=user, seat_number=4)
    bookings = list(Booking.objects.all())
    with django_assert_num_queries(1):
        assert read_names(bookings=bookings) == {(order.show_id, order.reference): "Jo Bakker"}


def test_no_name_is_read_for_accounts(user, django_assert_num_queries):
    bookings = [make_booking(user=user)]
    with django_assert_num_queries(0):
        assert read_names(bookings=bookings) == {}
