"""Triggers that refuse to change and to delete scans at the door; no version of the service does so."""

from django.db import migrations

from booking.infrastructure.triggers import SCANS, create_guards


def guard(apps, schema_editor):
    # On SQLite they are created after all migrations.
    if schema_editor.connection.vendor == "postgresql":
        create_guards(schema_editor.connection, SCANS)


def remove(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for event in ("update", "delete"):
            name = f"booking_guard_checkin_{event}"
            if schema_editor.connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            else:
                cursor.execute(f"DROP FUNCTION IF EXISTS {name} CASCADE")


class Migration(migrations.Migration):
    dependencies = [("booking", "0014_fold_names")]
    operations = [migrations.RunPython(guard, remove)]
