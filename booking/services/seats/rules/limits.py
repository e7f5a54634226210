"""The number of seats per customer, and the duration of holds."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings

from booking.models import Booking, Show
from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest, SeatRow
from booking.services.seats.rules.base import Rule, SeatRule


class SeatLimitReached(Refusal):
    code = "seat_limit_reached"
    example: ClassVar[dict[str, Any]] = {"detail": "One customer may have 10 seats in a show."}

    def __init__(self) -> None:
        super().__init__(f"One customer may have {settings.MAX_SEATS_PER_USER} seats in a show.")


def exceeds_seat_limit(seats: int) -> bool:
    """Return whether this number of seats is more than one customer may have in a show."""
    return seats > int(settings.MAX_SEATS_PER_USER)


class SeatLimit(Rule):
    refusals = (SeatLimitReached,)
    # A move keeps the number of seats, and blocked seats are no customer's.
    actions = (Action.BOOK, Action.HOLD, Action.SETTLE)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        # Staff see in the hall that the limit is exceeded.
        if request.staff:
            return
        own = [row for row in facts.active_rows(request.now) if row.user_id == request.user_id]
        others = [row for row in own if row.seat_number not in request.seat_numbers]
        # Seats that the customer still holds were counted when the hold began.
        if request.action == Action.SETTLE and len(own) - len(others) == request.number_of_seats:
            return
        if exceeds_seat_limit(len(others) + request.number_of_seats):
            raise SeatLimitReached


class HoldLimitReached(Refusal):
    code = "hold_limit_reached"
    example: ClassVar[dict[str, Any]] = {
        "detail": "You have held A5 for the longest time allowed; book now or choose other seats.",
        "seats": [5],
    }

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(
            f"You have held {labels} for the longest time allowed; book now or choose other seats.",
            seats=list(seats),
        )


def continuous_hold_began_at(row: SeatRow, request: SeatRequest) -> datetime | None:
    """Return when the customer began to hold the row's seat, or None if they don't hold it.

    A hold that expired less than HOLD_MINUTES ago and was not released counts as continued.
    """
    is_own_hold = row.status == Booking.Status.HELD and row.user_id == request.user_id and row.expires_at is not None
    if not is_own_hold or row.expires_at + timedelta(minutes=settings.HOLD_MINUTES) <= request.now:  # type: ignore[operator]
        return None
    return row.held_since


def longest_hold_ends_at(began_at: datetime) -> datetime:
    return began_at + timedelta(minutes=settings.MAX_HOLD_MINUTES)


class HoldLimit(SeatRule):
    refusals = (HoldLimitReached,)
    actions = (Action.HOLD,)

    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        began = ((row.seat_number, continuous_hold_began_at(row, request)) for row in facts.rows)
        return [seat for seat, since in began if since and longest_hold_ends_at(since) <= request.now]

    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        return HoldLimitReached(facts.show, seats)
