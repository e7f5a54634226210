"""Movies."""

from __future__ import annotations

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q
from django.db.models.functions import Coalesce

from booking.models.folding import FoldedField, Folding, FoldingQuerySet
from booking.models.loading import LoadsQuickly


class MovieQuerySet(FoldingQuerySet["Movie"]):
    def with_upcoming_shows(self, now: datetime) -> MovieQuerySet:
        """Annotate `upcoming_shows`, the number of upcoming shows."""
        # Imported here, because shows refer to movies.
        from booking.models.shows import Show

        upcoming = Show.objects.upcoming(now).filter(movie=OuterRef("pk")).order_by().values("movie")
        count = upcoming.annotate(n=models.Count("pk")).values("n")
        return self.annotate(upcoming_shows=Coalesce(models.Subquery(count), 0))


class Movie(Folding, LoadsQuickly):
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=5000)
    duration_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1440)],
        help_text="Length in minutes; a show can be planned once it is known.",
    )
    certificate = models.CharField(max_length=20, blank=True)
    language = models.CharField(max_length=50, blank=True)
    genre = models.CharField(max_length=50, blank=True)
    director = models.CharField(max_length=200, blank=True)
    release_date = models.DateField(null=True, blank=True)
    folded_title = FoldedField("title")
    folded_director = FoldedField("director")

    objects = MovieQuerySet.as_manager()

    class Meta:
        ordering = ["folded_title", "id"]
        indexes = [models.Index(fields=["folded_title", "id"], name="movie_by_folded_title")]
        constraints = [
            models.CheckConstraint(condition=Q(duration_minutes__gte=1), name="movie_lasts_a_minute_or_more"),
            models.UniqueConstraint(
                fields=["title", "release_date"],
                name="unique_movie_per_title_and_release_date",
                violation_error_message="A movie with this title and release date already exists.",
            ),
            models.UniqueConstraint(
                fields=["title"],
                condition=Q(release_date=None),
                name="unique_title_among_movies_without_release_date",
                violation_error_message="A movie with this title and no release date already exists.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.release_date.year})" if self.release_date else self.title
