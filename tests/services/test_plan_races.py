"""Races of staff and customers over seat plans and personal data, with and without the guards."""

from functools import partial

import pytest

from booking.models import Booking, Order
from booking.services import book_seat, delete_account, export_account, switch_plan
from booking.services.accounts import personal_data
from booking.services.audit import find_breaches
from tests.factories import NOW, PASSWORD, make_price_list, make_show, make_ticket_type, redraw
from tests.races import all_read_before_one_writes, at_once, make_users, outcome, parallel_writers

pytestmark = [parallel_writers, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


def purchase(user, show, seat_number=7):
    return partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=seat_number, now=NOW)


# --- Another seat plan ------------------------------------------------------------------------


@pytest.fixture
def drawn():
    """A priced show whose screen got another plan, in which seat 3 is premium and seats 7 and 8 have other labels."""
    adult = make_ticket_type()
    prices = make_price_list({("S", adult): 12, ("P", adult): 15})
    show = make_show(layout="SSSS.SS\nSSSS", price_list=prices)
    redraw(show.screen, "SSPS.S\nSSSSS")
    return show


def switching(show):
    return partial(outcome, switch_plan, show_id=show.pk, now=NOW)


def kinds(show):
    """Return the label, category and price of each booked seat."""
    rows = show.bookings.order_by("seat_number")
    return [(row.seat_label, row.category, int(row.price)) for row in rows]


@pytest.mark.parametrize("turn", range(3))
def test_seats_sold_during_a_switch_have_the_labels_and_prices_of_one_plan(drawn, turn):
    users = make_users(2)
    switched, *sold = at_once([switching(drawn), purchase(users[0], drawn, 3), purchase(users[1], drawn, 7)])
    assert (sold, list(find_breaches())) == (["done"] * 2, [])
    drawn.refresh_from_db()
    if switched == "done":
        assert kinds(drawn) in ([("A3", "P", 15), ("B2", "S", 12)], [("A3", "S", 12), ("B2", "S", 12)])
    else:
        assert (switched, kinds(drawn)[1]) == ("seats_differ", ("B1", "S", 12))


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_seat_is_sold_by_the_label_of_the_former_plan(drawn, user):
    assert all_read_before_one_writes([switching(drawn), purchase(user, drawn)]) == ["done"] * 2
    reference = Booking.objects.get().reference
    assert list(find_breaches()) == [f"Show {drawn.pk}: booking {reference} has seat B1, which is B2 in the plan"]


# --- Export and deletion ----------------------------------------------------------------------


@pytest.fixture
def export_during(user, monkeypatch):
    """A function that exports the user's data; the call commits after the orders were read, before the bookings."""

    def export_during(call):
        read, pending = personal_data._rows, [call]

        def read_and_call(relation, user):
            rows = list(read(relation, user))
            if pending:
                assert at_once([pending.pop()]) == ["done"]
            return rows

        monkeypatch.setattr(personal_data, "_rows", read_and_call)
        exported = export_account(user=user)
        return [[row["reference"] for row in exported[name]] for name in ("orders", "bookings")]

    return export_during


@pytest.fixture
def no_snapshot(monkeypatch):
    """Removes the snapshot: each query of an export reads the current state."""
    monkeypatch.setattr(personal_data, "_read_one_snapshot", lambda: None)


def deletion_of(user):
    return partial(outcome, delete_account, user=user, password=PASSWORD, now=NOW)


def test_an_export_during_a_booking_has_neither_its_order_nor_its_seat(user, show, export_during):
    assert export_during(purchase(user, show)) == [[], []]


def test_an_export_during_the_deletion_is_complete(user, show, export_during):
    reference = book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW).reference
    assert export_during(deletion_of(user)) == [[reference], [reference]]


@pytest.mark.usefixtures("no_snapshot")
def test_without_the_snapshot_an_export_has_a_seat_without_its_order(user, show, export_during):
    orders, bookings = export_during(purchase(user, show))
    assert (orders, bookings) == ([], [Booking.objects.get().reference])


def test_orders_of_an_account_deleted_while_it_books_have_no_contact(user):
    shows = [make_show() for _ in range(5)]
    *sold, deleted = at_once([*(purchase(user, show) for show in shows), deletion_of(user)])
    assert (set(sold) <= {"done", "busy", "not_found"}, deleted in ("done", "busy")) == (True, True)
    contacts = Order.objects.filter(user=None).values_list("name", "email", "phone")
    assert set(contacts) <= {("", "", "")}
    assert Order.objects.exclude(user=None).count() in (0, sold.count("done"))
    assert list(find_breaches()) == []
