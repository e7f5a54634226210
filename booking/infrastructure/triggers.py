"""Database triggers: they count changes of the catalogue for its cache, and refuse changes of what is sold."""

from collections.abc import Iterable
from typing import Any

from django.db import connections

CATALOGUE = ("movie", "screen", "show")
# Responses about a show contain their names. A show whose prices change gets another price list.
TICKET_TYPES = ("tickettype",)
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

# Table, events, condition and message of changes that are refused. In the condition, ROW is the old or the new row.
_PRICE_USED = "EXISTS (SELECT 1 FROM booking_show WHERE price_list_id = {row}.price_list_id)"
# In a layout, the seats of a row follow the space after its label.
_CATEGORY_USED = "EXISTS (SELECT 1 FROM booking_seatplan WHERE layout {regexp} (' [A-Za-z.]*' || OLD.code))"
GUARDS = [
    ("seatcategory", "update", _CATEGORY_USED, "A seat category that a seat plan uses cannot be changed."),
    ("seatcategory", "delete", _CATEGORY_USED, "A seat category that a seat plan uses cannot be deleted."),
    ("seatplan", "update", "", "A seat plan cannot be changed."),
    ("price", "insert", _PRICE_USED.format(row="NEW"), "A price list that a show uses cannot be changed."),
    ("price", "update", _PRICE_USED.format(row="OLD"), "A price list that a show uses cannot be changed."),
    ("price", "delete", _PRICE_USED.format(row="OLD"), "A price list that a show uses cannot be changed."),
    ("checkin", "update", "", "A scan at the door cannot be changed."),
    ("checkin", "delete", "", "A scan at the door cannot be deleted."),
]
# The tables of the guards, by the migration that creates them.
SOLD_AGAINST, SCANS = ("seatcategory", "seatplan", "price"), ("checkin",)


def create_triggers(connection: Any, tables: Iterable[str]) -> None:
    """Creates the triggers that count changes of the tables, if they are missing."""
    statements = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    with connection.cursor() as cursor:
        for table in tables:
            for statement in statements:
                cursor.execute(statement.format(table=table))


def create_guards(connection: Any, tables: Iterable[str]) -> None:
    """Creates the triggers of GUARDS for these tables, if they are missing."""
    wanted = [guard for guard in GUARDS if guard[0] in tables]
    with connection.cursor() as cursor:
        for table, event, condition, message in wanted:
            name = f"booking_guard_{table}_{event}"
            condition = condition.format(regexp="REGEXP" if connection.vendor == "sqlite" else "~")
            when = f"WHEN ({condition})" if condition else ""
            if connection.vendor == "sqlite":
                cursor.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON booking_{table} {when}"
                    f" BEGIN SELECT RAISE(ABORT, '{message}'); END"
                )
                continue
            # PostgreSQL allows no subquery in WHEN.
            refuse = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';"
            body = f"IF {condition} THEN {refuse} END IF;" if condition else refuse
            row = "OLD" if event == "delete" else "NEW"
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {body} RETURN {row}; END $$"
            )
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER {name} BEFORE {event} ON booking_{table}"
                f" FOR EACH ROW EXECUTE FUNCTION {name}()"
            )


def drop_guards(using: str, **_: Any) -> None:
    """Removes the guards on SQLite before a migration, which can't replace a table that a trigger reads."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for table, event, _condition, _message in GUARDS:
                cursor.execute(f"DROP TRIGGER IF EXISTS booking_guard_{table}_{event}")


def create_missing_triggers(using: str, **_: Any) -> None:
    """Recreates the triggers on SQLite, where a migration that alters a table replaces it with one without triggers.

    On PostgreSQL the triggers remain.
    """
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    tables = connection.introspection.table_names()
    create_triggers(connection, [table for table in (*CATALOGUE, *TICKET_TYPES) if f"booking_{table}" in tables])
    create_guards(connection, [table for table in (*SOLD_AGAINST, *SCANS) if f"booking_{table}" in tables])
