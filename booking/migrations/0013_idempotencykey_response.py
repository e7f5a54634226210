from django.db import migrations, models


class Migration(migrations.Migration):
    """Renames a field; the column keeps its name, so nothing changes in the database."""

    dependencies = [("booking", "0012_refund_retries")]

    operations = [
        migrations.AlterField("idempotencykey", "answer", models.TextField(db_column="answer")),
        migrations.RenameField("idempotencykey", "answer", "response"),
    ]
