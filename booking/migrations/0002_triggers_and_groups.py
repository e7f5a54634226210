"""Adds the triggers of the catalogue, a table that is cheap to write, and a group of staff: no model declares them."""

from django.db import migrations

from booking.infrastructure.triggers import CATALOGUE, COUNT, create_triggers

GROUP = "Box office"
PERMISSIONS = [
    ("show", "view_show", "Can view show"),
    ("booking", "view_booking", "Can view booking"),
    ("booking", "add_booking", "Can add booking"),
    ("booking", "cancel_booking", "Can cancel bookings"),
]


def count_catalogue_changes(apps, schema_editor):
    for table in CATALOGUE:
        schema_editor.execute(COUNT.format(table=table))
    create_triggers(schema_editor.connection, CATALOGUE)


def make_rate_limits_cheap(apps, schema_editor):
    """A rate-limit window need not survive a crash or be on a replica, so its table is not in the log.

    After a crash it is empty, and all windows begin again. Free space in each page lets an update stay in its page.
    """
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE booking_ratelimitwindow SET UNLOGGED")
        schema_editor.execute("ALTER TABLE booking_ratelimitwindow SET (fillfactor = 50)")


def create_box_office(apps, schema_editor):
    """The group of those who sell at the counter: they see shows, sell and cancel, and nothing else."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for model, codename, name in PERMISSIONS:
        # Django makes permissions only after all migrations; it leaves those alone that are there.
        content_type, _ = ContentType.objects.get_or_create(app_label="booking", model=model)
        permission, _ = Permission.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunPython(count_catalogue_changes, migrations.RunPython.noop),
        migrations.RunPython(make_rate_limits_cheap, migrations.RunPython.noop),
        migrations.RunPython(create_box_office, migrations.RunPython.noop),
    ]
