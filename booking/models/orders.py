"""Orders: seats that were booked together."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef

from booking.models.accounts import User
from booking.models.cinema import REFERENCE_LENGTH, Booking, Show, new_reference


class OrderQuerySet(models.QuerySet["Order"]):
    def with_bookings(self) -> OrderQuerySet:
        """Return orders that have bookings, cancelled ones included."""
        bookings = Booking.objects.order_by().filter(show=OuterRef("show"), reference=OuterRef("reference"))
        return self.filter(Exists(bookings))


class Order(models.Model):
    """The customer of the bookings with this reference in this show.

    Bookings refer to their order by show and reference, so that the tables can be sharded by show.
    """

    reference = models.CharField(max_length=REFERENCE_LENGTH, default=new_reference, editable=False)
    show = models.ForeignKey(Show, models.PROTECT, related_name="+", db_index=False)
    # Null for customers without an account.
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False, null=True, blank=True)
    name = models.CharField(max_length=150, blank=True, default="", db_default="")
    email = models.EmailField("e-mail", max_length=254, blank=True, default="", db_default="")
    phone = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField(editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["user", "-created_at", "-id"], name="order_by_user_newest_first")]
        constraints = [
            models.UniqueConstraint(fields=["show", "reference"], name="one_order_per_show_and_reference"),
        ]

    def __str__(self) -> str:
        return self.reference
