"""The index by which the daily cleanup finds expired idempotency records."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("booking", "0009_count_a_customers_seats_by_index")]
    operations = [
        migrations.AddIndex(
            model_name="idempotencykey",
            index=models.Index(fields=["created_at"], name="idempotency_key_by_creation"),
        ),
    ]
