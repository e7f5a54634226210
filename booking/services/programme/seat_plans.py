"""Drawing seat plans, and giving them to screens and shows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from booking.models import (
    Booking,
    Hall,
    Layout,
    LayoutError,
    Screen,
    SeatCategory,
    SeatPlan,
    Show,
    ShowQuerySet,
    changed_labels,
    parse,
    read_layout,
)
from booking.services.programme.shows import seats_of
from booking.services.refusals import Kind, Refusal
from booking.services.seats.rules.sale import check_on_sale
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
class Drawing:
    """A text that is being edited, and the hall that it describes."""

    layout: Layout
    hall: Hall
    categories: Sequence[SeatCategory]


@dataclass(frozen=True)
class PlanSwitch:
    """The effect of the screen's current seat plan on a show; `differing` seats prevent the change."""

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
    return str(draw_layout(layout=layout).layout)


def draw_layout(*, layout: str) -> Drawing:
    """Return the hall of a layout, which need not be canonical, with its categories. Raises InvalidLayout."""
    categories = {category.code: category for category in SeatCategory.objects.all()}
    try:
        drawn = read_layout(layout, categories)
    except LayoutError as error:
        raise InvalidLayout(error) from error
    accessible = {code for code, category in categories.items() if category.is_accessible}
    hall = parse(str(drawn), accessible=accessible)
    return Drawing(drawn, hall, [category for code, category in categories.items() if code in hall.categories])


def set_plan(*, screen: Screen, plan: SeatPlan) -> None:
    """Sets the plan of a screen without saving it."""
    screen.plan = plan
    # Version 1.0 reads these.
    screen.rows, screen.seats_per_row = len(plan.hall.rows), max(map(len, plan.hall.rows))


def shows_with_other_plans(*, screen: Screen, now: datetime) -> ShowQuerySet:
    """Return the upcoming shows of the screen with another seat plan than the screen's. `now` is UTC."""
    return Show.objects.upcoming(now).filter(screen=screen).exclude(plan=screen.plan_id)


def preview_switch(*, screen: Screen, now: datetime) -> list[PlanSwitch]:
    """Return what the screen's seat plan would mean for its upcoming shows with another one. `now` is UTC."""
    return _preview(shows_with_other_plans(screen=screen, now=now).select_related("movie", "screen"))


def _preview(shows: Collection[Show]) -> list[PlanSwitch]:
    rows = Booking.objects.occupying().filter(show__in=list(shows)).order_by("seat_number")
    taken: dict[int, list[int]] = {show.pk: [] for show in shows}
    for show_id, seat_number in rows.values_list("show_id", "seat_number"):
        taken[show_id].append(seat_number)
    return [
        PlanSwitch(show, taken[show.pk], changed_labels(taken[show.pk], show.hall, show.screen.hall)) for show in shows
    ]


@retried
def switch_plan(*, show_id: int, now: datetime) -> Show:
    """Gives an upcoming show its screen's current seat plan.

    `now` is UTC. Taken seats must have the same label in both plans. Raises NotFound, ShowCancelled, ShowStarted,
    SeatsDiffer or Busy.
    """
    with write_transaction():
        # Race: a seat that the new plan doesn't have is booked.
        show = lock_show(show_id)
        check_on_sale(show, now)
        [switch] = _preview([show])
        if not switch.is_possible:
            raise SeatsDiffer(show, switch.differing)
        for name, value in seats_of(show.screen).items():
            setattr(show, name, value)
        show.save(update_fields=["plan", "total_seats", "seats_per_row"])
    return show
