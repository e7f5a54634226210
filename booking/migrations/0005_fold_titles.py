"""Columns to search and order movies by, ignoring case and accents, filled for the movies that are there."""

from django.db import migrations, models

import booking.models.folding
from booking.models.folding import fold_rows

BATCH_SIZE = 500


def fold_movies(apps, schema_editor):
    """A movie that the previous version adds meanwhile stays without them until `manage.py cleanup` runs."""
    movies = apps.get_model("booking", "Movie").objects
    last = 0
    while batch := list(movies.filter(pk__gt=last).order_by("pk").defer("description")[:BATCH_SIZE]):
        fold_rows(batch, movies)
        last = batch[-1].pk


class Migration(migrations.Migration):
    dependencies = [("booking", "0004_staff_from_log")]
    operations = [
        migrations.AddField(
            model_name="movie",
            name="folded_director",
            field=booking.models.folding.FoldedField("director", editable=False, max_length=400, null=True),
        ),
        migrations.AddField(
            model_name="movie",
            name="folded_title",
            field=booking.models.folding.FoldedField("title", editable=False, max_length=400, null=True),
        ),
        migrations.RunPython(fold_movies, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="movie",
            index=models.Index(fields=["folded_title", "id"], name="movie_by_folded_title"),
        ),
        migrations.AlterModelOptions(name="movie", options={"ordering": ["folded_title", "id"]}),
    ]
