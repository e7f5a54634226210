"""The seat limit where it does not refuse: staff may sell more seats to a customer, and see that they do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from booking.models import Booking, User
from booking.services.seats.rules.limits import exceeds_seat_limit


@dataclass(frozen=True)
class ExceededLimit:
    """A customer has `seats` in a show, more than the `limit`."""

    seats: int
    limit: int


def find_exceeded_limit(
    *, user: User, show_id: int, now: datetime, seat_numbers: Sequence[int] = ()
) -> ExceededLimit | None:
    """Return the seat limit if the customer's seats exceed it, those that they would get included, otherwise None.

    `now` is UTC. Nothing is locked, so the answer may be out of date when seats are sold.
    """
    own = Booking.objects.active(now).filter(show=show_id, user=user).exclude(seat_number__in=seat_numbers)
    seats = own.count() + len(seat_numbers)
    return ExceededLimit(seats, settings.MAX_SEATS_PER_USER) if exceeds_seat_limit(seats) else None
