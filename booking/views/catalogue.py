"""Views of movies, shows and seat maps."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.utils.http import parse_etags
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import mixins, status, viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.filters import BoundedSearchFilter, MovieFilter, ShowFilter, StableOrderingFilter
from booking.infrastructure.catalogue_cache import CachedResponse
from booking.models import Movie, Show, ShowQuerySet
from booking.paths import POSITIVE_ID
from booking.serializers import (
    MovieSerializer,
    SeatMapSerializer,
    ShowSerializer,
    represent_seat_map,
)
from booking.views.common import Public
from booking.views.openapi import TOKEN_REFUSALS, operation


def cached(view: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
    """Caches successful responses of a view whose responses depend only on the URL and the catalogue."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            entry = CachedResponse(request) if request.method == "GET" else None
        except Error as error:
            if not services.is_transient_error(error):
                raise
            # The view will get the same error, and the exception handler will handle it.
            entry = None
        content = entry and entry.get()
        if content:
            return HttpResponse(content, content_type="application/json")
        response: HttpResponseBase = view(request, *args, **kwargs)
        if entry and response.status_code == 200:
            entry.set(response.render().content)  # type: ignore[attr-defined]
        return response

    return wrapper


@method_decorator(
    operation(
        tag="Movies",
        summary="Browse movies",
        invalid=("language", "null_characters_not_allowed", "Null characters are not allowed."),
        refusals=[services.NotFound],
        paged=True,
    ),
    name="list",
)
@method_decorator(
    operation(tag="Movies", summary="See a movie", responses={200: MovieSerializer}, refusals=[services.NotFound]),
    name="retrieve",
)
@method_decorator(cached, name="dispatch")
class MovieViewSet(Public, viewsets.ReadOnlyModelViewSet[Movie]):
    queryset = Movie.objects.all()
    serializer_class = MovieSerializer
    lookup_value_regex = POSITIVE_ID
    filter_backends = [DjangoFilterBackend, BoundedSearchFilter, StableOrderingFilter]
    filterset_class = MovieFilter
    search_fields = ["title", "director"]
    ordering_fields = ["title", "release_date", "duration_minutes"]
    ordering = ["title"]


@method_decorator(
    operation(
        tag="Shows",
        summary="See a movie's upcoming shows",
        description="Soonest first, each with the number of available seats.",
        invalid=("date", "invalid", "Enter a valid date."),
        refusals=[services.NotFound],
        paged=True,
    ),
    name="list",
)
class MovieShowsViewSet(Public, mixins.ListModelMixin, viewsets.GenericViewSet[Show]):
    serializer_class = ShowSerializer
    filter_backends = [DjangoFilterBackend]
    filterset_class = ShowFilter

    def get_queryset(self) -> ShowQuerySet:
        get_object_or_404(Movie.objects.only("pk"), pk=self.kwargs["id"])
        shows = Show.objects.filter(movie=self.kwargs["id"]).upcoming(self.now)
        return shows.select_related("movie", "screen").with_seats_available(self.now)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The page without `seats_available` is cached until the catalogue changes or the first show starts."""
        self.now = timezone.now()
        entry = CachedResponse(request)
        page = entry.get()
        if page is None or page["first_start"] <= self.now:
            page = self._page(request, *args, **kwargs)
            entry.set(page)
        shows = page["body"]["results"]
        taken = services.count_taken_seats(show_ids=[show["id"] for show in shows], now=self.now)
        counted = [show | {"seats_available": show["total_seats"] - taken.get(show["id"], 0)} for show in shows]
        return Response(page["body"] | {"results": counted})

    def _page(self, request: Request, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"body": super().list(request, *args, **kwargs).data, "first_start": self._first_start()}

    def _first_start(self) -> datetime:
        first = self.filter_queryset(self.get_queryset()).first()
        return first.starts_at if first else datetime.max.replace(tzinfo=timezone.get_current_timezone())


@method_decorator(
    operation(tag="Shows", summary="See a show", responses={200: ShowSerializer}, refusals=[services.NotFound]),
    name="retrieve",
)
class ShowViewSet(Public, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Show]):
    serializer_class = ShowSerializer
    lookup_value_regex = POSITIVE_ID

    def get_queryset(self) -> ShowQuerySet:
        return Show.objects.select_related("movie", "screen").with_seats_available(timezone.now())


class SeatMapView(APIView):
    # A token is optional, but a token that is not valid is refused: the map would lack the caller's own seats.
    permission_classes: Sequence[Any] = ()

    @operation(
        tag="Shows",
        summary="See which seats are available",
        description=(
            "Lists the unavailable seats; all other seats are available. With a token, the caller's own seats are "
            "marked `mine`. A request with the response's `ETag` in `If-None-Match` gets 304 if nothing has changed."
        ),
        responses={200: SeatMapSerializer, 304: "Nothing has changed."},
        refusals=[services.NotFound, *TOKEN_REFUSALS, "bad_authorization_header"],
        conditional=True,
    )
    def get(self, request: Request, pk: str) -> Response:
        user = request.user if request.user.is_authenticated else None
        seat_map = services.read_seat_map(show_id=int(pk), now=timezone.now(), user=user)
        known = {tag.removeprefix("W/") for tag in parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))}
        if known & {seat_map.etag, "*"}:
            response = Response(status=status.HTTP_304_NOT_MODIFIED)
        else:
            response = Response(represent_seat_map(seat_map))
        response["ETag"] = seat_map.etag
        # Only the caller may cache it, because it contains their own seats, and must revalidate each time.
        response["Cache-Control"] = "private, no-cache"
        patch_vary_headers(response, ["Authorization"])
        return response
