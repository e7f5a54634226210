"""The export of a user's data, which contains every relation to the account."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection, models

from booking.models import Booking, Order, Receipt, User
from booking.services import book_seat, cancel_booking, clean_up, delete_account, export_account, issue_receipt
from booking.services.accounts.personal_data import ACCOUNT, BOOKING, EXPORTED, REFERENCE
from tests.bank import book, make_paid_show, pay
from tests.conftest import signed_in
from tests.door import admit, make_door_staff
from tests.factories import NOW, PASSWORD, make_booking, make_price_list, make_show, make_ticket_type, make_user
from tests.staff import cancel_as

DAY = timedelta(days=1)


def relations():
    """Return all foreign keys to the account, references of orders and ids of bookings, by names of model and field.

    A model that refers to the account itself as its owner needs no second relation by its reference.
    """
    # The admin's history refers to its objects by a text.
    found = {"LogEntry.object_id"}
    for model in apps.get_models(include_auto_created=True):
        names = {field.name for field in model._meta.get_fields()}
        for field in model._meta.get_fields():
            is_account = isinstance(field, models.ForeignKey) and field.related_model is User
            if is_account or (field.name in {REFERENCE, BOOKING} and "user" not in names):
                found.add(f"{model.__name__}.{field.name}")
    return found


def test_the_export_contains_every_relation_to_the_account():
    assert {f"{relation.model.__name__}.{relation.field}" for relation in EXPORTED.values()} == relations()


# Columns that the export leaves out: keys, secrets, search texts, and data about staff or internal work.
NOT_EXPORTED = {
    "account": {"password", "session_key", "folded_first_name", "folded_last_name"},
    "orders": {"id", "user", "folded_name"},
    "bookings": {"user", "sold_by", "moved_by", "cancelled_by", "reason"},
    "payments": {"created_by", "till"},
    "refunds": {"created_by", "till", "problem", "retries", "failed_ids", "provider_errors"},
    "receipts": {"id"},
    "admissions": {"id", "by", "device", "nonce"},
    "repeatable_requests": {"id", "user", "request"},
    "tokens": {"id", "user", "jti", "token"},
}


@pytest.mark.parametrize("name", NOT_EXPORTED)
def test_the_export_contains_every_column_of_a_customer_s_rows(name):
    model, columns = (User, ACCOUNT) if name == "account" else (EXPORTED[name].model, EXPORTED[name].columns)
    exported = {column.partition("__")[0] for column in columns}
    assert {field.name for field in model._meta.concrete_fields} == exported | NOT_EXPORTED[name]


def test_an_order_is_exported_with_its_seats_and_prices(user):
    adult = make_ticket_type(name="Adult")
    show = make_show(price_list=make_price_list({("S", adult): 12}))
    booking = book_seat(user=user, show_id=show.pk, seat_number=5, now=NOW)
    exported = export_account(user=user)
    assert (exported["account"]["username"], exported["orders"][0]["reference"]) == ("esha", booking.reference)
    [row] = exported["bookings"]
    assert (row["seat_label"], row["ticket_type_name"], row["price"]) == ("A5", "Adult", "12.00")


def test_payments_refunds_receipts_and_admissions_are_exported(user, bank):
    show = make_paid_show()
    pay(user, book(user, show, 1, 2))
    first, second = Booking.objects.order_by("seat_number")
    issue_receipt(order=Order.objects.get(), now=NOW)
    cancel_booking(booking_id=first.pk, now=NOW)
    admit(second, make_door_staff())
    exported = export_account(user=user)
    assert [(row["amount"], row["status"]) for row in exported["payments"]] == [("24.00", "paid")]
    assert [(row["amount"], row["reason"]) for row in exported["refunds"]] == [("12.00", "Cancelled.")]
    assert [(row["year"], row["number"]) for row in exported["receipts"]] == [(2099, 1)]
    assert [(row["booking_id"], row["action"]) for row in exported["admissions"]] == [(second.pk, "in")]


def test_an_order_of_another_show_with_the_same_reference_is_not_exported(user):
    own, other = make_booking(user=user), make_booking(user=make_user())
    for booking in (own, other):
        Receipt.objects.create(
            year=2099, number=booking.pk, show=booking.show, reference=booking.reference, created_at=NOW
        )
    for model in (Booking, Order, Receipt):
        model.objects.filter(show=other.show).update(reference=own.reference)
    assert [row["number"] for row in export_account(user=user)["receipts"]] == [own.pk]


def test_the_export_contains_no_data_of_others(user, bank):
    other = make_user()
    pay(other, book(other, make_paid_show(), 1))
    admit(Booking.objects.get(), make_door_staff())
    Receipt.objects.create(year=2099, number=1, show=Booking.objects.get().show, reference="AAAAAAAA", created_at=NOW)
    exported = export_account(user=user)
    assert {name: rows for name, rows in exported.items() if rows and name != "account"} == {}


def test_changes_by_a_member_of_staff_are_exported(user, show):
    clerk = make_user(is_staff=True)
    booking = book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW, sold_by=clerk)
    cancel_as(clerk, booking, NOW)
    exported = export_account(user=clerk)
    seats = [[row["seat_label"] for row in exported[name]] for name in ("sold", "moved", "cancelled")]
    assert (seats, len(exported["changes"])) == ([["A1"], [], ["A1"]], LogEntry.objects.filter(user=clerk).count())


def test_changes_of_the_account_by_staff_are_exported_and_forgotten(user, staff):
    entry = LogEntry.objects.log_actions(User.objects.get(username="boss").pk, [user], CHANGE, single_object=True)
    assert [row["object_repr"] for row in export_account(user=user)["changes_by_staff"]] == ["esha"]
    pk = user.pk
    delete_account(user=user, password=PASSWORD, now=NOW)
    entry.refresh_from_db()
    assert entry.object_repr == f"Account {pk}"


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
    # On PostgreSQL, one more statement starts a snapshot.
    with django_assert_num_queries(25 if connection.vendor == "postgresql" else 24):
        export_account(user=user)


def test_a_deleted_account_leaves_its_orders_without_personal_data(user, show):
    booking = make_booking(user=user, show=show)
    Order.objects.update(name="Esha", email="esha@example.com", phone="0123")
    delete_account(user=user, password=PASSWORD, now=show.ends_at)
    order = Order.objects.get()
    assert (order.reference, order.user, order.name, order.email, order.phone) == (booking.reference, None, "", "", "")
    assert Booking.objects.get().user is None


@pytest.mark.parametrize(("days", "contact"), [(90, ("", "", "")), (89, ("Jo", "jo@example.com", "0123"))])
def test_contacts_are_forgotten_90_days_after_the_show(show, days, contact):
    Order.objects.create(show=show, name="Jo", email="jo@example.com", phone="0123", created_at=NOW)
    list(clean_up(now=show.ends_at + days * DAY))
    order = Order.objects.get()
    assert (order.name, order.email, order.phone) == contact
