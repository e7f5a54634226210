"""Triggers that count the changes of the catalogue, so that the catalogue cache can be checked with one short query."""

from typing import Any

from django.db import connections

TABLES = ("movie", "screen", "show")
COUNT = (
    "INSERT INTO booking_catalogueversion (\"table\", number) VALUES ('{table}', 1)"
    ' ON CONFLICT ("table") DO UPDATE SET number = booking_catalogueversion.number + 1'
)
CREATE = [
    f"CREATE TRIGGER IF NOT EXISTS booking_count_{{table}}_{event} AFTER {event} ON booking_{{table}}"
    f" BEGIN {COUNT}; END"
    for event in ("insert", "update", "delete")
]


def create_missing_triggers(using: str, **_: Any) -> None:
    """Creates the triggers again that SQLite lost: a migration that changes a table there makes a new one without them.

    On PostgreSQL they stay with their table.
    """
    connection = connections[using]
    if connection.vendor != "sqlite" or "booking_catalogueversion" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for table in TABLES:
            for statement in CREATE:
                cursor.execute(statement.format(table=table))
