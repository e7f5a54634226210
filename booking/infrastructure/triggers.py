"""Database triggers that count changes of movies, screens and shows, for the catalogue cache."""

from typing import Any

from django.db import connections

TABLES = ("movie", "screen", "show")
COUNT = (
    "INSERT INTO booking_catalogueversion (\"table\", number) VALUES ('{table}', 1)"
    ' ON CONFLICT ("table") DO UPDATE SET number = booking_catalogueversion.number + 1'
)
POSTGRESQL = [
    (
        f"CREATE OR REPLACE FUNCTION booking_count_{{table}}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {COUNT}; RETURN NULL; END $$"
    ),
    (
        "CREATE OR REPLACE TRIGGER booking_count_{table} AFTER INSERT OR UPDATE OR DELETE ON booking_{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION booking_count_{table}()"
    ),
]
SQLITE = [
    f"CREATE TRIGGER IF NOT EXISTS booking_count_{{table}}_{event} AFTER {event} ON booking_{{table}}"
    f" BEGIN {COUNT}; END"
    for event in ("insert", "update", "delete")
]


def create_triggers(connection: Any) -> None:
    """Creates the triggers that are missing."""
    statements = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    with connection.cursor() as cursor:
        for table in TABLES:
            for statement in statements:
                cursor.execute(statement.format(table=table))


def create_missing_triggers(using: str, **_: Any) -> None:
    """Recreates the triggers on SQLite, where a migration that alters a table replaces it by one without triggers.

    On PostgreSQL the triggers remain.
    """
    connection = connections[using]
    if connection.vendor == "sqlite" and "booking_catalogueversion" in connection.introspection.table_names():
        create_triggers(connection)
