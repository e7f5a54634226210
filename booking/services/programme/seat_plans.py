"""Drawing seat plans, and giving them to screens and shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from booking.models import (
    Booking,
    LayoutError,
    Screen,
    SeatCategory,
    SeatPlan,
    Show,
    changed_labels,
    normalise,
)
from booking.services.programme.shows import seats_of
from booking.services.refusals import Kind, Refusal
from booking.services.seats.rules.sale import ShowCancelled, ShowStarted
from booking.services.transactions import lock_show, retried, write_transaction


class InvalidLayout(Refusal):
    code = "invalid_layout"
    kind = Kind.INVALID
    field = "layout"
    example: ClassVar[dict[str, Any]] = {
        "detail": "Line 2, column 1: Row label A is used twice; line 1 has it, too.",
        "line": 2,
        "column": 1,
    }

    def __init__(self, error: LayoutError) -> None:
        super().__init__(str(error), line=error.line, column=error.column)


class SeatsDiffer(Refusal):
    """Sold or blocked seats have other labels in the new seat plan, or don't exist there."""

    code = "seats_differ"

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(f"Taken seats have another label in the new plan or are missing: {labels}.", seats=list(seats))


@dataclass(frozen=True)
class PlanSwitch:
    """What the screen's current seat plan would mean for a show; `differing` seats stand in the way."""

    show: Show
    taken: Sequence[int]
    differing: Sequence[int]

    @property
    def is_possible(self) -> bool:
        return not self.differing


def plan_of_layout(*, layout: str) -> SeatPlan:
    """Return the seat plan with this layout; equal halls share a plan. Raises InvalidLayout."""
    return SeatPlan.of_layout(check_layout(layout=layout))


def check_layout(*, layout: str) -> str:
    """Return the canonical form of the layout. Raises InvalidLayout."""
    codes = set(SeatCategory.objects.values_list("code", flat=True))
    try:
        return normalise(layout, codes)
    except LayoutError as error:
        raise InvalidLayout(error) from error


def set_plan(screen: Screen, plan: SeatPlan) -> None:
    """Sets the plan of a screen without saving it."""
    screen.plan = plan
    # Version 1.0 reads these.
    screen.rows, screen.seats_per_row = len(plan.hall.rows), max(map(len, plan.hall.rows))


def preview_switch(*, screen: Screen, now: datetime) -> list[PlanSwitch]:
    """Return the upcoming shows of the screen with another seat plan than the screen's. `now` is UTC."""
    shows = Show.objects.upcoming(now).filter(screen=screen).exclude(plan=screen.plan_id)
    return [_preview(show, screen) for show in shows.select_related("movie", "screen")]


def _preview(show: Show, screen: Screen) -> PlanSwitch:
    taken = Booking.objects.occupying().filter(show=show).order_by("seat_number").values_list("seat_number", flat=True)
    return PlanSwitch(show, list(taken), changed_labels(list(taken), show.hall, screen.hall))


@retried
def switch_plan(*, show_id: int, now: datetime) -> Show:
    """Gives an upcoming show its screen's current seat plan.

    `now` is UTC. Taken seats must have the same label in both plans. Raises NotFound, ShowCancelled, ShowStarted,
    SeatsDiffer or Busy.
    """
    with write_transaction():
        # Race: a seat that the new plan doesn't have is booked.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        if show.has_started(now):
            raise ShowStarted
        switch = _preview(show, show.screen)
        if not switch.is_possible:
            raise SeatsDiffer(show, switch.differing)
        for name, value in seats_of(show.screen).items():
            setattr(show, name, value)
        show.save(update_fields=["plan", "total_seats", "seats_per_row"])
    return show
