"""What can't be had of a show's seats."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from booking.models import Booking, Show, User, seat_label
from booking.prepared import PreparedQuery
from booking.services.looks import live_seats
from booking.services.refusals import NotFound

_hall = PreparedQuery(lambda pk: Show.objects.filter(pk=pk).order_by().values_list("total_seats", "seats_per_row"), 1)


@dataclass(frozen=True)
class SeatMap:
    """The seats of a show that can't be had; each as its number, its status and whether it is the asker's."""

    show_id: int
    total_seats: int
    seats_per_row: int
    taken: list[tuple[int, str, bool]]

    @property
    def seats_available(self) -> int:
        return self.total_seats - len(self.taken)

    @property
    def etag(self) -> str:
        """A tag that is another one when anything in the map is."""
        return f'"{hashlib.sha256(repr(self).encode()).hexdigest()[:32]}"'

    def seat_label(self, seat_number: int) -> str:
        return seat_label(seat_number, self.seats_per_row)


class TakenSeat(NamedTuple):
    """Who has a seat, or why nobody can: what staff may know."""

    seat_number: int
    status: str
    booking_id: int
    username: str | None
    reference: str
    reason: str
    expires_at: datetime | None


def read_taken_seats(*, show_id: int, now: datetime) -> list[TakenSeat]:
    """The show's seats that can't be had at `now` (UTC), by number, each with all that there is to it."""
    live = Booking.objects.live(now).filter(show=show_id).order_by("seat_number")
    return [
        TakenSeat(*row)
        for row in live.values_list(
            "seat_number", "status", "pk", "user__username", "reference", "reason", "expires_at"
        )
    ]


def read_seat_map(*, show_id: int, now: datetime, user: User | None = None) -> SeatMap:
    """The show's seats as they are at `now` (UTC), the user's own marked. Raises NotFound."""
    halls = _hall(show_id)
    if not halls:
        raise NotFound
    [(total_seats, seats_per_row)] = halls
    own = user.pk if user else 0
    taken = [(seat_number, status, holder == own) for seat_number, status, holder in live_seats(show_id, now)]
    return SeatMap(show_id, total_seats, seats_per_row, taken)
