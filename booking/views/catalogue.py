"""Views of movies, shows and seat maps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from rest_framework import viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.filters import MovieFilter, MovieShowFilter, ShowFilter
from booking.infrastructure.catalogue_cache import CachedResponse
from booking.models import POSITIVE_ID, Movie, SeatPlan, Show, ShowQuerySet, categories_of
from booking.renderers import encode
from booking.serializers import (
    MovieSerializer,
    SeatMapSerializer,
    SeatPlanSerializer,
    ShowDetailSerializer,
    ShowSerializer,
    represent_prices,
    represent_seat_map,
    represent_seat_plan,
)
from booking.views.caching import cached, catalogue_response, private_response
from booking.views.common import Public
from booking.views.errors import TOKEN_REFUSALS
from booking.views.openapi import operation


@method_decorator(
    operation(
        name="list_movies",
        tag="Movies",
        summary="Browse movies",
        invalid=("page_size", "max_value", "Ensure this value is less than or equal to 100."),
        refusals=[services.NotFound],
        paged=True,
        conditional=True,
    ),
    name="list",
)
@method_decorator(
    operation(
        name="get_movie",
        tag="Movies",
        summary="See a movie",
        responses={200: MovieSerializer},
        refusals=[services.NotFound],
        conditional=True,
    ),
    name="retrieve",
)
@method_decorator(cached, name="dispatch")
class MovieViewSet(Public, viewsets.ReadOnlyModelViewSet[Movie]):
    queryset = Movie.objects.all()
    serializer_class = MovieSerializer
    lookup_value_regex = POSITIVE_ID
    filter_backends = [MovieFilter]


class ShowLists(Public, viewsets.GenericViewSet[Show]):
    """A list of upcoming shows with the number of available seats."""

    # For the schema only: without a queryset, each document that is generated logs a failed view.
    queryset = Show.objects.none()
    serializer_class = ShowSerializer

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page without `seats_available` is cached until the catalogue changes or the first show starts."""
        now = timezone.now()
        entry = CachedResponse(request)
        page = entry.get()
        if page is None or (page["first_start"] and page["first_start"] <= now):
            page = self._page(now)
            entry.set(page)
        shows = page["body"]["results"]
        taken = services.count_taken_seats(show_ids=[show["id"] for show in shows], now=now)
        counted = [show | {"seats_available": show["total_seats"] - taken.get(show["id"], 0)} for show in shows]
        return catalogue_response(request, encode(page["body"] | {"results": counted}))

    def get_shows(self, now: datetime) -> ShowQuerySet:
        """Return the shows of the list before its filter."""
        return Show.objects.upcoming(now)

    def _page(self, now: datetime) -> dict[str, Any]:
        shows = self.filter_queryset(self.get_shows(now).select_related("movie", "screen").with_seats_available(now))
        page = self.paginate_queryset(shows) or []
        services.attach_lowest_prices(shows=page)
        rows = self.get_serializer(page, many=True).data
        # Any show that starts changes the count and the following pages.
        first_start = shows.order_by("starts_at").values_list("starts_at", flat=True).first()
        return {"body": self.get_paginated_response(rows).data, "first_start": first_start}


@method_decorator(
    operation(
        name="list_movie_shows",
        tag="Shows",
        summary="See a movie's upcoming shows",
        description="Soonest first, each with the number of available seats.",
        invalid=("date", "invalid", "Enter a day as YYYY-MM-DD."),
        refusals=[services.NotFound],
        paged=True,
        conditional=True,
    ),
    name="list",
)
class MovieShowsViewSet(ShowLists):
    filter_backends = [MovieShowFilter]

    def get_shows(self, now: datetime) -> ShowQuerySet:
        get_object_or_404(Movie.objects.only("pk"), pk=self.kwargs["id"])
        return super().get_shows(now).filter(movie=self.kwargs["id"])


@method_decorator(
    operation(
        name="list_shows",
        tag="Shows",
        summary="Browse shows",
        description="Upcoming shows of all movies, soonest first, each with the number of available seats.",
        invalid=("date", "invalid", "Enter a day as YYYY-MM-DD."),
        refusals=[services.NotFound],
        paged=True,
        conditional=True,
    ),
    name="list",
)
@method_decorator(
    operation(
        name="get_show",
        tag="Shows",
        summary="See a show",
        description="With its prices by seat category and ticket type.",
        responses={200: ShowDetailSerializer},
        refusals=[services.NotFound],
    ),
    name="retrieve",
)
class ShowViewSet(ShowLists):
    lookup_value_regex = POSITIVE_ID
    filter_backends = [ShowFilter]

    def retrieve(self, request: Request, pk: str) -> Response:
        show, prices = services.read_show(show_id=int(pk), now=timezone.now())
        more = {"currency": settings.CURRENCY, "prices": represent_prices(prices)}
        return Response(ShowSerializer(show).data | more)


class SeatPlanView(Public, APIView):
    @operation(
        name="get_seat_plan",
        tag="Shows",
        summary="See all seats of a hall",
        description="A seat plan never changes, so clients can store it for ever.",
        responses={200: SeatPlanSerializer},
        refusals=[services.NotFound],
    )
    def get(self, request: Request, pk: str) -> Response:
        plan = get_object_or_404(SeatPlan, pk=pk)
        response = Response(represent_seat_plan(plan, categories_of(plan.hall)))
        response["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


class SeatMapView(APIView):
    # A token is optional, but a token that is not valid is refused: the map would lack the caller's own seats.
    permission_classes: Sequence[Any] = ()

    @operation(
        name="get_seat_map",
        tag="Shows",
        summary="See which seats are available",
        description=(
            "Lists the unavailable seats; all other seats are available. With a token, the caller's own seats are "
            "marked `mine`. A request with the response's `ETag` in `If-None-Match` gets 304 if nothing has changed."
        ),
        responses={200: SeatMapSerializer},
        refusals=[services.NotFound, *TOKEN_REFUSALS, "bad_authorization_header"],
        conditional=True,
    )
    def get(self, request: Request, pk: str) -> Response:
        user = request.user if request.user.is_authenticated else None
        seat_map = services.read_seat_map(show_id=int(pk), now=timezone.now(), user=user)
        # Private, because it contains the caller's own seats.
        response = private_response(request, seat_map.version, lambda: represent_seat_map(seat_map))
        patch_vary_headers(response, ["Authorization"])
        return response
