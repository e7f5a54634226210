"""The day plan: one column for each screen, with its shows along the hours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from booking import services
from booking.admin.forms import DayForm
from booking.admin.time_fields import FIRST_DAY, LAST_DAY
from booking.models import Screen, Show

HOUR = timedelta(hours=1)
# The first hour of an empty day plan.
OPENING = timedelta(hours=10)
EN_DASH = "\u2013"


@dataclass(frozen=True)
class Block:
    """A show's position in the plan, in hours from the top. Shows overlap only if one of them is cancelled."""

    show: services.ShowFigures
    times: str
    at: str
    lasts: str
    lane: int
    lanes: int

    @property
    def is_short(self) -> bool:
        """Whether there is room for only one line of text."""
        return self.show.ends_at - self.show.starts_at < HOUR * 2 / 3


@dataclass(frozen=True)
class Column:
    screen: Screen
    blocks: list[Block]


@dataclass(frozen=True)
class Plan:
    """The columns, and the hours from the first show to the end of the last one with their labels."""

    hours: list[tuple[int, str]]
    columns: list[Column]

    @property
    def is_empty(self) -> bool:
        return not any(column.blocks for column in self.columns)


def lay_out(day: date, shows: Sequence[services.ShowFigures], screens: Sequence[Screen]) -> Plan:
    """Return the plan of `day`. Each hour has the same height on days of a clock change; only the labels differ."""
    begin, end = _window(day, shows)
    hours = [(n, f"{timezone.localtime(begin + n * HOUR):%H:%M}") for n in range((end - begin) // HOUR + 1)]
    visible = [show for show in shows if show.starts_at < end]
    columns = [
        Column(screen, list(_blocks([show for show in visible if show.screen_id == screen.pk], day, begin, end)))
        for screen in screens
    ]
    return Plan(hours, columns)


def _window(day: date, shows: Sequence[services.ShowFigures]) -> tuple[datetime, datetime]:
    """Return the hours that the plan shows: from the first show, but not before midnight, to the end of the last."""
    midnight, next_midnight = services.start_of(day), services.start_of(day + timedelta(days=1))
    of_day = [show for show in shows if show.starts_at < next_midnight]
    if not of_day:
        return midnight + OPENING, next_midnight
    first = max(midnight, min(show.starts_at for show in of_day))
    last = min(next_midnight + services.NIGHT, max(show.ends_at for show in of_day))
    begin = midnight + (first - midnight) // HOUR * HOUR
    return begin, begin - (begin - last) // HOUR * HOUR


def _blocks(shows: Sequence[services.ShowFigures], day: date, begin: datetime, end: datetime) -> Iterator[Block]:
    for cluster in _clusters(shows):
        free_at: list[datetime] = []
        lanes = []
        for show in cluster:
            lane = next((n for n, free in enumerate(free_at) if free <= show.starts_at), len(free_at))
            free_at[lane : lane + 1] = [show.ends_at]
            lanes.append(lane)
        for show, lane in zip(cluster, lanes, strict=True):
            top = max(begin, show.starts_at)
            lasts = min(end, show.ends_at) - top
            yield Block(show, _times(show, day), _in_hours(top - begin), _in_hours(lasts), lane, len(free_at))


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


class PlanPage(admin.ModelAdmin):
    """The page of the day plan. Adding a show from it leads back to it."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.plan_view)
        return [path("plan/", view, name="booking_show_plan"), *super().get_urls()]

    def plan_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = DayForm(request.GET if "day" in request.GET else {"day": timezone.localdate()})
        day = form.cleaned_data["day"] if form.is_valid() else timezone.localdate()
        context = {
            **self.admin_site.each_context(request),
            "title": f"Plan for {day:%A} {day.day} {day:%B %Y}",
            "opts": self.opts,
            "form": form,
            "day": day,
            "today": timezone.localdate(),
            "previous_day": day - timedelta(days=1) if day > FIRST_DAY else None,
            "next_day": day + timedelta(days=1) if day < LAST_DAY else None,
            "plan": lay_out(day, services.read_day(day=day), list(Screen.objects.all())),
            "has_add_permission": self.has_add_permission(request),
        }
        return TemplateResponse(request, "admin/booking/show/plan.html", context)

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
            day = timezone.localdate(obj.starts_at)
            return HttpResponseRedirect(f"{reverse('admin:booking_show_plan')}?day={day}")
        return response
