"""Scans at the door."""

from datetime import timedelta
from itertools import count

from django.contrib.auth.models import Group
from django.db import connection

from booking import services
from booking.infrastructure.triggers import SCANS, create_guards
from tests.factories import STARTS_AT, make_user

# A time at which the doors are open.
DOORS = STARTS_AT - timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
_numbers = count(1)


def delete_scans(cursor):
    """Delete all scans, which a trigger refuses; PostgreSQL has TRUNCATE."""
    if connection.vendor == "postgresql":
        cursor.execute("TRUNCATE booking_checkin")
        return
    cursor.execute("DROP TRIGGER booking_guard_checkin_delete")
    cursor.execute("DELETE FROM booking_checkin")
    create_guards(connection, SCANS)


def make_door_staff(**fields):
    """Create a member of the group Door."""
    person = make_user(**({"username": "door"} | fields))
    let_check_in(person)
    return person


def let_check_in(user, group="Door"):
    """Make the user a member of staff of this group, which admits at the door."""
    user.is_staff = True
    user.save()
    user.groups.add(Group.objects.get(name=group))


def scan_of(booking, **fields):
    """Return a scan of the booking by its reference and seat, with a new nonce."""
    defaults = {"nonce": f"scan-{next(_numbers)}", "reference": booking.reference, "seat_label": booking.label}
    return services.Scan(**(defaults | fields))


def admit(booking, by, *, show=None, now=DOORS, **fields):
    scan = fields.pop("scan", None) or scan_of(booking, **fields)
    return services.admit(show_id=(show or booking.show).pk, scan=scan, by=by, now=now)


def undo(booking, by, *, reason="Wrong ticket", now=DOORS, nonce=None):
    nonce = nonce or f"undo-{next(_numbers)}"
    return services.undo_admission(
        show_id=booking.show_id, booking_id=booking.pk, reason=reason, by=by, nonce=nonce, now=now
    )


def offline(booking, by, *, scanned_at=DOORS, now=DOORS + 10 * MINUTE, **fields):
    """Store a scan that was made without the network."""
    return admit(booking, by, now=now, scanned_at=scanned_at, **fields)


def stored(booking):
    """Return action and reason of the booking's scans, in their order."""
    from booking.models import CheckIn

    rows = CheckIn.objects.filter(show=booking.show, booking_id=booking.pk).order_by("pk")
    return list(rows.values_list("action", "reason"))
