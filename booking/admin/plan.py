"""The day plan: one column for each screen, with its shows along the hours. Shows are added and moved on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from booking import services
from booking.admin.forms import DayForm
from booking.admin.notes import has_valid_note, note_context, note_of
from booking.admin.plan_forms import MoveShowForm, PlanShowForm
from booking.admin.time_fields import FIRST_DAY, LAST_DAY
from booking.models import Booking, Screen, Show, User

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
# The first hour of an empty day plan.
OPENING = timedelta(hours=10)
# The free hours before the first show and after the last one for those who plan shows.
ROOM = timedelta(hours=2)
EN_DASH = "\u2013"


@dataclass(frozen=True)
class Block:
    """A show's position in the plan, in hours from the top. Shows overlap only if one of them is cancelled.

    `starts` and `lasts_minutes` are those of the whole show, in minutes.
    """

    show: services.ShowFigures
    times: str
    at: str
    lasts: str
    turnaround: str
    lane: int
    lanes: int
    starts: int
    lasts_minutes: int

    @property
    def is_short(self) -> bool:
        """Whether there is room for only one line of text."""
        return self.lasts_minutes < 40


@dataclass(frozen=True)
class Column:
    screen: Screen
    blocks: list[Block]


@dataclass(frozen=True)
class Plan:
    """The columns, and the hours from `begin` with their labels."""

    begin: datetime
    hours: list[tuple[int, str]]
    columns: list[Column]

    @property
    def is_empty(self) -> bool:
        return not any(column.blocks for column in self.columns)

    @property
    def has_prices(self) -> bool:
        """Whether a screen or a show has a price list."""
        return any(
            column.screen.price_list or any(block.show.price_list for block in column.blocks) for column in self.columns
        )


def lay_out(
    day: date, shows: Sequence[services.ShowFigures], screens: Sequence[Screen], room: timedelta = timedelta(0)
) -> Plan:
    """Return the plan of `day`, with `room` before the first show and after the last one.

    Each hour has the same height on days of a clock change; only the labels differ.
    """
    begin, end = _window(day, shows, room)
    hours = [(n, f"{timezone.localtime(begin + n * HOUR):%H:%M}") for n in range((end - begin) // HOUR + 1)]
    columns = []
    for screen in screens:
        of_screen = [show for show in shows if show.screen_id == screen.pk and show.starts_at < end]
        columns.append(Column(screen, list(_blocks(of_screen, day, begin, end, screen.turnaround))))
    return Plan(begin, hours, columns)


def _window(day: date, shows: Sequence[services.ShowFigures], room: timedelta) -> tuple[datetime, datetime]:
    """Return the hours that the plan shows: from the first show, but not before midnight, to the end of the last."""
    midnight, next_midnight = services.day_bounds(first=day, last=day)
    of_day = [show for show in shows if show.starts_at < next_midnight]
    if not of_day:
        return midnight + OPENING, next_midnight
    first = max(midnight, min(show.starts_at for show in of_day) - room)
    last = min(next_midnight + services.NIGHT, max(show.ends_at for show in of_day) + room)
    begin = midnight + (first - midnight) // HOUR * HOUR
    return begin, begin - (begin - last) // HOUR * HOUR


def _blocks(
    shows: Sequence[services.ShowFigures], day: date, begin: datetime, end: datetime, turnaround: timedelta
) -> Iterator[Block]:
    for cluster in _clusters(shows):
        free_at: list[datetime] = []
        lanes = []
        for show in cluster:
            lane = next((n for n, free in enumerate(free_at) if free <= show.starts_at), len(free_at))
            free_at[lane : lane + 1] = [show.ends_at]
            lanes.append(lane)
        for show, lane in zip(cluster, lanes, strict=True):
            top, bottom = max(begin, show.starts_at), min(end, show.ends_at)
            hatched = timedelta(0) if show.is_cancelled else min(end, show.ends_at + turnaround) - bottom
            yield Block(
                show,
                times=_times(show, day),
                at=_in_hours(top - begin),
                lasts=_in_hours(bottom - top),
                turnaround=_in_hours(hatched),
                lane=lane,
                lanes=len(free_at),
                starts=(show.starts_at - begin) // MINUTE,
                lasts_minutes=(show.ends_at - show.starts_at) // MINUTE,
            )


def _clusters(shows: Sequence[services.ShowFigures]) -> Iterator[list[services.ShowFigures]]:
    """Group the shows of a screen: overlapping shows are in the same group."""
    cluster: list[services.ShowFigures] = []
    for show in shows:
        if cluster and show.starts_at >= max(other.ends_at for other in cluster):
            yield cluster
            cluster = []
        cluster.append(show)
    if cluster:
        yield cluster


def _times(show: services.ShowFigures, day: date) -> str:
    """Return the start and end times, with the weekday if they are on another day."""
    times = (timezone.localtime(time) for time in (show.starts_at, show.ends_at))
    return EN_DASH.join(f"{time:%H:%M}" if time.date() == day else f"{time:%a %H:%M}" for time in times)


def _in_hours(length: timedelta) -> str:
    # A string, because a template would use the decimal separator of the language, which CSS does not accept.
    return f"{length / HOUR:.4f}"


def plan_url(day: date, show: Show | None = None) -> str:
    """Return the address of the plan of a day, which sets the focus on the show."""
    return f"{reverse('admin:booking_show_plan')}?day={day}" + (f"#show-{show.pk}" if show else "")


def start_question(show: Show, starts_at: datetime) -> dict[str, Any]:
    """Return the show with its new start and its admissions, for the question before it moves."""
    moved = services.show_at(show=show, starts_at=starts_at)
    return {
        "show": show,
        "starts_at": starts_at,
        "opens_at": services.opens_at(show=moved),
        "admitted": len(services.admitted_bookings(bookings=Booking.objects.sold().filter(show=show))),
        "undone": len(services.outdated_admissions(show=moved, old_start=show.starts_at)),
    }


def _chosen_day(request: HttpRequest) -> tuple[DayForm, date]:
    form = DayForm(request.GET if "day" in request.GET else {"day": timezone.localdate()})
    return form, form.cleaned_data["day"] if form.is_valid() else timezone.localdate()


class PlanPage(admin.ModelAdmin):
    """The page of the day plan. Adding a show from it leads back to it."""

    def get_urls(self) -> list[Any]:
        plan, move = (self.admin_site.admin_view(view) for view in (self.plan_view, self.move_view))
        return [
            path("plan/", plan, name="booking_show_plan"),
            path("plan/move/", move, name="booking_show_move"),
            *super().get_urls(),
        ]

    def plan_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form, day = _chosen_day(request)
        if request.method != "POST":
            return self._plan_page(request, form, day, PlanShowForm(initial={"starts_at": [day, None]}))
        new = PlanShowForm(request.POST)
        return self._add(request, new) or self._plan_page(request, form, day, new)

    def _plan_page(self, request: HttpRequest, form: DayForm, day: date, new: PlanShowForm) -> HttpResponse:
        may_add, may_change = self.has_add_permission(request), self.has_change_permission(request)
        shows, screens = services.read_day(day=day), list(Screen.objects.select_related("price_list"))
        new.offer(screens)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Plan for {day:%A} {day.day} {day:%B %Y}",
            "opts": self.opts,
            "form": form,
            "day": day,
            "today": timezone.localdate(),
            "now": timezone.now(),
            "previous_day": day - timedelta(days=1) if day > FIRST_DAY else None,
            "next_day": day + timedelta(days=1) if day < LAST_DAY else None,
            "plan": lay_out(day, shows, screens, ROOM if may_add or may_change else timedelta(0)),
            "has_add_permission": may_add,
            "has_change_permission": may_change,
            "new": new,
        }
        return TemplateResponse(request, "admin/booking/show/plan.html", context)

    def _add(self, request: HttpRequest, form: PlanShowForm) -> HttpResponse | None:
        """Plans a show and leads back to the plan; adds an error to the form if it is refused."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if not form.is_valid():
            return None
        try:
            show = services.plan_show(now=timezone.now(), **form.cleaned_data)
        except services.Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.detail)
            return None
        except IntegrityError:
            # Race: the movie or the price list was deleted; validating again reports it.
            form.full_clean()
            return None
        self.log_addition(request, show, [{"added": {}}])
        messages.success(request, f"Added: {show}.")
        return HttpResponseRedirect(plan_url(timezone.localdate(show.starts_at), show))

    def move_view(self, request: HttpRequest) -> HttpResponse:
        """Moves a show to another time or screen. Asks first if seats are sold and the time changes."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        _, day = _chosen_day(request)
        form = MoveShowForm(request.POST)
        if not form.is_valid():
            messages.error(request, "The show was not moved: it, or the screen, is not there any more.")
            return HttpResponseRedirect(plan_url(day))
        show, screen, starts_at = (form.cleaned_data[name] for name in ("show", "screen", "starts_at"))
        is_confirmed = "start_confirmed" in request.POST and has_valid_note(request)
        if show.seats_sold and starts_at != show.starts_at and not is_confirmed:
            return self._ask_to_move(request, day, form)
        changes = {"screen": screen} if screen != show.screen else {}
        changes |= {"starts_at": starts_at} if starts_at != show.starts_at else {}
        try:
            moved = services.change_show(
                show_id=show.pk,
                now=timezone.now(),
                changed_by=cast(User, request.user),
                note=note_of(request),
                **changes,
            )
        except services.Refusal as refusal:
            messages.error(request, f"{show} was not moved. {refusal.detail}")
            return HttpResponseRedirect(plan_url(day, show))
        self.log_change(request, moved, f"Moved from {show} to {moved}.")
        messages.success(request, f"Moved: {moved}.")
        return HttpResponseRedirect(plan_url(timezone.localdate(moved.starts_at), moved))

    def _ask_to_move(self, request: HttpRequest, day: date, form: MoveShowForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Move the start of a sold show",
            "opts": self.opts,
            **start_question(form.cleaned_data["show"], form.cleaned_data["starts_at"]),
            "form_fields": [(field.html_name, field.data) for field in form],
            "back": plan_url(day, form.cleaned_data["show"]),
            **note_context(request, Booking.objects.filter(show=form.cleaned_data["show"])),
        }
        return TemplateResponse(request, "admin/booking/show/move_start.html", context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        form = DayForm(request.GET)
        if form.is_valid():
            # The date without a time.
            initial["starts_at"] = [form.cleaned_data["day"], None]
        return initial

    def response_add(self, request: HttpRequest, obj: Show, post_url_continue: str | None = None) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        if "_save" in request.POST and "day" in request.GET:
            return HttpResponseRedirect(plan_url(timezone.localdate(obj.starts_at)))
        return response
