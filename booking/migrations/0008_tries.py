"""The table that the limits count in."""

from django.db import migrations, models


def make_cheap(apps, schema_editor):
    """A count need not survive a crash or be on a replica, so it waits for no disk: the table is not in the log.

    After a crash it is empty, and everybody may try again. Room in each page keeps an update within it.
    """
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE booking_tries SET UNLOGGED")
        schema_editor.execute("ALTER TABLE booking_tries SET (fillfactor = 50)")


class Migration(migrations.Migration):
    dependencies = [("booking", "0007_sign_ins_that_can_be_ended")]
    operations = [
        migrations.CreateModel(
            name="Tries",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("number", models.PositiveBigIntegerField()),
                ("ends_at", models.FloatField()),
            ],
        ),
        migrations.RunPython(make_cheap, migrations.RunPython.noop),
    ]
