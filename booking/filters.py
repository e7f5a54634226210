"""Filters, search and ordering of lists. An invalid value gives 400 with the parameter's name."""

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from booking.models import Booking, BookingQuerySet, Movie, Show

MAX_TEXT_LENGTH = 100


class MovieFilter(filters.FilterSet):
    language = filters.CharFilter(lookup_expr="iexact", max_length=MAX_TEXT_LENGTH, label="Language, such as English.")
    genre = filters.CharFilter(lookup_expr="iexact", max_length=MAX_TEXT_LENGTH, label="Genre, such as Drama.")

    class Meta:
        model = Movie
        fields = ["language", "genre"]


class ShowFilter(filters.FilterSet):
    date = filters.DateFilter(
        field_name="starts_at", lookup_expr="date", label="A day in the cinema's time zone, such as 2030-01-31."
    )

    class Meta:
        model = Show
        fields = ["date"]


class BookingFilter(filters.FilterSet):
    status = filters.ChoiceFilter(
        choices=[(status, status) for status in ("booked", "held", "cancelled")],
        method="filter_status",
        label="booked, held or cancelled.",
    )

    class Meta:
        model = Booking
        fields = ["status"]

    def filter_status(self, bookings: BookingQuerySet, name: str, status: str) -> BookingQuerySet:
        return bookings.with_status(status, timezone.now())


class BoundedSearchFilter(SearchFilter):
    """DRF's search filter with a limit on the length of the text."""

    def get_search_terms(self, request: Request) -> Any:
        if len(request.query_params.get(self.search_param, "")) > MAX_TEXT_LENGTH:
            raise ValidationError({self.search_param: [f"Enter at most {MAX_TEXT_LENGTH} characters."]})
        try:
            return super().get_search_terms(request)
        except ValidationError as error:
            raise ValidationError({self.search_param: error.detail}) from None


class StableOrderingFilter(OrderingFilter):
    """DRF's ordering filter with the id as a tiebreaker, so that pages are stable, and with nulls always last."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        ordering = self.get_ordering(request, queryset, view) or ()
        terms = [
            F(name[1:]).desc(nulls_last=True) if name.startswith("-") else F(name).asc(nulls_last=True)
            for name in ordering
        ]
        return queryset.order_by(*terms, "pk")
