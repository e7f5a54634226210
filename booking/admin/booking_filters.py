"""Filters of the list of bookings: by state, by show and its day, and by customer."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from booking import services
from booking.admin.forms import DayForm
from booking.models import POSITIVE_ID, Booking, Show, User


class StatusFilter(admin.SimpleListFilter):
    """Without a choice, the list has no blocked seats, because they belong to no customer."""

    title = "status"
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in Booking.Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset.exclude(status=Booking.Status.BLOCKED)
        if self.value() not in Booking.Status.values:
            raise IncorrectLookupParameters
        return queryset.filter(status=self.value())


def day_of(request: HttpRequest) -> date | None:
    """Return the day in the query string, or None if there is none. Raises IncorrectLookupParameters."""
    if DayFilter.parameter_name not in request.GET:
        return None
    form = DayForm(request.GET)
    if not form.is_valid():
        raise IncorrectLookupParameters
    day: date = form.cleaned_data["day"]
    return day


class DayFilter(admin.SimpleListFilter):
    """The day on which the show starts; any day can be entered."""

    title = "day of the show"
    parameter_name = "day"
    template = "admin/booking/booking/day_filter.html"
    # The other parameters of the query string, for the form in which a day is entered.
    others: list[tuple[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        today = timezone.localdate()
        return [(f"{today}", "Today"), (f"{today + timedelta(days=1)}", "Tomorrow")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        # Another day has other shows.
        dropped = {self.parameter_name, ShowFilter.parameter_name}
        parameters: dict[str, list[str]] = changelist.filter_params
        self.others = [(name, value) for name, values in parameters.items() if name not in dropped for value in values]
        for value, label in [(None, "Any day"), *self.lookup_choices]:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}, [ShowFilter.parameter_name]),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        day = day_of(request)
        if day is None:
            return queryset
        begin, end = services.day_bounds(first=day, last=day)
        return queryset.filter(show__starts_at__gte=begin, show__starts_at__lt=end)


class RowFilter(admin.SimpleListFilter):
    """A filter whose values are ids."""

    # The column with the id.
    column: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(**{self.column: self.id})

    @property
    def id(self) -> int | None:
        """The chosen id. Raises IncorrectLookupParameters."""
        value = self.value()
        if value is not None and not re.fullmatch(POSITIVE_ID, value):
            raise IncorrectLookupParameters
        return int(value) if value else None


class ShowFilter(RowFilter):
    """Lists the shows of the day of DayFilter, or else of today, and the chosen show."""

    title = "show"
    parameter_name = "show__id__exact"
    column = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        day = day_of(request) or timezone.localdate()
        of_day = Show.objects.starting_between(*services.day_bounds(first=day, last=day))
        chosen = Show.objects.filter(pk=self.id or 0)
        shows = (of_day | chosen).select_related("movie", "screen").order_by("starts_at", "id")
        return [(str(show.pk), str(show)) for show in shows]


class CustomerFilter(RowFilter):
    """Shown only while it is used: a link on a booking's page leads to all bookings of its customer."""

    title = "customer"
    parameter_name = "user__id__exact"
    column = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(user.pk), user.username) for user in User.objects.filter(pk=self.id or 0)] if self.id else []
