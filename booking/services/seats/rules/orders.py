"""The seats that are changed belong to the order, and a split leaves it some."""

from collections.abc import Sequence
from typing import Any, ClassVar

from booking.models import Show
from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.rules.base import Rule


class NotInOrder(Refusal):
    code = "not_in_order"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The order ACDEFGHJ has no active seat A5. Nothing was changed.",
        "seats": [5],
    }

    def __init__(self, show: Show, reference: str, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        noun = "seat" if len(seats) == 1 else "seats"
        super().__init__(
            f"The order {reference} has no active {noun} {labels}. Nothing was changed.", seats=list(seats)
        )


def _seats_of_order(facts: Facts, request: SeatRequest) -> set[int]:
    """Return the order's active seats."""
    return {row.seat_number for row in facts.active_rows(request.now) if row.reference == request.order}


class SeatsOfOrder(Rule):
    refusals = (NotInOrder,)
    actions = (Action.SPLIT, Action.CHANGE_TYPES)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        if others := sorted(set(request.seat_numbers) - _seats_of_order(facts, request)):
            raise NotInOrder(facts.show, request.order, others)


class WholeOrder(Refusal):
    code = "whole_order"
    example: ClassVar[dict[str, Any]] = {"detail": "These are all seats of the order; leave it at least one."}


class SomeSeatsStay(Rule):
    refusals = (WholeOrder,)
    actions = (Action.SPLIT,)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        if _seats_of_order(facts, request) <= set(request.seat_numbers):
            raise WholeOrder
