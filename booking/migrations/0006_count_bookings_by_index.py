"""An index that a count of a show's seats reads alone, in the place of the one on the show."""

import django.db.models.deletion
from django.db import migrations, models


def drop_index_on_the_show(apps, schema_editor):
    """The index alone. AlterField would drop the foreign key too and make it anew.

    That locks bookings and then shows, where each booking locks its show first: one of the two ends in a deadlock.
    """
    booking = apps.get_model("booking", "Booking")
    for name in schema_editor._constraint_names(booking, ["show_id"], index=True, type_=models.Index.suffix):
        schema_editor.execute(schema_editor._delete_index_sql(booking, name))


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0005_holds_and_blocked_seats"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["show", "status", "expires_at"], name="booking_by_show_and_status"),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(drop_index_on_the_show, migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name="booking",
                    name="show",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bookings",
                        to="booking.show",
                    ),
                )
            ],
        ),
    ]
