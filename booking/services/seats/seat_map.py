"""The unavailable seats of a show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, F, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In

from booking.infrastructure.statements import Query, numbered_values
from booking.models import Booking, Order, Seat, Show, User, of_outer_order
from booking.services.programme.old_rows import complete_plans
from booking.services.refusals import NotFound

_show = Query(lambda p: Show.objects.filter(pk=p.show_id).order_by())
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

    show: Show
    taken: list[tuple[int, str, bool]]

    @property
    def seats_available(self) -> int:
        return 0 if self.show.is_cancelled else self.show.total_seats - len(self.taken)

    @property
    def version(self) -> tuple[Any, ...]:
        """All data that the map is made of: equal versions are equal maps."""
        show = self.show
        return (show.pk, show.plan_id, show.total_seats, show.starts_at, show.cancelled_at, self.taken)

    def seat(self, seat_number: int) -> Seat:
        """Return the seat; one that is outside the plan, which `audit` reports, has no category."""
        hall = self.show.hall
        if hall.has_seat(seat_number):
            return hall.seat(seat_number)
        return Seat(seat_number, hall.label(seat_number), "", 0, 0, "")


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
    # The name in the order of a customer without an account.
    name: str


def read_taken_seats(*, show_id: int, now: datetime) -> list[TakenSeat]:
    """Return the show's unavailable seats at `now` (UTC) with details, ordered by number."""
    orders = of_outer_order(Order.objects.all())
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
            Coalesce(Subquery(orders.values("name")[:1]), Value("")),
        )
    ]


def read_seat_map(*, show_id: int, now: datetime, user: User | None = None) -> SeatMap:
    """Return the show's seat map at `now` (UTC), with the user's own seats marked. Raises NotFound."""
    shows = _show(show_id=show_id)
    if not shows:
        raise NotFound
    complete_plans(shows=shows)
    own = user.pk if user else 0
    taken = [
        (seat_number, status, holder == own) for seat_number, status, holder in _active_seats(show_id=show_id, now=now)
    ]
    return SeatMap(shows[0], taken)


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
