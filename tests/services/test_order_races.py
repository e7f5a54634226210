"""Races of staff and customers over one order or one seat, with and without the guards."""

from functools import partial

import pytest

from booking.models import Booking, Order
from booking.services import book_seat, book_seats, cancel_order, change_ticket_types, move_booking, split_order
from booking.services.audit import find_breaches
from tests.factories import NOW, make_price_list, make_show, make_ticket_type, make_user
from tests.races import all_read_before_one_writes, at_once, outcome, parallel_writers

pytestmark = [parallel_writers, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


@pytest.fixture
def clerk():
    return make_user(username="clerk", is_staff=True)


@pytest.fixture
def child():
    return make_ticket_type(name="Child", position=2)


@pytest.fixture
def show(child):
    """Row A is standard, row B premium, which children don't get."""
    adult = make_ticket_type(name="Adult", position=1)
    return make_show(
        layout="SSSSS\nPPPPP", price_list=make_price_list({("S", adult): 12, ("S", child): 8, ("P", adult): 15})
    )


@pytest.fixture
def order(show, user, clerk):
    """Seats A1 and A2."""
    [booking, _] = book_seats(user=user, show_id=show.pk, seat_numbers=[1, 2], now=NOW, sold_by=clerk)
    return Order.objects.get(reference=booking.reference)


def splitting(order, clerk, seat):
    return partial(outcome, split_order, order_id=order.pk, seat_numbers=[seat], now=NOW, split_by=clerk)


def seats(show, *fields):
    return list(show.bookings.occupying().order_by("seat_number", "pk").values_list("seat_number", *fields))


# --- Splitting --------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", range(3))
def test_only_one_of_two_concurrent_splits_of_an_order_succeeds(order, clerk, turn):
    assert sorted(at_once([splitting(order, clerk, 1), splitting(order, clerk, 2)])) == ["done", "whole_order"]
    references = [reference for _, reference in seats(order.show, "reference")]
    assert (references.count(order.reference), list(find_breaches())) == (1, [])


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_an_order_loses_all_its_seats(order, clerk):
    calls = [splitting(order, clerk, 1), splitting(order, clerk, 2)]
    assert all_read_before_one_writes(calls) == ["done"] * 2
    assert list(find_breaches()) == [f"Show {order.show_id}: order {order.reference} has no bookings"]


def cancelling(order):
    return partial(outcome, cancel_order, user=order.user, reference=order.reference, now=NOW)


@pytest.mark.parametrize("turn", range(3))
def test_a_seat_that_was_split_off_is_not_cancelled_with_the_former_order(order, clerk, turn):
    split, cancelled = at_once([splitting(order, clerk, 2), cancelling(order)])
    assert (split, cancelled, seats(order.show)) in [("done", "done", [(2,)]), ("not_in_order", "done", [])]


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_seat_that_was_split_off_is_cancelled_with_the_former_order(order, clerk):
    assert all_read_before_one_writes([splitting(order, clerk, 2), cancelling(order)]) == ["done"] * 2
    assert (seats(order.show), Order.objects.count()) == ([], 2)


# --- Ticket types -----------------------------------------------------------------------------


def changing(order, clerk, child):
    types = {1: child.pk}
    return partial(outcome, change_ticket_types, order_id=order.pk, ticket_types=types, now=NOW, changed_by=clerk)


def moving(order, clerk):
    """Moves A1 to B1."""
    booking = Booking.objects.get(seat_number=1)
    return partial(
        outcome, move_booking, user=order.user, booking_id=booking.pk, seat_number=6, now=NOW, moved_by=clerk
    )


@pytest.mark.parametrize("turn", range(3))
def test_a_ticket_type_is_changed_for_the_seat_that_the_booking_has(order, clerk, child, turn):
    outcomes = at_once([changing(order, clerk, child), moving(order, clerk)])
    [one] = [seat for seat in seats(order.show, "seat_label", "ticket_type__name", "price") if seat[0] != 2]
    assert (outcomes, one) in [
        (["done", "unknown_ticket_type"], (1, "A1", "Child", 8)),
        (["not_in_order", "done"], (6, "B1", "Adult", 15)),
    ]
    assert list(find_breaches()) == []


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_seat_is_moved_to_where_its_new_ticket_type_is_not_sold(order, clerk, child):
    # No order of the two allows both: children don't get premium seats.
    calls = [changing(order, clerk, child), moving(order, clerk)]
    assert all_read_before_one_writes(calls) == ["done"] * 2


# --- A customer at the counter ----------------------------------------------------------------


def buying(show, **customer):
    return partial(outcome, book_seat, show_id=show.pk, seat_number=3, now=NOW, **customer)


@pytest.mark.parametrize("turn", range(3))
def test_a_seat_is_sold_at_the_counter_or_to_a_customer(show, user, clerk, turn):
    outcomes = at_once([buying(show, user=None, sold_by=clerk), buying(show, user=user)])
    assert sorted(outcomes) == ["done", "seat_taken"]
    assert seats(show, "user") == [(3, None if outcomes[0] == "done" else user.pk)]
    assert list(find_breaches()) == []


@pytest.mark.usefixtures("no_lock", "no_constraint")
def test_without_the_guards_a_seat_is_sold_at_the_counter_and_to_a_customer(show, user, clerk):
    calls = [buying(show, user=None, sold_by=clerk), buying(show, user=user)]
    assert all_read_before_one_writes(calls) == ["done"] * 2
    assert {customer for _, customer in seats(show, "user")} == {None, user.pk}
