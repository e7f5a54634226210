"""Comparing what a page showed of taken seats with their current state.

Staff choose bookings by their seats. Between the page and the click, a booking may have moved to another seat, been
cancelled or expired; then the action would change another seat than the one that was chosen.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from booking.models import Booking, Show
from booking.services.refusals import NotFound, Refusal


class SeenSeat(NamedTuple):
    """A taken seat as a page showed it."""

    booking_id: int
    seat_number: int
    status: str


class SeatsChanged(Refusal):
    """Seats are not as the page showed them; the detail has a sentence for each."""

    code = "seats_changed"
    example: ClassVar[dict[str, Any]] = {"detail": "ACDEFGHJ has moved from A1 to B1. Nothing was changed."}

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__(" ".join([*changes, "Nothing was changed."]))


def check_unchanged(show: Show, seen: Sequence[SeenSeat], now: datetime) -> None:
    """Checks that the bookings have the seats and states in which they were seen; the show is locked.

    Raises SeatsChanged, and NotFound if the show has no such booking.
    """
    rows = {row.pk: row for row in Booking.objects.filter(show=show, pk__in=[one.booking_id for one in seen])}
    if not all(one.booking_id in rows for one in seen):
        raise NotFound
    changes = [change for one in seen for change in _changes(show, one, rows[one.booking_id], now)]
    if changes:
        raise SeatsChanged(changes)


def _changes(show: Show, seen: SeenSeat, row: Booking, now: datetime) -> Iterator[str]:
    if row.seat_number != seen.seat_number:
        yield moved(show, row.reference, seen.seat_number, row.seat_number)
    label = show.seat_label(row.seat_number)
    if row.has_expired(now) or row.is_released:
        yield f"The hold {row.reference} on {label} has expired."
    elif row.status != seen.status:
        yield f"{row.reference} on {label} is {row.status} now."


def moved(show: Show, reference: str, seen_seat: int, seat: int) -> str:
    """Return the sentence for a booking that has moved from the seat on which it was seen."""
    return f"{reference} has moved from {show.seat_label(seen_seat)} to {show.seat_label(seat)}."
