"""Finds stored data that breaks a rule. Nothing is changed."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db.models import (
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    RowRange,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Cast, Now

from booking.models import (
    Booking,
    CheckIn,
    Order,
    Payment,
    Price,
    Refund,
    Show,
    hall_of_plan,
    of_outer_order,
    represent_amount,
)
from booking.services.door.check_ins import NotYetOpen, TicketCancelled, TicketUnpaid
from booking.services.money.audit import find_money_breaches
from booking.services.money.sums import rounded, sum_of_order
from booking.services.programme.local_time import find_clock_change

# A request reads the clock before it waits for a lock, and the clocks of two machines differ, so the times of two
# requests for one show may be in the wrong order.
CLOCK_TOLERANCE = timedelta(minutes=1)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LONGEST_HOLD = timedelta(minutes=settings.MAX_HOLD_MINUTES)

BOOKED = Q(status=Booking.Status.BOOKED)
HELD = Q(status=Booking.Status.HELD)
BLOCKED = Q(status=Booking.Status.BLOCKED)
CANCELLED = Q(status=Booking.Status.CANCELLED)
OUTSIDE = Q(seat_number__lt=1) | Q(seat_number__gt=F("show__total_seats"))
# Reasons of scans made offline whose tickets were not paid, or whose payment was not checked.
UNPAID_REASONS = (TicketUnpaid.code, NotYetOpen.code, TicketCancelled.code)
ORDERS = of_outer_order(Order.objects.all())
# Descriptions and conditions of breaches by a single booking.
BOOKING_BREACHES: dict[str, Q] = {
    "is active for an unknown seat": (BOOKED | BLOCKED | HELD & Q(expires_at__gt=Now())) & OUTSIDE,
    "is active in a cancelled show": (BOOKED | HELD) & Q(show__cancelled_at__isnull=False),
    "is held without an expiry time": HELD & Q(expires_at=None),
    "is held for longer than allowed": HELD & Q(expires_at__gt=F("held_since") + LONGEST_HOLD + CLOCK_TOLERANCE),
    "has an expiry time but is not held": (BOOKED | BLOCKED) & Q(expires_at__isnull=False),
    "is blocked but has a customer": BLOCKED & Q(user__isnull=False),
    "is held without a customer although the show has not started": HELD & Q(user=None, show__starts_at__gt=Now()),
    "has no order": (BOOKED | HELD) & ~Q(Exists(ORDERS)),
    "has a price without a ticket type": Q(ticket_type=None) & ~Q(price=0),
    "has a price that no price list has": Q(ticket_type__isnull=False) & ~Q(Exists(Price.objects.of_booking())),
    "is cancelled without a cancellation time": CANCELLED & Q(cancelled_at=None),
    "has a cancellation time but is not cancelled": ~CANCELLED & Q(cancelled_at__isnull=False),
    "was cancelled before it was made": Q(cancelled_at__lt=F("created_at") - CLOCK_TOLERANCE),
    "was made after the show's start": Q(created_at__gt=F("show__starts_at") + CLOCK_TOLERANCE),
}


def find_breaches() -> Iterator[str]:
    """Yield a sentence for each breach, with the ids or references of its rows.

    The number of queries is constant. Each query reads one snapshot and loads only the breaches.
    """
    yield from _seats_sold_twice()
    for breach, condition in BOOKING_BREACHES.items():
        yield from _bookings(condition, breach)
    yield from _wrong_admissions()
    yield from find_money_breaches()
    yield from _seats_that_differ_from_their_plan()
    yield from _orders_without_bookings()
    yield from _shows_that_end_before_they_start()
    yield from _shows_of_a_wrong_length()
    yield from _overlapping_shows()


def _seats_sold_twice() -> Iterator[str]:
    holders = Window(Count("pk"), partition_by=["show", "seat_number"])
    duplicates = Booking.objects.occupying().annotate(holders=holders).filter(holders__gt=1)
    rows = duplicates.order_by("show", "seat_number", "pk").select_related("show")
    for (show, seat_number), group in groupby(rows.iterator(), attrgetter("show", "seat_number")):
        references = [row.reference for row in group]
        label = show.seat_label(seat_number)
        yield f"Show {show.pk}: seat {label} is active {len(references)} times, as {', '.join(references)}"


def _bookings(condition: Q, breach: str) -> Iterator[str]:
    rows = Booking.objects.filter(condition).order_by("pk").select_related("show")
    for booking in rows.iterator():
        label = booking.show.seat_label(booking.seat_number)
        yield f"Show {booking.show_id}: booking {booking.reference} of seat {label} {breach}"


def _wrong_admissions() -> Iterator[str]:
    """Yield bookings that are admitted several times, or by a scan after their cancellation or before their payment.

    A seat that was cancelled, or moved to one with a higher price, after its admission is no breach.
    """
    scans = CheckIn.objects.order_by().filter(show=OuterRef("show"), booking_id=OuterRef("pk"))
    admissions = Subquery(scans.admissions().values("number"))
    seats, refunded = sum_of_order(Booking.objects.sold(), "price"), sum_of_order(Refund.objects.all(), "amount")
    entries = scans.filter(action=CheckIn.Action.IN)
    was_cancelled = Exists(entries.filter(scanned_at__gt=OuterRef("cancelled_at") + CLOCK_TOLERANCE))
    was_unpaid = Exists(entries.filter(reason__in=UNPAID_REASONS))
    due = rounded(seats - sum_of_order(Payment.objects.received(), "amount") + refunded)
    # Otherwise the scans of every booking would be counted.
    scanned = Booking.objects.filter(Exists(scans)).annotate(admissions=admissions, due=due)
    wrong = Q(admissions__gt=1) | Q(admissions__gt=0) & (
        CANCELLED & Q(was_cancelled) | ~CANCELLED & Q(was_unpaid) & Q(due__gt=0)
    )
    for booking in scanned.filter(wrong).order_by("pk").select_related("show").iterator():
        number: int = booking.admissions  # type: ignore[attr-defined]
        times = f"{number} times" if number > 1 else "once"
        name = f"Show {booking.show_id}: booking {booking.reference} of seat {booking.label}"
        is_unpaid = booking.due > 0 and not booking.cancelled_at  # type: ignore[attr-defined]
        but = ", but is cancelled" if booking.cancelled_at else ""
        if is_unpaid:
            but = f", but {represent_amount(booking.due)} is due for the order"  # type: ignore[attr-defined]
        yield f"{name} is admitted {times}{but}"


def _seats_that_differ_from_their_plan() -> Iterator[str]:
    active = Booking.objects.occupying().exclude(seat_label="").exclude(show__plan=None).exclude(OUTSIDE)
    # At most as many as the plans have seats.
    kinds = (
        active.order_by("show__plan", "seat_number").values_list("show__plan", "seat_number", "seat_label").distinct()
    )
    for plan, number, label in kinds.distinct().iterator():
        expected = hall_of_plan(plan).label(number)
        if label == expected:
            continue
        for booking in active.filter(show__plan=plan, seat_number=number, seat_label=label).order_by("pk"):
            named = f"has seat {label}, which is {expected} in the plan"
            yield f"Show {booking.show_id}: booking {booking.reference} {named}"


def _orders_without_bookings() -> Iterator[str]:
    for order in Order.objects.without_content().order_by("pk").iterator():
        yield f"Show {order.show_id}: order {order.reference} has no bookings"


def _shows_that_end_before_they_start() -> Iterator[str]:
    rows = Show.objects.filter(ends_at__lte=F("starts_at")).order_by("pk")
    for show in rows.values_list("pk", flat=True).iterator():
        yield f"Show {show}: ends before it starts"


def _shows_of_a_wrong_length() -> Iterator[str]:
    """Yield shows near a clock change whose length differs from the movie's by the hour that the clocks change."""
    movie_length = ExpressionWrapper(Cast("movie__duration_minutes", IntegerField()) * Value(MINUTE), DurationField())
    shows = Show.objects.annotate(length=ExpressionWrapper(F("ends_at") - F("starts_at"), DurationField()))
    rows = shows.annotate(movie_length=movie_length).exclude(movie__duration_minutes=None)
    rows = rows.exclude(length=F("movie_length")).order_by("pk")
    for show, starts_at, ends_at, length, right in rows.values_list(
        "pk", "starts_at", "ends_at", "length", "movie_length"
    ).iterator():
        shift = find_clock_change(begin=starts_at - DAY, end=ends_at + DAY)
        if shift and abs(length - right) == abs(shift):
            yield f"Show {show}: lasts {length // MINUTE} minutes, its movie {right // MINUTE}; the clocks change then"


def _overlapping_shows() -> Iterator[str]:
    # Only shows that start before all earlier ones have ended are compared; comparing all pairs would take
    # quadratic time.
    scheduled = Show.objects.scheduled()
    earlier: dict[str, Any] = {"partition_by": "screen", "order_by": ["starts_at", "pk"], "frame": RowRange(end=-1)}
    late = scheduled.annotate(free_at=Window(Max("ends_at"), **earlier)).filter(free_at__gt=F("starts_at"))
    starts_first = Q(screen__shows__starts_at__lt=F("starts_at")) | Q(
        screen__shows__starts_at=F("starts_at"), screen__shows__pk__lt=F("pk")
    )
    pairs = scheduled.filter(
        starts_first,
        pk__in=late.values("pk"),
        screen__shows__cancelled_at=None,
        screen__shows__ends_at__gt=F("starts_at"),
    )
    rows = pairs.order_by("screen__shows__pk", "pk").values_list("screen__shows__pk", "pk", "screen__name")
    for first, second, screen in rows.iterator():
        yield f"Shows {first} and {second} overlap on {screen}"
