"""The index for counts of a show's seats knows the customers, too: who buys of a hot show is not to read it all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("booking", "0008_tries")]
    operations = [
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(fields=["show", "user", "status", "expires_at"], name="booking_by_show_and_user"),
        ),
        migrations.RemoveIndex(model_name="booking", name="booking_by_show_and_status"),
    ]
