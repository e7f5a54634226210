from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("booking", "0010_find_old_idempotency_keys_by_index")]
    operations = [
        migrations.AddIndex(
            model_name="booking",
            index=models.Index(
                fields=["show", "user"],
                condition=Q(status__in=["booked", "held", "blocked"]),
                name="active_by_show_and_user",
            ),
        ),
    ]
