"""Unknown fields in a body change nothing.

Each writing operation is carried out twice from the same data, with and without them, and what it changed in all
tables is compared.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.tokens import default_token_generator
from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode
from rest_framework.test import APIClient

from booking.models import Booking, CheckIn, User
from booking.views.openapi import JOURNEY
from tests.conftest import signed_in
from tests.door import admit, delete_scans, let_check_in
from tests.factories import PASSWORD, make_priced_booking, make_show, make_user

# Values that are recognised in any column.
NUMBER, TEXT, TIME = 987_654_321, "POISONED", "1999-09-09T09:09:09Z"
NEW_PASSWORD = "another fine phrase"
DAY = "2030-01-30T19:42:07Z"
SCAN = {"reference": "…", "seat_label": "A1", "nonce": "n", "device": "left", "scanned_at": DAY}
BODIES = {
    "POST /signup/": {"username": "newcomer", "password": PASSWORD, "email": "newcomer@example.com"},
    "POST /token/": {"username": "esha", "password": PASSWORD},
    "POST /token/refresh/": {"refresh": "…"},
    "POST /token/blacklist/": {"refresh": "…"},
    "PATCH /me/": {"email": "new@example.com"},
    "DELETE /me/": {"password": PASSWORD},
    "POST /me/logout-everywhere/": {},
    "POST /password-reset/": {"email": "esha@example.com"},
    "POST /password-reset/confirm/": {"uid": "…", "token": "…", "new_password": NEW_PASSWORD},
    "POST /me/password/": {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
    "POST /shows/{id}/book/": {"seat_number": 7},
    "POST /shows/{id}/book-seats/": {"seat_numbers": [7, 8]},
    "POST /shows/{id}/hold/": {"seat_numbers": [7, 8]},
    "POST /bookings/{id}/move/": {"seat_number": 7},
    "POST /bookings/{id}/cancel/": {},
    "POST /orders/{reference}/pay/": {},
    "POST /orders/{reference}/cancel/": {},
    "POST /shows/{id}/check-ins/": SCAN,
    "POST /shows/{id}/check-ins/undo/": {"booking": "…", "reason": "Wrong ticket", "nonce": "n", "device": "left"},
}
# Random values and times; the test compares only whether they changed.
VOLATILE = (models.DateTimeField, models.FloatField, models.AutoField, models.UUIDField)
VOLATILE_NAMES = {
    "provider_id",
    "reference",
    "password",
    "jti",
    "token",
    "answer",
    "object_id",
    # Of a task: the id of the payment that it asks about.
    "args_kwargs",
    "object_repr",
    "session_key",
}


@dataclass
class World:
    client: APIClient
    booking: Booking
    victim: User
    refresh: str
    uid: str
    token: str

    def value(self, name):
        return {"reference": self.booking.reference, "booking": self.booking.pk}.get(name) or getattr(self, name)

    def path(self, template):
        ids = {"shows": self.booking.show_id, "bookings": self.booking.pk}
        return "/api" + template.format(id=ids.get(template.split("/")[1]), reference=self.booking.reference)


@pytest.fixture
def world(user):
    show = make_show(starts_at=timezone.now() + timedelta(days=1))
    booking = make_priced_booking(user=user, show=show, created_at=timezone.now())
    answer = APIClient().post("/api/token/", {"username": user.username, "password": PASSWORD})
    link = (urlsafe_base64_encode(str(user.pk).encode()), default_token_generator.make_token(user))
    return World(signed_in(user), booking, make_user(username="victim"), answer.json()["refresh"], *link)


def poison(world):
    """Return a value for each column, and for plausible names without a column."""
    fields = {}
    for model in apps.get_models():
        for column in model._meta.concrete_fields:
            fields |= dict.fromkeys([column.name, column.attname], poison_for(column))
    more = {"seat_label": TEXT, "groups": [NUMBER], "user_permissions": [NUMBER], "is_admin": True, "role": TEXT}
    whose = {"user": world.victim.pk, "user_id": world.victim.pk, "customer": "victim", "status": "cancelled"}
    # The ticket type and the provider are inputs; test_prices.py and test_payments.py test them.
    inputs = {"ticket_type", "provider"}
    return {name: value for name, value in (fields | more | whose).items() if name not in inputs}


def poison_for(column):
    if isinstance(column, models.BooleanField):
        return not column.get_default()
    if isinstance(column, models.DateTimeField | models.DateField):
        return TIME
    return NUMBER if isinstance(column, models.IntegerField | models.ForeignKey) else TEXT


def snapshot():
    """Return all rows of all tables."""
    rows = {}
    for model in apps.get_models():
        for row in model._base_manager.order_by("pk").values():
            rows[model._meta.label, row[model._meta.pk.attname]] = row
    return rows


def is_volatile(label, name):
    column = next(column for column in apps.get_model(label)._meta.concrete_fields if column.attname == name)
    is_key_of_new = isinstance(column, models.ForeignKey) and column.name == "token"
    return name in VOLATILE_NAMES or isinstance(column, VOLATILE) or is_key_of_new


def changes(before, after):
    """Return the changes of each row; new rows are identified by their order."""
    found = [(label, pk, "gone") for label, pk in before.keys() - after.keys()]
    for label, pk in sorted(after.keys(), key=str):
        old, new = before.get((label, pk)), after[label, pk]
        for name, value in new.items():
            if old is None or old[name] != value:
                shown = bool(value) if is_volatile(label, name) else value
                found.append((label, "new" if old is None else pk, name, shown))
    return found


def put_back(before, after):
    """Restore all rows, as a rollback would."""
    with transaction.atomic(), connection.cursor() as cursor:
        for model in apps.get_models():
            old, new = (
                [row for (label, _), row in rows.items() if label == model._meta.label] for rows in (before, after)
            )
            if old != new:
                delete_scans(cursor) if model is CheckIn else cursor.execute(f"DELETE FROM {model._meta.db_table}")
                model._base_manager.bulk_create([model(**row) for row in old])


def let_check_in_and_admit(world, operation):
    """Make the operations of the door possible: they are for staff, and one undoes an admission."""
    if "check-ins" in operation:
        let_check_in(world.booking.user, "Box office")
    if "undo" in operation:
        let_check_in(world.victim, "Box office")
        admit(world.booking, world.victim, now=world.booking.created_at, scanned_at=world.booking.created_at)


def carry_out(world, operation, extra):
    """Run the operation, return its changes, the rows and the response, and undo it."""
    method, template = operation.split()
    body = {name: world.value(name) if value == "…" else value for name, value in BODIES[operation].items()}
    before = snapshot()
    answer = getattr(world.client, method.lower())(world.path(template), extra | body)
    after = snapshot()
    put_back(before, after)
    assert 200 <= answer.status_code < 300, answer.json()
    return changes(before, after), after, answer.content.decode()


def test_every_unsafe_operation_has_a_body(client, db):
    paths = client.get("/swagger.json").json()["paths"]
    assert list(paths) == JOURNEY
    writing = {"post", "put", "patch", "delete"}
    operations = {f"{method.upper()} {path}" for path, of_path in paths.items() for method in writing & set(of_path)}
    assert operations == set(BODIES)


@pytest.mark.parametrize("operation", BODIES)
def test_unknown_fields_change_nothing(world, operation):
    let_check_in_and_admit(world, operation)
    plain, _, _ = carry_out(world, operation, {})
    poisoned, rows, answer = carry_out(world, operation, poison(world))
    assert poisoned == plain
    values = {str(value) for row in rows.values() for value in row.values()}
    assert not {str(NUMBER), TEXT} & values
    assert not any(value.startswith("1999-09-09") for value in values)
    assert not any(mark in answer for mark in (str(NUMBER), TEXT, "1999-09-09"))


@pytest.mark.parametrize("operation", ["POST /signup/", "PATCH /me/"])
def test_customers_can_not_make_themselves_staff(world, user, operation):
    method, template = operation.split()
    extra = {"is_staff": True, "is_superuser": True, "groups": [1], "user_permissions": [1], "is_active": False}
    answer = getattr(world.client, method.lower())(world.path(template), BODIES[operation] | extra)
    account = User.objects.get(pk=answer.json()["id"])
    assert (account.is_staff, account.is_superuser, account.is_active) == (False, False, True)
    assert (account.groups.count(), account.user_permissions.count()) == (0, 0)


def test_a_booking_belongs_to_the_signed_in_user(world, user):
    extra = {"user": world.victim.pk, "user_id": world.victim.pk, "customer": "victim"}
    answer = world.client.post(world.path("/shows/{id}/book/"), {"seat_number": 7} | extra)
    assert Booking.objects.get(pk=answer.json()["id"]).user == user
