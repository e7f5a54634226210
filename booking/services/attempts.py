"""The trip that finds who asks and counts the try, made use of for the seat that is asked for.

Most bookings are of one seat that is free, of a show that few want at this moment: it is sold in that trip. Of a show
that many want, most ask for a seat that is gone: the seat is looked at. What comes of neither goes the long way of
claims.py, where the rules are.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError

from booking.models import Booking, User
from booking.services.at_once import CAN_SELL_AT_ONCE, count_and_sell_at_once
from booking.services.limits import Claims, account_by_id, find_account_and_count, seconds_to_wait
from booking.services.locks import Contested, Interrupted, is_contested
from booking.services.looks import LARGEST_SEAT_NUMBER, Look, look_at, seen
from booking.services.refusals import Busy


@dataclass
class Attempt:
    """What came of it. Without a user nobody was found and nothing was counted yet."""

    # In UTC.
    now: datetime
    user: User | None = None
    # Where the try is one too many.
    seconds_to_wait: int | None = None
    look: Look | None = None
    booking: Booking | None = None
    # Something is in the way of selling the seat at once.
    is_in_vain: bool = False
    # It may have been sold; whether it was did not get through.
    may_be_done: bool = False


def attempt_booking(
    *, limit: str, claims: Claims, show_id: int, seat_number: int, now: datetime, may_sell: bool
) -> Attempt:
    """Asks for a seat in the trip that finds the account of a token, if that has a point. Raises Busy."""
    if not CAN_SELL_AT_ONCE or not 1 <= seat_number <= LARGEST_SEAT_NUMBER:
        return Attempt(now)
    if is_contested(show_id):
        return _look(limit, claims, show_id, seat_number, now)
    # With Redis it is known too late whether the try is one too many.
    if not may_sell or settings.REDIS_URL:
        return Attempt(now)
    try:
        counts, bookings = count_and_sell_at_once(
            limit=limit, claims=claims, show_id=show_id, seat_number=seat_number, now=now
        )
    except Interrupted as interruption:
        return Attempt(now, may_be_done=interruption.committing)
    except (Busy, Contested, IntegrityError):
        return Attempt(now)
    if not counts:
        return Attempt(now)
    [tries] = counts
    booking = bookings[0] if bookings else None
    wait = None if booking else seconds_to_wait(limit, tries)
    return Attempt(now, account_by_id(claims.user_id), wait, booking=booking, is_in_vain=booking is None)


def _look(limit: str, claims: Claims, show_id: int, seat_number: int, now: datetime) -> Attempt:
    look = look_at(show_id, [seat_number])
    also = (look.query, look.arguments) if look else None
    found = find_account_and_count(limit=limit, claims=claims, also=also)
    if found is None:
        return Attempt(now)
    if look:
        look.rows = seen(found.rows)
    return Attempt(now, found.user, found.seconds_to_wait, look)
