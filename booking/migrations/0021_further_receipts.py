from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0020_former_starts"),
    ]

    operations = [
        migrations.AddField(
            model_name="receipt",
            name="position",
            field=models.SmallIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.UniqueConstraint(
                fields=("show", "reference", "position"), name="one_receipt_per_order_and_position"
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("position__gte", 1)), name="receipt_position_is_1_or_more"
            ),
        ),
        migrations.RemoveConstraint(
            model_name="receipt",
            name="one_receipt_per_order",
        ),
    ]
