"""Triggers that count the changes of the catalogue, so that a kept page can be checked cheaply."""

from django.db import migrations

TABLES = ["movie", "screen", "show"]
COUNT = (
    "INSERT INTO booking_catalogueversion (\"table\", number) VALUES ('{table}', 1)"
    ' ON CONFLICT ("table") DO UPDATE SET number = booking_catalogueversion.number + 1'
)
FUNCTION = (
    "CREATE OR REPLACE FUNCTION booking_count_{table}() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN " + COUNT + "; RETURN NULL; END $$"
)
TRIGGER = (
    "CREATE OR REPLACE TRIGGER booking_count_{table} AFTER INSERT OR UPDATE OR DELETE ON booking_{table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION booking_count_{table}()"
)
POSTGRESQL = [FUNCTION, TRIGGER]
SQLITE = [
    f"CREATE TRIGGER booking_count_{{table}}_{event} AFTER {event} ON booking_{{table}} BEGIN {COUNT}; END"
    for event in ("insert", "update", "delete")
]


def create_triggers(apps, schema_editor):
    statements = SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL
    for table in TABLES:
        schema_editor.execute(COUNT.format(table=table))
        for statement in statements:
            schema_editor.execute(statement.format(table=table))


def drop_triggers(apps, schema_editor):
    for table in TABLES:
        if schema_editor.connection.vendor == "sqlite":
            for event in ("insert", "update", "delete"):
                schema_editor.execute(f"DROP TRIGGER booking_count_{table}_{event}")
        else:
            schema_editor.execute(f"DROP FUNCTION booking_count_{table} CASCADE")


class Migration(migrations.Migration):
    dependencies = [("booking", "0003_idempotency_key_and_catalogue_version")]
    operations = [migrations.RunPython(create_triggers, drop_triggers)]
