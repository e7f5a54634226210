"""The filters of lists, each with the parameters that it takes."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar

from django.core.exceptions import TooManyFieldsSent
from django.db.models import F, QuerySet
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from booking import services
from booking.models import Booking, BookingQuerySet, Movie, MovieQuerySet, ShowQuerySet
from booking.serializers import BookingQuery, ListQuery, MovieQuery, MovieShowQuery, ShowQuery


class ListFilter(BaseFilterBackend):
    """Validates the query of a list, all of it, and applies it. Raises ValidationError that names the parameters."""

    query_class: ClassVar[type[ListQuery]]

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> QuerySet[Any]:
        # DRF also filters the object of a detail route, which takes no parameters.
        if view.detail:  # type: ignore[attr-defined]
            return queryset  # type: ignore[no-any-return]
        try:
            parameters = request.query_params
        except TooManyFieldsSent:
            raise ValidationError("The query has too many parameters.", "too_many") from None
        return self.apply(queryset, self.query_class().run_validation(parameters))

    @abstractmethod
    def apply(self, rows: Any, query: dict[str, Any]) -> QuerySet[Any]:
        """Return the rows that match the validated query, in its order."""


class PageFilter(ListFilter):
    """For a list that has no parameters but those of its pages."""

    query_class = ListQuery

    def apply(self, rows: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
        return rows


class MovieFilter(ListFilter):
    query_class = MovieQuery

    def apply(self, rows: MovieQuerySet, query: dict[str, Any]) -> QuerySet[Movie]:
        for name in ("language", "genre"):
            if query.get(name):
                rows = rows.spelled(name, query[name])
        found = rows.matching(query.get("search", ""))
        return ordered(found, query.get("ordering", ["title"]), {"title": "folded_title"})


class MovieShowFilter(ListFilter):
    query_class: ClassVar[type[ListQuery]] = MovieShowQuery

    def apply(self, rows: ShowQuerySet, query: dict[str, Any]) -> QuerySet[Any]:
        if not {"date", "first_day", "last_day"} & query.keys():
            return rows
        day = query.get("date")
        first, last = day or query.get("first_day", date.min), day or query.get("last_day", date.max)
        return rows.starting_between(*services.day_bounds(first=first, last=last))


class ShowFilter(MovieShowFilter):
    query_class = ShowQuery

    def apply(self, rows: ShowQuerySet, query: dict[str, Any]) -> QuerySet[Any]:
        wanted = rows.filter(**{name: query[name] for name in ("movie", "screen") if name in query})
        found = super().apply(wanted, query)
        return ordered(found, query.get("ordering", ["starts_at"]), {"title": "movie__folded_title"})


class BookingFilter(ListFilter):
    query_class = BookingQuery

    def apply(self, rows: BookingQuerySet, query: dict[str, Any]) -> QuerySet[Booking]:
        found = rows.filter(**{name: query[name] for name in ("show", "reference") if name in query})
        return found.with_status(query["status"], timezone.now()) if "status" in query else found


def ordered(rows: Any, names: Sequence[str], columns: Mapping[str, str]) -> QuerySet[Any]:
    """Order by the names, whose columns may differ from them: nulls last, and rows of one rank by id."""
    terms = []
    for name in names:
        plain = name.removeprefix("-")
        column = F(columns.get(plain, plain))
        terms.append(column.asc(nulls_last=True) if name == plain else column.desc(nulls_last=True))
    return rows.order_by(*terms, "pk")  # type: ignore[no-any-return]
