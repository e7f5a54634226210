"""Examples for Swagger with existing ids and free seats, so that the button Execute works without editing."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Lower

from booking import services
from booking.models import Show, User

USERNAME = "esha"
# Time to read the page before the show starts.
TIME_TO_BOOK = timedelta(hours=1)
SEATS = 2


@dataclass(frozen=True)
class Examples:
    """The defaults are used if there is nothing to book or the database is unavailable."""

    username: str = USERNAME
    movie: int = 1
    show: int = 1
    seats: tuple[int, int] = (5, 6)

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """Fields of the examples of request bodies, by the name of the schema."""
        seat, other_seat = self.seats
        return {
            "Signup": {"username": self.username, "email": f"{self.username}@example.com"},
            "Token": {"username": self.username},
            "Seat": {"seat_number": seat},
            "Move": {"seat_number": other_seat},
        }


def current_examples(now: datetime) -> Examples:
    """Return examples that work at `now` (UTC)."""
    try:
        username = _free_username()
        show = _show_to_book(now)
        if show is None:
            return Examples(username)
        return Examples(username, show.movie_id, show.pk, _free_seats(show, now))
    except (DatabaseError, InterfaceError):
        return Examples()


def _free_username() -> str:
    names = [USERNAME, *(f"{USERNAME}{number}" for number in range(2, 100)), f"{USERNAME}-{secrets.token_hex(4)}"]
    known = User.objects.alias(lower_username=Lower("username")).filter(lower_username__in=names)
    taken = set(known.values_list(Lower("username"), flat=True))
    return next(name for name in names if name not in taken)


def _show_to_book(now: datetime) -> Show | None:
    shows = Show.objects.upcoming(now + TIME_TO_BOOK).with_seats_available(now)
    return shows.filter(seats_available__gte=SEATS).first()  # type: ignore[misc]  # an annotation


def _free_seats(show: Show, now: datetime) -> tuple[int, int]:
    taken = {seat for seat, *_ in services.read_seat_map(show_id=show.pk, now=now).taken}
    # One half of a sofa might not be sold.
    free = (seat.number for seat in show.hall.seats if seat.number not in taken | show.hall.partners.keys())
    # Race: the last seats may have been taken in between.
    first, second, *_ = (*islice(free, SEATS), *Examples.seats)
    return first, second
