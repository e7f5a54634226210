"""Looking at seats of a show without its lock, where many want the same."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.utils.functional import cached_property

from booking.models import Booking, CatalogueVersion, SeatTaking, Show
from booking.prepared import PreparedQuery
from booking.services.locks import MAX_CONTESTED

# What fits the column; a hall never has so many.
LARGEST_SEAT_NUMBER = 2**31 - 1

# A seat of each contested show that was free when this process last looked for one. As long as it is, the show is not
# sold out.
_seats_left: dict[int, int] = {}

# Who is on which seat of a show at a time.
live_seats = PreparedQuery(
    lambda show, now: (
        Booking.objects.live(now).filter(show=show).order_by("seat_number").values_list("seat_number", "status", "user")
    ),
    1,
    times=1,
)


class _Columns(NamedTuple):
    pk: int
    user_id: int | None
    seat_number: int
    status: str
    expires_at: datetime | None
    # The catalogue's.
    version: int
    seats_taken: int | None = None


class Seen(_Columns, SeatTaking):
    """Of a booking what a look needs: most requests for a hot show come to nothing but this."""

    __slots__ = ()


def _look_at(show: int, rows: Q) -> QuerySet[Booking, Any]:
    """What a look needs of these rows of a show."""
    on_a_seat = Booking.objects.on_a_seat().filter(rows, show=show).order_by()
    version = RawSQL(CatalogueVersion.SUM, ())  # noqa: S611
    return on_a_seat.values_list("pk", "user", "seat_number", "status", "expires_at", version)


@lru_cache
def _on_seats(seats: int) -> PreparedQuery:
    """Whoever is on so many seats of a show."""
    return PreparedQuery(lambda show, *numbers: _look_at(show, Q(seat_number__in=numbers)), 1 + seats)


@lru_cache
def _on_seats_and_count(seats: int) -> PreparedQuery:
    """The same, and what the customer holds, with `seats_taken`, which is counted if there is anybody."""

    def build(show: int, user: int, *arguments: Any) -> QuerySet[Booking, Any]:
        *numbers, now = arguments
        live = Booking.objects.live(now).filter(show=show).order_by().values("show").annotate(n=Count("*"))
        rows = _look_at(show, Q(seat_number__in=numbers) | Q(user=user, status=Booking.Status.HELD))
        return rows.annotate(seats_taken=Subquery(live.values("n")))

    return PreparedQuery(build, 2 + seats, times=1)


class Look:
    """A look at seats of a show and at one that was left: if it still is, nobody has to count."""

    def __init__(self, show_id: int, seats: Sequence[int], seat_left: int) -> None:
        self._seat_left = seat_left
        self.query = _on_seats(len(seats) + 1)
        self.arguments = (show_id, *seats, seat_left)

    # Django's: in Python 3.11 that of functools has all threads wait while one of them asks.
    @cached_property
    def rows(self) -> list[Seen]:
        """Whoever is on all these seats."""
        return seen(self.query(*self.arguments))

    def finds_seat_left(self, show: Show, now: datetime) -> bool:
        """Whether the one that was left still is, at `now` (UTC)."""
        taken = any(row.seat_number == self._seat_left and row.is_live(now) for row in self.rows)
        return show.has_seat(self._seat_left) and not taken


def seen(rows: Sequence[Sequence[Any]]) -> list[Seen]:
    """The rows of a look's query."""
    return [Seen(*row) for row in rows]


def look_at(show_id: int, seats: Sequence[int]) -> Look | None:
    """A look at seats that somebody wants, if it doesn't take a count of the show's seats."""
    seat_left = _seats_left.get(show_id)
    return None if seat_left is None else Look(show_id, seats, seat_left)


def look_and_count(show_id: int, user_id: int, seats: Sequence[int], now: datetime) -> list[Seen]:
    """Whoever is on the seats, and what the customer holds, each with `seats_taken` of the show at `now` (UTC)."""
    return seen(_on_seats_and_count(len(seats))(show_id, user_id, *seats, now))


def remember_seat_left(show: Show, now: datetime) -> None:
    """Finds a seat that is free at `now` (UTC), if there is one, for those who look next."""
    taken = {seat_number for seat_number, *_ in live_seats(show.pk, now)}
    # From the back, where people sit down last.
    seat_left = next((seat for seat in range(show.total_seats, 0, -1) if seat not in taken), None)
    if seat_left is None:
        return
    if len(_seats_left) >= MAX_CONTESTED and show.pk not in _seats_left:
        _seats_left.clear()
    _seats_left[show.pk] = seat_left


def forget_seat_left(show_id: int) -> None:
    """Has the next who looks count again, as the seat was taken."""
    _seats_left.pop(show_id, None)
