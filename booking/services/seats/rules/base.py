"""The base classes of the rules."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar

from booking.services.refusals import Refusal
from booking.services.seats.facts import SEAT_REQUESTS, Action, Facts, SeatRequest


class Rule(ABC):
    """A condition that a request for seats has to meet."""

    # The refusals that `check` may raise, for the OpenAPI document.
    refusals: ClassVar[Sequence[type[Refusal]]]
    # Without SETTLE, a held seat that was paid for is booked whatever the rule says; with it, a refusal refunds it.
    actions: ClassVar[Collection[Action]] = SEAT_REQUESTS

    def locks_customer(self, request: SeatRequest) -> bool:
        """Return whether the rule depends on the customer's other shows; the lock takes one more round trip."""
        return False

    @abstractmethod
    def check(self, facts: Facts, request: SeatRequest) -> None:
        """Raises one of `refusals`. For a count, the seats are not chosen yet."""

    def check_chosen(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> None:  # noqa: B027
        """Raises one of `refusals`, now that the seats are chosen; most rules need not wait for that."""


class SeatRule(Rule):
    """A condition on each seat."""

    @abstractmethod
    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        """Return the seats that this customer can't get, among the facts' rows or all seats of the show."""

    @abstractmethod
    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        """Return the refusal for these seats."""

    def check(self, facts: Facts, request: SeatRequest) -> None:
        if not request.seat_numbers:
            return
        closed = set(self.closed_seats(facts, request))
        # Moving a booking to its own seat is allowed.
        closed -= {row.seat_number for row in facts.rows if row.pk == request.booking_id}
        seats = sorted(closed.intersection(request.seat_numbers))
        if seats:
            raise self.refusal(facts, request, seats)
