"""Seat categories and seat plans.

A seat plan never changes, and neither does a category that a plan uses: shows are sold against them. A change of a hall
makes another plan. So everything that derives from a plan is cached by its id.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from booking.models.layouts import Hall, full_rows, parse

# The category of halls without drawn plans; a migration creates it.
STANDARD = "S"


class ImmutableError(ValidationError):
    """The row is part of something that is sold, so it can't be changed."""


class SeatCategory(models.Model):
    code = models.CharField(
        max_length=1,
        unique=True,
        validators=[RegexValidator("^[A-Za-z]$", "Enter one letter.")],
        help_text="The letter that stands for this category in layouts; upper and lower case differ.",
    )
    name = models.CharField(max_length=50, unique=True)
    colour = models.CharField(
        max_length=7,
        default="#3b6ea5",
        validators=[RegexValidator("^#[0-9a-f]{6}$", "Enter a colour such as #3b6ea5.")],
    )
    is_accessible = models.BooleanField(
        "accessible", default=False, help_text="For wheelchairs: sold last to customers who don't ask for it."
    )
    is_paired = models.BooleanField(
        "sold in pairs", default=False, help_text="Sofas: two adjacent seats are not sold separately if possible."
    )

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "seat categories"

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ImmutableError if a seat plan uses the category."""
        if not self._state.adding and self.is_used():
            raise ImmutableError(
                "A seat plan uses this category, so it can't be changed. Add another category instead."
            )
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raises ImmutableError if a seat plan uses the category."""
        if self.is_used():
            raise ImmutableError("A seat plan uses this category, so it can't be deleted.")
        return super().delete(*args, **kwargs)

    def is_used(self) -> bool:
        """Return whether a seat plan has seats of the category, as it is stored."""
        [code] = SeatCategory.objects.filter(pk=self.pk).values_list("code", flat=True) or [self.code]
        layouts = SeatPlan.objects.filter(layout__contains=code).values_list("layout", flat=True)
        return any(code in parse(layout).categories for layout in layouts.iterator())


class SeatPlan(models.Model):
    """The seats of a hall: see booking/models/layouts.py. Halls with the same layout share a plan."""

    layout = models.TextField()
    total_seats = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(total_seats__gte=1), name="seat_plan_has_a_seat_or_more")
        ]

    def __str__(self) -> str:
        rows = len(self.hall.rows)
        return f"{self.total_seats} seats in {rows} row{'' if rows == 1 else 's'} (plan {self.pk})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ImmutableError if the plan is already stored."""
        if not self._state.adding:
            raise ImmutableError("A seat plan can't be changed; save the layout as another plan.")
        super().save(*args, **kwargs)

    @classmethod
    def of_layout(cls, layout: str) -> SeatPlan:
        """Return the stored plan with this canonical layout; it is created if it doesn't exist."""
        digest = sha256(layout.encode()).hexdigest()
        plan, _ = cls.objects.get_or_create(
            sha256=digest, defaults={"layout": layout, "total_seats": parse(layout).total_seats}
        )
        return plan

    @property
    def hall(self) -> Hall:
        return hall_of_plan(self.pk)


@lru_cache(maxsize=512)
def hall_of_plan(plan_id: int) -> Hall:
    """Return the hall of a stored plan."""
    layout = SeatPlan.objects.values_list("layout", flat=True).get(pk=plan_id)
    categories = SeatCategory.objects.all()
    return parse(
        layout,
        accessible={category.code for category in categories if category.is_accessible},
        paired={category.code for category in categories if category.is_paired},
    )


@lru_cache(maxsize=64)
def hall_of_full_rows(total_seats: int, seats_per_row: int) -> Hall:
    """Return the hall of a show or screen that version 1.0 created, without a plan."""
    return parse(full_rows(total_seats, seats_per_row, STANDARD))


def categories_of(hall: Hall) -> models.QuerySet[SeatCategory]:
    """Return the categories of the hall's seats, by name."""
    return SeatCategory.objects.filter(code__in=hall.categories)
