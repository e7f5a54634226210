"""Seat categories, the plans of existing halls, the orders of existing bookings, and the triggers that guard them."""

from django.db import migrations

from booking.infrastructure.triggers import SOLD_AGAINST, TICKET_TYPES, create_guards, create_triggers
from booking.infrastructure.upgrades import complete_rows

# Code, name, colour, accessible, sold in pairs.
CATEGORIES = [
    ("S", "Standard", "#3b6ea5", False, False),
    ("P", "Premium", "#8a5a9e", False, False),
    ("L", "Sofa", "#b0653a", False, True),
    ("W", "Wheelchair", "#2f8f6b", True, False),
]


def create_categories(apps, schema_editor):
    SeatCategory = apps.get_model("booking", "SeatCategory")
    for code, name, colour, is_accessible, is_paired in CATEGORIES:
        SeatCategory.objects.get_or_create(
            code=code,
            defaults={"name": name, "colour": colour, "is_accessible": is_accessible, "is_paired": is_paired},
        )


def complete(apps, schema_editor):
    for _ in complete_rows(schema_editor.connection):
        pass


def guard(apps, schema_editor):
    create_triggers(schema_editor.connection, TICKET_TYPES)
    # On SQLite they are created after all migrations: a later one could not replace a table that a guard reads.
    if schema_editor.connection.vendor == "postgresql":
        create_guards(schema_editor.connection, SOLD_AGAINST)


class Migration(migrations.Migration):
    # Each batch is a transaction of its own, so that bookings don't wait for the whole migration.
    atomic = False
    dependencies = [("booking", "0008_seat_plans_prices_and_orders")]
    operations = [
        migrations.RunPython(create_categories, migrations.RunPython.noop),
        migrations.RunPython(complete, migrations.RunPython.noop),
        migrations.RunPython(guard, migrations.RunPython.noop),
    ]
