"""What a user can export, and that it contains every relation to the account."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection, models

from booking.models import Booking, Order, User
from booking.services import book_seat, clean_up, delete_account, export_account
from booking.services.accounts.personal_data import EXPORTED
from tests.conftest import signed_in
from tests.factories import NOW, PASSWORD, make_booking, make_price_list, make_show, make_ticket_type, make_user
from tests.staff import cancel_as

DAY = timedelta(days=1)


def relations():
    """Every foreign key to the account, as the model's name and the field's name."""
    return {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model is User
    }


def test_the_export_contains_every_relation_to_the_account():
    assert {f"{relation.model.__name__}.{relation.field}" for relation in EXPORTED.values()} == relations()


def test_an_order_is_exported_with_its_seats_and_prices(user):
    adult = make_ticket_type(name="Adult")
    show = make_show(price_list=make_price_list({("S", adult): 12}))
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW)
    exported = export_account(user=user)
    assert (exported["account"]["username"], exported["orders"][0]["reference"]) == ("esha", booking.reference)
    [row] = exported["bookings"]
    assert (row["seat_label"], row["ticket_type_name"], row["price"]) == ("A5", "Adult", "12.00")


def test_the_export_contains_nothing_of_others(user):
    make_booking(user=make_user())
    exported = export_account(user=user)
    assert {name: rows for name, rows in exported.items() if rows and name != "account"} == {}


def test_what_a_member_of_staff_did_is_exported(user, show):
    clerk = make_user(is_staff=True)
    booking = book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW, sold_by=clerk)
    cancel_as(clerk, booking, NOW)
    exported = export_account(user=clerk)
    seats = [[row["seat_label"] for row in exported[name]] for name in ("sold", "moved", "cancelled")]
    assert (seats, len(exported["changes"])) == ([["A1"], [], ["A1"]], LogEntry.objects.filter(user=clerk).count())


def test_the_export_has_no_secrets(user, client):
    text = client.get("/api/me/export/").content.decode()
    assert [word for word in (user.password, user.session_key, 'token":') if word in text] == []


def test_the_export_is_private_and_never_cached(user, anyone):
    response = signed_in(user).get("/api/me/export/")
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    assert anyone.get("/api/me/export/").status_code == 401


@pytest.mark.parametrize("rows", [1, 3])
def test_an_export_takes_the_same_queries_for_1_and_3_bookings(user, django_assert_num_queries, rows):
    show = make_show()
    for seat in range(1, rows + 1):
        make_booking(user=user, show=show, seat_number=seat)
    # PostgreSQL is asked for one snapshot.
    with django_assert_num_queries(19 if connection.vendor == "postgresql" else 18):
        export_account(user=user)


def test_a_deleted_account_leaves_its_orders_without_personal_data(user, show):
    booking = make_booking(user=user, show=show)
    Order.objects.update(name="Esha", email="esha@example.com", phone="0123")
    delete_account(user=user, password=PASSWORD, now=show.ends_at)
    order = Order.objects.get()
    assert (order.reference, order.user, order.name, order.email, order.phone) == (booking.reference, None, "", "", "")
    assert Booking.objects.get().user is None


@pytest.mark.parametrize(("days", "kept"), [(90, ("", "", "")), (89, ("Jo", "jo@example.com", "0123"))])
def test_contacts_are_forgotten_90_days_after_the_show(show, days, kept):
    Order.objects.create(show=show, name="Jo", email="jo@example.com", phone="0123", created_at=NOW)
    list(clean_up(now=show.ends_at + days * DAY))
    order = Order.objects.get()
    assert (order.name, order.email, order.phone) == kept
