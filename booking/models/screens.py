"""Screens."""

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from booking.models.layouts import Hall
from booking.models.loading import LoadsQuickly
from booking.models.plans import SeatPlan, hall_of_full_rows, hall_of_plan
from booking.models.prices import PriceList

MAX_TURNAROUND_MINUTES = 240


class Screen(LoadsQuickly):
    name = models.CharField(max_length=50, unique=True)
    # Null only for screens that version 1.0 added; they have full rows.
    plan = models.ForeignKey(SeatPlan, models.PROTECT, related_name="+", null=True, editable=False)
    # The price list of new shows; null: they are free.
    price_list = models.ForeignKey(PriceList, models.PROTECT, related_name="+", null=True, blank=True)
    # Version 1.0 reads these; a later version removes them.
    rows = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(100)], editable=False)
    seats_per_row = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(100)], editable=False
    )
    turnaround_minutes = models.IntegerField(
        "turnaround",
        default=0,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_TURNAROUND_MINUTES)],
        help_text="Minutes between the end of a show and the start of the next one.",
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(turnaround_minutes__gte=0), name="screen_turnaround_is_0_or_more"),
            models.CheckConstraint(condition=Q(rows__gte=1), name="screen_has_a_row_or_more"),
            models.CheckConstraint(condition=Q(seats_per_row__gte=1), name="screen_row_has_a_seat_or_more"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def hall(self) -> Hall:
        if self.plan_id is None:
            return hall_of_full_rows(self.rows * self.seats_per_row, self.seats_per_row)
        return hall_of_plan(self.plan_id)

    @property
    def total_seats(self) -> int:
        return self.plan.total_seats if self.plan else self.rows * self.seats_per_row

    @property
    def turnaround(self) -> timedelta:
        return timedelta(minutes=self.turnaround_minutes)
