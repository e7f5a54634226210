"""An index that a count of a show's seats reads alone, in the place of the one on the show."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0005_holds_and_blocked_seats"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["show", "status", "expires_at"], name="booking_by_show_and_status"),
        ),
        migrations.AlterField(
            model_name="booking",
            name="show",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="bookings",
                to="booking.show",
            ),
        ),
    ]
