"""The data stored about a user: every relation to the account, its orders and bookings, exported by `export_account`.

tests/services/test_personal_data.py finds the relations in the models; a new one has to be named here. `delete_account`
(services/accounts/deletion.py) deletes the account only if nothing refers to it any more.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.db.models import Exists, Model

from booking.models import (
    Booking,
    CheckIn,
    IdempotencyKey,
    MovieUpload,
    Order,
    Payment,
    Receipt,
    Refund,
    Till,
    User,
    of_outer_order,
    represent_amount,
)
from booking.services.accounts.deletion import changes_by_staff
from booking.services.transactions import retried


class Relation(NamedTuple):
    """Rows that refer to the account by `field`, and the columns that are exported.

    REFERENCE refers to an order of the account, BOOKING to one of its bookings, ABOUT_ACCOUNT to the account by a text.
    """

    model: type[Model]
    field: str
    columns: Sequence[str]


REFERENCE, BOOKING, ABOUT_ACCOUNT = "reference", "booking_id", "object_id"
_SEAT = ("reference", "show", "show__movie__title", "show__starts_at", "seat_number", "seat_label")
EXPORTED = {
    "orders": Relation(Order, "user", ("reference", "show", "name", "email", "phone", "created_at")),
    "bookings": Relation(
        Booking,
        "user",
        (
            *("id", *_SEAT, "category", "ticket_type__name", "price", "status", "ticket_serial"),
            *("created_at", "held_since", "expires_at", "cancelled_at"),
        ),
    ),
    "payments": Relation(
        Payment,
        REFERENCE,
        (
            *("id", "reference", "show", "provider", "provider_id", "method", "amount", "currency", "given"),
            *("status", "created_at", "settled_at"),
        ),
    ),
    "refunds": Relation(
        Refund,
        REFERENCE,
        (
            *("id", "payment", "reference", "show", "provider", "provider_id", "amount", "currency"),
            *("status", "reason", "created_at", "settled_at"),
        ),
    ),
    "receipts": Relation(
        Receipt, REFERENCE, ("year", "number", "position", "reference", "show", "created_at", "content")
    ),
    "admissions": Relation(CheckIn, BOOKING, ("booking_id", "show", "action", "reason", "scanned_at", "at")),
    "repeatable_requests": Relation(IdempotencyKey, "user", ("key", "show", "response", "created_at")),
    # Without the tokens, which are secret.
    "tokens": Relation(apps.get_model("token_blacklist", "OutstandingToken"), "user", ("created_at", "expires_at")),
    "changes": Relation(LogEntry, "user", ("action_time", "object_repr", "change_message")),
    "changes_by_staff": Relation(LogEntry, ABOUT_ACCOUNT, ("action_time", "object_repr", "change_message")),
    "sold": Relation(Booking, "sold_by", _SEAT),
    "moved": Relation(Booking, "moved_by", _SEAT),
    "cancelled": Relation(Booking, "cancelled_by", _SEAT),
    "payments_taken": Relation(Payment, "created_by", ("reference", "show", "amount", "currency", "created_at")),
    "refunds_made": Relation(Refund, "created_by", ("reference", "show", "amount", "currency", "created_at")),
    "tills": Relation(Till, "clerk", ("opened_at", "opening_float", "closed_at", "counted_cash", "note")),
    "tills_closed": Relation(Till, "closed_by", ("closed_at", "counted_cash", "note")),
    "check_ins": Relation(CheckIn, "by", ("show", "action", "reason", "device", "scanned_at")),
    "uploads": Relation(MovieUpload, "user", ("name", "created_at")),
    "groups": Relation(User.groups.through, "user", ("group__name",)),
    "permissions": Relation(User.user_permissions.through, "user", ("permission__codename",)),
}
ACCOUNT = (
    *("id", "username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"),
    *("date_joined", "last_login"),
)


@retried
def export_account(*, user: User) -> dict[str, Any]:
    """Return everything that is stored about the user: the account, and lists of rows by the names in EXPORTED."""
    with transaction.atomic():
        # Race: a booking, or the deletion of the account, between the lists.
        _read_one_snapshot()
        account = User.objects.values(*ACCOUNT).get(pk=user.pk)
        lists = {name: [*map(_represent, _rows(relation, user))] for name, relation in EXPORTED.items()}
    return {"account": account, **lists}


def _read_one_snapshot() -> None:
    """Makes all queries of the new transaction read the same state; on SQLite they do anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _rows(relation: Relation, user: User) -> Any:
    rows = relation.model._default_manager.all()
    if relation.field == REFERENCE:
        orders = Order.objects.filter(user=user).order_by()
        # The lists let both databases use the index; the references of different shows may be alike.
        rows = rows.filter(show__in=orders.values("show"), reference__in=orders.values("reference"))
        rows = rows.filter(Exists(of_outer_order(orders)))
    elif relation.field == BOOKING:
        bookings = Booking.objects.filter(user=user).order_by()
        rows = rows.filter(show__in=bookings.values("show"), booking_id__in=bookings.values("pk"))
    elif relation.field == ABOUT_ACCOUNT:
        rows = changes_by_staff(user)
    else:
        rows = rows.filter(**{relation.field: user})
    return rows.order_by("pk").values(*relation.columns)


def _represent(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("__", "_"): represent_amount(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
    }
