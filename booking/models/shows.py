"""Shows, which are screenings of movies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, OuterRef, Q, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from booking.models.layouts import Hall
from booking.models.loading import LoadsQuickly
from booking.models.movies import Movie
from booking.models.plans import SeatPlan, hall_of_full_rows, hall_of_plan
from booking.models.prices import PriceList
from booking.models.screens import Screen

if TYPE_CHECKING:
    from booking.models.bookings import BookingQuerySet

MAX_SEATS_PER_SHOW = 10_000


class ShowQuerySet(models.QuerySet["Show"]):
    def upcoming(self, now: datetime) -> ShowQuerySet:
        """Return shows that are on sale at `now`, soonest first."""
        return self.filter(starts_at__gt=now, cancelled_at=None).order_by("starts_at", "id")

    def starting_between(self, begin: datetime, end: datetime) -> ShowQuerySet:
        """Return shows that start from `begin` until before `end`."""
        return self.filter(starts_at__gte=begin, starts_at__lt=end)

    def scheduled(self) -> ShowQuerySet:
        """Return shows that are not cancelled."""
        return self.filter(cancelled_at=None)

    def with_seats_sold(self) -> ShowQuerySet:
        """Annotate `seats_sold`, the number of booked seats."""
        return self.annotate(seats_sold=_number_of(_bookings().sold()))

    def with_cancellations(self) -> ShowQuerySet:
        """Annotate `cancellations`, the number of cancelled bookings."""
        return self.annotate(cancellations=_number_of(_bookings().cancelled()))

    def with_seats_available(self, now: datetime) -> ShowQuerySet:
        """Annotate `seats_available`, the number of seats that can be booked at `now`; 0 if the show is cancelled."""
        left = F("total_seats") - _number_of(_bookings().active(now))
        return self.annotate(seats_available=Case(When(cancelled_at=None, then=left), default=0))


def _bookings() -> BookingQuerySet:
    # Imported here, because bookings refer to shows.
    from booking.models.bookings import Booking

    return Booking.objects.all()


def _number_of(bookings: BookingQuerySet) -> Coalesce:
    """Return an expression that counts the bookings of the outer query's show."""
    of_show = bookings.filter(show=OuterRef("pk")).order_by().values("show")
    # Count("*") allows an index-only scan.
    return Coalesce(models.Subquery(of_show.annotate(n=models.Count("*")).values("n")), 0)


class Show(LoadsQuickly):
    """A screening of a movie. It keeps its seat plan and its price list when the screen gets others."""

    movie = models.ForeignKey(Movie, models.PROTECT, related_name="shows", db_index=False)
    screen = models.ForeignKey(Screen, models.PROTECT, related_name="shows", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # Null only for shows that version 1.0 planned; they have full rows.
    plan = models.ForeignKey(SeatPlan, models.PROTECT, related_name="shows", null=True, editable=False)
    # Null: the show is free.
    price_list = models.ForeignKey(PriceList, models.PROTECT, related_name="shows", null=True, blank=True)
    total_seats = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SEATS_PER_SHOW)], editable=False
    )
    # Version 1.0 reads it; a later version removes it.
    seats_per_row = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(100)], editable=False
    )
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Not stored; `attach_lowest_prices` (services/seats/prices.py) sets it.
    lowest_price: Decimal | None = None

    objects = ShowQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at", "id"]
        indexes = [
            models.Index(fields=["starts_at"], name="show_by_start"),
            models.Index(fields=["movie", "starts_at"], name="show_by_movie_and_start"),
            models.Index(fields=["screen", "starts_at"], name="show_by_screen_and_start"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(total_seats__gte=1), name="show_has_a_seat_or_more"),
            models.CheckConstraint(condition=Q(seats_per_row__gte=1), name="show_row_has_a_seat_or_more"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="show_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.movie.title}, {timezone.localtime(self.starts_at):%a %d %b %Y %H:%M}, {self.screen.name}"

    @property
    def is_cancelled(self) -> bool:
        return self.cancelled_at is not None

    def has_started(self, now: datetime) -> bool:
        return self.starts_at <= now

    @property
    def hall(self) -> Hall:
        if self.plan_id is None:
            return hall_of_full_rows(self.total_seats, self.seats_per_row)
        return hall_of_plan(self.plan_id)

    def has_seat(self, seat_number: int) -> bool:
        return 1 <= seat_number <= self.total_seats

    def seat_label(self, seat_number: int) -> str:
        return self.hall.label(seat_number)


class FormerStart(models.Model):
    """A start of a show before it was moved: tickets may have been scanned for it without the network."""

    show = models.ForeignKey(Show, models.CASCADE, related_name="+", editable=False)
    starts_at = models.DateTimeField(editable=False)

    class Meta:
        default_permissions = ()
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.starts_at):%a %d %b %Y %H:%M}"
