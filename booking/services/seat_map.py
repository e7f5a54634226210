"""The unavailable seats of a show."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.db.models import Count, F
from django.db.models.lookups import In

from booking.infrastructure.statements import Query, numbered_values
from booking.models import Booking, Show, User, seat_label
from booking.services.refusals import NotFound

_hall = Query(
    lambda p: (
        Show.objects.filter(pk=p.show_id)
        .order_by()
        .values_list("total_seats", "seats_per_row", "starts_at", "cancelled_at")
    )
)
# The seats of a show that are unavailable at `now`, with status and customer.
_active_seats = Query(
    lambda p: (
        Booking.objects.active(p.now)
        .filter(show=p.show_id)
        .order_by("seat_number")
        .values_list("seat_number", "status", "user")
    )
)


@dataclass(frozen=True)
class SeatMap:
    """A show's unavailable seats: for each its number, its status and whether it belongs to the current user."""

    show_id: int
    total_seats: int
    seats_per_row: int
    starts_at: datetime
    cancelled_at: datetime | None
    taken: list[tuple[int, str, bool]]

    @property
    def seats_available(self) -> int:
        return 0 if self.cancelled_at else self.total_seats - len(self.taken)

    @property
    def etag(self) -> str:
        """A hash of the map, for the ETag header."""
        return f'"{hashlib.sha256(repr(self).encode()).hexdigest()[:32]}"'

    def seat_label(self, seat_number: int) -> str:
        return seat_label(seat_number, self.seats_per_row)


class TakenSeat(NamedTuple):
    """An unavailable seat with the details that staff may see."""

    seat_number: int
    status: str
    booking_id: int
    username: str | None
    reference: str
    reason: str
    expires_at: datetime | None
    sold_by: str | None
    moved_by: str | None


def read_taken_seats(*, show_id: int, now: datetime) -> list[TakenSeat]:
    """Return the show's unavailable seats at `now` (UTC) with details, ordered by number."""
    active = Booking.objects.active(now).filter(show=show_id).order_by("seat_number")
    return [
        TakenSeat(*row)
        for row in active.values_list(
            "seat_number",
            "status",
            "pk",
            "user__username",
            "reference",
            "reason",
            "expires_at",
            "sold_by__username",
            "moved_by__username",
        )
    ]


def read_seat_map(*, show_id: int, now: datetime, user: User | None = None) -> SeatMap:
    """Return the show's seat map at `now` (UTC), with the user's own seats marked. Raises NotFound."""
    halls = _hall(show_id=show_id)
    if not halls:
        raise NotFound
    own = user.pk if user else 0
    taken = [
        (seat_number, status, holder == own) for seat_number, status, holder in _active_seats(show_id=show_id, now=now)
    ]
    [(total_seats, seats_per_row, starts_at, cancelled_at)] = halls
    return SeatMap(show_id, total_seats, seats_per_row, starts_at, cancelled_at, taken)


def count_taken_seats(*, show_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """Return the number of unavailable seats at `now` (UTC) by show id, without shows where all seats are free."""
    if not show_ids:
        return {}
    return dict(_count_taken(len(show_ids))(now=now, **numbered_values("show", show_ids)))


@lru_cache
def _count_taken(shows: int) -> Query:
    return Query(
        lambda p: (
            Booking.objects.active(p.now)
            .filter(In(F("show"), p.several("show", shows)))
            .order_by()
            .values_list("show")
            .annotate(Count("pk"))
        )
    )
