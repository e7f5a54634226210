"""The trip that finds who asks and counts the try, made use of for the seat that is asked for.

Most bookings are of one seat that is free, of a show that few want at this moment: it is sold in that trip. Of a show
that many want, most ask for a seat that is gone: the seat is looked at. What comes of neither goes the long way of
claims.py, where the rules are.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError

from booking.models import Booking, User
from booking.services.accounts import find_account
from booking.services.at_once import CAN_SELL_AT_ONCE, count_and_sell_at_once
from booking.services.limits import Claims, account_by_id, find_account_count_and_ask, seconds_to_wait
from booking.services.locks import Contested, Interrupted, is_contested
from booking.services.looks import LARGEST_SEAT_NUMBER, Look, look_at, seen


@dataclass
class Attempt:
    """What came of it. Without a user it is still to be found who asks, and nothing was counted."""

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
    """Asks for a seat in the trip that finds the account of a token, if that has a point.

    `now` is UTC. Raises Busy and Interrupted.
    """
    if not CAN_SELL_AT_ONCE or not 1 <= seat_number <= LARGEST_SEAT_NUMBER:
        return Attempt(now)
    if is_contested(show_id):
        return _look(limit, claims, show_id, seat_number, now)
    if may_sell:
        return _sell(limit, claims, show_id, seat_number, now)
    return Attempt(now)


def _look(limit: str, claims: Claims, show_id: int, seat_number: int, now: datetime) -> Attempt:
    look = look_at(show_id, [seat_number])
    if look is None:
        return Attempt(now)
    found = find_account_count_and_ask(look.query, look.arguments, limit=limit, claims=claims)
    if found is None:
        return Attempt(now)
    look.rows = seen(found.rows)
    return Attempt(now, found.user, found.seconds_to_wait, look)


def _sell(limit: str, claims: Claims, show_id: int, seat_number: int, now: datetime) -> Attempt:
    try:
        counts, bookings = count_and_sell_at_once(
            limit=limit, claims=claims, show_id=show_id, seat_number=seat_number, now=now
        )
    except (Contested, IntegrityError):
        return Attempt(now)
    except Interrupted as interruption:
        if not interruption.committing:
            return Attempt(now)
        # Not counted again, or the last try that somebody has would be refused though the seat is sold.
        return Attempt(now, find_account(**claims._asdict()), may_be_done=True)
    if not counts:
        return Attempt(now)
    [tries] = counts
    user = account_by_id(claims.user_id)
    if bookings:
        return Attempt(now, user, booking=bookings[0])
    return Attempt(now, user, seconds_to_wait(limit, tries), is_in_vain=True)
