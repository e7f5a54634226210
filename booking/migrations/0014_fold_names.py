"""Columns to search people by, ignoring case and accents, filled for the names that are there."""

from django.db import migrations

import booking.models.folding
from booking.models.folding import fold_rows, folded_fields

BATCH_SIZE = 500


def fold_names(apps, schema_editor):
    """A name that the previous version writes meanwhile stays without it until `manage.py cleanup` runs."""
    for name in ("Order", "User"):
        rows = apps.get_model("booking", name)._base_manager
        columns = [column for field in folded_fields(rows.model) for column in (field.source, field.name)]
        named = rows.exclude(**{field.source: "" for field in folded_fields(rows.model)}).order_by("pk")
        last = 0
        while batch := list(named.filter(pk__gt=last).only("pk", *columns)[:BATCH_SIZE]):
            fold_rows(batch, rows)
            last = batch[-1].pk


class Migration(migrations.Migration):
    dependencies = [("booking", "0013_idempotencykey_response")]
    operations = [
        migrations.AddField(
            model_name="order",
            name="folded_name",
            field=booking.models.folding.FoldedField("name", editable=False, max_length=300, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="folded_first_name",
            field=booking.models.folding.FoldedField("first_name", editable=False, max_length=300, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="folded_last_name",
            field=booking.models.folding.FoldedField("last_name", editable=False, max_length=300, null=True),
        ),
        migrations.RunPython(fold_names, migrations.RunPython.noop),
    ]
