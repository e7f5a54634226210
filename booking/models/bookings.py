"""Bookings: seats that are booked, held or blocked."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from booking.models.accounts import User
from booking.models.loading import LoadsQuickly
from booking.models.prices import MONEY, TicketType
from booking.models.shows import MAX_SEATS_PER_SHOW, Show

# Without characters that can be confused: 0 O, 1 I L, 2 Z, 5 S, 8 B.
REFERENCE_ALPHABET = "ACDEFGHJKMNPQRTUVWXY34679"
REFERENCE_LENGTH = 8


def new_reference() -> str:
    """Return a random booking reference, which is easy to read out at the counter."""
    number, letters = secrets.randbelow(len(REFERENCE_ALPHABET) ** REFERENCE_LENGTH), ""
    for _ in range(REFERENCE_LENGTH):
        number, place = divmod(number, len(REFERENCE_ALPHABET))
        letters += REFERENCE_ALPHABET[place]
    return letters


class BookingQuerySet(models.QuerySet["Booking"]):
    def active(self, now: datetime) -> BookingQuerySet:
        """Return bookings that take a seat at `now`."""
        return self.occupying().filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def occupying(self) -> BookingQuerySet:
        """Return bookings that occupy a seat, including expired holds that are not released; at most one per seat."""
        return self.filter(status__in=Booking.OCCUPYING)

    def sold(self) -> BookingQuerySet:
        """Return booked seats."""
        return self.filter(status=Booking.Status.BOOKED)

    def cancelled(self) -> BookingQuerySet:
        """Return cancelled bookings, without cancelled holds, which still have `expires_at`."""
        return self.filter(status=Booking.Status.CANCELLED, expires_at=None)

    def expired(self, now: datetime) -> BookingQuerySet:
        """Return holds that have expired by `now`."""
        return self.filter(status=Booking.Status.HELD, expires_at__lte=now)

    def released(self) -> BookingQuerySet:
        """Return expired holds that were released."""
        return self.filter(**RELEASED)

    def release(self) -> int:
        """Releases these expired holds and returns their number."""
        return self.update(**RELEASED)

    def cancel(self, now: datetime, cancelled_by: User | None = None) -> int:
        """Cancels these bookings and holds at `now` and returns their number; their tickets are not valid any more."""
        return self.update(
            status=Booking.Status.CANCELLED,
            cancelled_at=now,
            cancelled_by=cancelled_by,
            ticket_serial=F("ticket_serial") + 1,
        )

    def with_status(self, status: str, now: datetime) -> BookingQuerySet:
        """Return bookings that have this status at `now`; an expired hold is cancelled."""
        expired = Q(status=Booking.Status.HELD, expires_at__lte=now)
        if status == Booking.Status.CANCELLED:
            return self.filter(Q(status=status) | expired)
        return self.filter(status=status).exclude(expired)

    def without_ended_holds(self, now: datetime) -> BookingQuerySet:
        """Return all rows but holds that were cancelled or have expired by `now`."""
        return self.filter(Q(expires_at=None) | Q(status=Booking.Status.HELD, expires_at__gt=now))

    def of_customers(self, now: datetime) -> BookingQuerySet:
        """Return booked and cancelled bookings, and holds at `now`, without holds that have ended."""
        return self.exclude(status=Booking.Status.BLOCKED).without_ended_holds(now)


class BookingPredicates:
    """Predicates on a booking, or on an object with some of its columns."""

    __slots__ = ()

    user_id: int | None
    seat_number: int
    status: str
    expires_at: datetime | None

    def is_active(self, now: datetime) -> bool:
        """Return whether the row takes its seat at `now`."""
        return self.status in Booking.OCCUPYING and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        return self.status == Booking.Status.HELD and self.expires_at is not None and self.expires_at <= now

    def is_hold_of(self, user: User | None, now: datetime) -> bool:
        is_own = user is not None and self.user_id == user.pk
        return is_own and self.status == Booking.Status.HELD and not self.has_expired(now)

    def is_taken_for(self, user: User | None, now: datetime) -> bool:
        """Return whether the seat is taken, and not by the user's own hold."""
        return self.is_active(now) and not self.is_hold_of(user, now)


class Booking(BookingPredicates, LoadsQuickly):
    """One seat of a show that is booked or held for a customer, or blocked by staff."""

    class Status(models.TextChoices):
        BOOKED = "booked"
        HELD = "held"
        CANCELLED = "cancelled"
        BLOCKED = "blocked"

    class Canceller(models.TextChoices):
        CUSTOMER = "customer"
        CINEMA = "cinema"

    OCCUPYING = (Status.BOOKED, Status.HELD, Status.BLOCKED)

    user = models.ForeignKey(User, models.PROTECT, related_name="bookings", db_index=False, null=True)
    show = models.ForeignKey(Show, models.PROTECT, related_name="bookings", db_index=False)
    seat_number = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(MAX_SEATS_PER_SHOW)])
    # The seat's label and category when it was booked; empty for rows of version 1.0.
    seat_label = models.CharField(max_length=12, default="", db_default="", editable=False)
    category = models.CharField(max_length=1, default="", db_default="", editable=False)
    # Null on a free show.
    ticket_type = models.ForeignKey(
        TicketType, models.PROTECT, related_name="+", db_index=False, null=True, editable=False
    )
    price = models.DecimalField(**MONEY, default=Decimal(0), db_default=Decimal(0), editable=False)
    status = models.CharField(max_length=9, choices=Status, default=Status.BOOKED)
    reference = models.CharField(max_length=REFERENCE_LENGTH, default=new_reference, editable=False)
    # Booking a hold sets it again; renewing a hold doesn't.
    created_at = models.DateTimeField(editable=False)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When a hold expires or has expired; null once it is booked.
    expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the customer began to hold the seat; renewals don't change it.
    held_since = models.DateTimeField(null=True, blank=True, editable=False)
    # The members of staff who sold the seat, last moved the booking and cancelled it; null where the customer did so.
    sold_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    moved_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    cancelled_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    # The reason why staff blocked the seat.
    reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    # Tickets with a lower serial are not valid any more.
    ticket_serial = models.IntegerField(default=1, db_default=1, editable=False)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="booking_by_user_newest_first"),
            # Covers counts of a show's seats, including those of one customer.
            models.Index(fields=["show", "user", "status", "expires_at"], name="booking_by_show_and_user"),
            # A customer's seats in a show; with the index above, the planner would scan each status separately.
            models.Index(
                fields=["show", "user"],
                condition=Q(status__in=["booked", "held", "blocked"]),
                name="active_by_show_and_user",
            ),
            models.Index(fields=["reference"], name="booking_by_reference"),
            models.Index(fields=["expires_at"], condition=Q(status="held"), name="hold_by_end"),
            # For deleting an account, which must not be one of these; the bookings of customers are not in them.
            models.Index(fields=["sold_by"], condition=Q(sold_by__isnull=False), name="booking_by_seller"),
            models.Index(fields=["moved_by"], condition=Q(moved_by__isnull=False), name="booking_by_mover"),
            models.Index(fields=["cancelled_by"], condition=Q(cancelled_by__isnull=False), name="booking_by_canceller"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["show", "seat_number"],
                condition=Q(status__in=["booked", "held", "blocked"]),
                name="one_active_booking_per_show_and_seat",
            ),
            models.CheckConstraint(condition=Q(seat_number__gte=1), name="booking_seat_is_1_or_more"),
            models.CheckConstraint(
                condition=Q(status="cancelled", cancelled_at__isnull=False)
                | (~Q(status="cancelled") & Q(cancelled_at=None)),
                name="booking_is_cancelled_exactly_when_it_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(status="held", expires_at__isnull=False, held_since__isnull=False)
                | Q(status__in=["booked", "blocked"], expires_at=None)
                | Q(status="cancelled"),
                name="booking_expires_exactly_while_it_is_held",
            ),
            models.CheckConstraint(condition=~Q(status="blocked") | Q(user=None), name="blocked_seat_has_no_customer"),
            models.CheckConstraint(condition=Q(price__gte=0), name="booking_price_is_0_or_more"),
        ]
        permissions = [("cancel_booking", "Can cancel bookings")]

    def __str__(self) -> str:
        return f"{self.reference} {self.label}"

    @property
    def label(self) -> str:
        """The seat's label when it was booked."""
        return self.seat_label or self.show.seat_label(self.seat_number)

    @property
    def category_code(self) -> str:
        """The code of the seat's category when it was booked; empty for a seat that the hall does not have."""
        hall = self.show.hall
        if self.category or not hall.has_seat(self.seat_number):
            return self.category
        return hall.seat(self.seat_number).category

    @property
    def is_released(self) -> bool:
        """Whether the row is a hold that expired and was released."""
        return self.status == self.Status.CANCELLED and self.cancelled_at == self.expires_at

    @property
    def canceller(self) -> str | None:
        """Return who cancelled the booking; None if it is not cancelled or if the hold expired."""
        if self.status != self.Status.CANCELLED or self.is_released:
            return None
        by_cinema = self.cancelled_by_id is not None or self.cancelled_at == self.show.cancelled_at
        return self.Canceller.CINEMA if by_cinema else self.Canceller.CUSTOMER

    def as_of(self, now: datetime) -> Booking:
        """Return the booking, with an expired hold as it is stored once it is released."""
        if self.has_expired(now):
            self.status, self.cancelled_at = self.Status.CANCELLED, self.expires_at
        return self


# An expired hold that is released is cancelled at the time at which it expired.
RELEASED: dict[str, Any] = {"status": Booking.Status.CANCELLED, "cancelled_at": F("expires_at")}
