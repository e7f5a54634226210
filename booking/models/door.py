"""Admissions at the door."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Case, Q, Sum, Value, When

from booking.models.accounts import User
from booking.models.plans import ImmutableError
from booking.models.shows import Show


class CheckInQuerySet(models.QuerySet["CheckIn"]):
    def admissions(self) -> Any:
        """Return a row for each booking with its `number` of admissions without those that were undone."""
        number = Sum(Case(When(action=CheckIn.Action.IN, then=Value(1)), default=Value(-1)))
        return self.order_by().values("show", "booking_id").annotate(number=number)

    def admitted(self) -> Any:
        """Return the rows of `admissions` of bookings that are admitted."""
        return self.admissions().filter(number__gt=0)


class CheckIn(models.Model):
    """A scan at the door that admitted a booking or undid that. Rows are only added; triggers refuse the rest."""

    class Action(models.TextChoices):
        IN = "in"
        UNDO = "undo"

    show = models.ForeignKey(Show, models.PROTECT, related_name="+", db_index=False, editable=False)
    # Without a foreign key, as nothing refers to bookings by one.
    booking_id = models.BigIntegerField(editable=False)
    action = models.CharField(max_length=4, choices=Action, editable=False)
    # The reason for undoing the admission; or, for a scan made offline, the reason against the admission.
    reason = models.CharField(max_length=200, blank=True, editable=False)
    # The device's name, and its name for the scan, which makes a retry safe.
    device = models.CharField(max_length=50, blank=True, editable=False)
    nonce = models.CharField(max_length=64, editable=False)
    by = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False, db_index=False)
    # When the ticket was scanned, and when the scan arrived here.
    scanned_at = models.DateTimeField(editable=False)
    at = models.DateTimeField(editable=False)

    objects = CheckInQuerySet.as_manager()

    class Meta:
        ordering = ["at", "id"]
        permissions = [("check_in", "Can admit at the door")]
        indexes = [
            models.Index(fields=["show", "booking_id", "id"], name="check_in_by_show_and_booking"),
            models.Index(fields=["by"], name="check_in_by_person"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["show", "nonce"], name="one_check_in_per_show_and_nonce"),
            models.CheckConstraint(condition=~Q(action="undo") | ~Q(reason=""), name="undone_check_in_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.booking_id} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ImmutableError if the scan is already stored."""
        if not self._state.adding:
            raise ImmutableError("A scan can't be changed; add one that undoes it.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raises ImmutableError."""
        raise ImmutableError("A scan can't be deleted.")
