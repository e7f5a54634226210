"""The show is on sale, and a booking can be moved."""

from datetime import datetime
from typing import Any, ClassVar

from booking.models import Booking, Show
from booking.services.door.admitted import SeatAdmitted, refuse_admitted
from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.rules.base import Rule


class AlreadyCancelled(Refusal):
    code = "already_cancelled"
    example: ClassVar[dict[str, Any]] = {"detail": "This booking is already cancelled."}


class NotBooked(Refusal):
    code = "not_booked"
    example: ClassVar[dict[str, Any]] = {"detail": "This seat is only held; hold or book the other seat instead."}


class Movable(Rule):
    refusals = (AlreadyCancelled, NotBooked)
    actions = (Action.MOVE,)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        active = [row for row in facts.active_rows(request.now) if row.pk == request.booking_id]
        if not active:
            raise AlreadyCancelled
        if active[0].status != Booking.Status.BOOKED:
            raise NotBooked


class NotAdmitted(Rule):
    """Customers don't move a seat in which they may be sitting."""

    refusals = (SeatAdmitted,)
    actions = (Action.MOVE,)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        # Without the show's lock the facts only serve to refuse taken seats, and bookings must not be locked yet.
        if facts.is_locked and request.staff is None and request.booking_id is not None:
            refuse_admitted(show=facts.show, booking_ids=[request.booking_id])


class ShowStarted(Refusal):
    code = "show_started"
    example: ClassVar[dict[str, Any]] = {"detail": "This show has already started."}


class ShowCancelled(Refusal):
    code = "show_cancelled"
    example: ClassVar[dict[str, Any]] = {"detail": "This show has been cancelled."}


def why_not_on_sale(*, show: Show, now: datetime) -> Refusal | None:
    """Return why the seats of the show can't be sold or changed any more, or None. `now` is UTC."""
    if show.is_cancelled:
        return ShowCancelled()
    return ShowStarted() if show.has_started(now) else None


def check_on_sale(show: Show, now: datetime) -> None:
    """Raises ShowCancelled or ShowStarted. `now` is UTC."""
    if refusal := why_not_on_sale(show=show, now=now):
        raise refusal


class OnSale(Rule):
    refusals = (ShowCancelled, ShowStarted)
    actions = tuple(Action)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        check_on_sale(facts.show, request.now)
