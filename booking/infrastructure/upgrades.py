"""Completes rows that version 1.0 wrote: screens and shows get a seat plan, bookings an order.

The migration calls it while version 1.0 still serves, and `manage.py cleanup` calls it again for rows that were written
between the migration and the end of the last worker of version 1.0. Each statement is a transaction of its own.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from booking.models.layouts import full_rows, parse
from booking.models.plans import STANDARD

BATCH = 500
SCREENS = "SELECT id, rows * seats_per_row, seats_per_row FROM booking_screen WHERE plan_id IS NULL"
SHOWS = "SELECT id, total_seats, seats_per_row FROM booking_show WHERE plan_id IS NULL"
ADD_PLAN = (
    "INSERT INTO booking_seatplan (layout, total_seats, sha256) VALUES (%s, %s, %s) ON CONFLICT (sha256) DO NOTHING"
)
ADD_ORDERS = """
INSERT INTO booking_order (reference, show_id, user_id, name, email, phone, created_at)
SELECT b.reference, b.show_id, MAX(b.user_id), '', '', '', MIN(b.created_at)
FROM booking_booking b
WHERE b.show_id BETWEEN %s AND %s AND b.status <> 'blocked' AND NOT EXISTS (
    SELECT 1 FROM booking_order o WHERE o.show_id = b.show_id AND o.reference = b.reference
)
GROUP BY b.show_id, b.reference
ON CONFLICT (show_id, reference) DO NOTHING
"""


def complete_rows(connection: Any) -> Iterator[int]:
    """Yields the number of rows that each step completed."""
    yield _give_plans(connection, "booking_screen", SCREENS)
    yield _give_plans(connection, "booking_show", SHOWS)
    yield from _give_orders(connection)


def _give_plans(connection: Any, table: str, select: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(select)
        shapes: dict[tuple[int, int], list[int]] = {}
        for pk, total_seats, seats_per_row in cursor.fetchall():
            shapes.setdefault((total_seats, seats_per_row), []).append(pk)
        for (total_seats, seats_per_row), keys in shapes.items():
            plan = _plan(cursor, full_rows(total_seats, seats_per_row, STANDARD))
            for first in range(0, len(keys), BATCH):
                batch = keys[first : first + BATCH]
                places = ", ".join(["%s"] * len(batch))
                cursor.execute(
                    f"UPDATE {table} SET plan_id = %s WHERE plan_id IS NULL AND id IN ({places})",  # noqa: S608
                    [plan, *batch],
                )
    return sum(map(len, shapes.values()))


def _plan(cursor: Any, layout: str) -> int:
    """Return the id of the plan with this layout; it is created if it doesn't exist."""
    digest = sha256(layout.encode()).hexdigest()
    cursor.execute(ADD_PLAN, [layout, parse(layout).total_seats, digest])
    cursor.execute("SELECT id FROM booking_seatplan WHERE sha256 = %s", [digest])
    [pk] = cursor.fetchone()
    return int(pk)


def _give_orders(connection: Any) -> Iterator[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MIN(id), 1), COALESCE(MAX(id), 0) FROM booking_show")
        first, last = cursor.fetchone()
        for start in range(first, last + 1, BATCH):
            cursor.execute(ADD_ORDERS, [start, start + BATCH - 1])
            yield cursor.rowcount
