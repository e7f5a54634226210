"""Parse, one service call, respond."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import mixins, status, viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views as jwt_views

from booking import services
from booking.catalogue import Keeper, kept_page
from booking.filters import BookingFilter, BoundedSearchFilter, MovieFilter, ShowFilter, StableOrderingFilter
from booking.models import Booking, Movie, Show, ShowQuerySet, User
from booking.openapi import IDEMPOTENCY_KEY, TOKEN_REFUSALS, operation
from booking.serializers import (
    AccountSerializer,
    BookingSerializer,
    LogoutSerializer,
    MovieSerializer,
    PasswordChangeSerializer,
    RefreshSerializer,
    SeatSerializer,
    ShowSerializer,
    SignupSerializer,
    TokenPairSerializer,
    TokenSerializer,
)
from booking.throttling import BookingThrottle, PasswordThrottle, RefreshThrottle, SignupThrottle, TokenThrottle

# All that a 64-bit integer surely holds; the ids beyond that are never reached.
POSITIVE_ID = "[1-9][0-9]{0,17}"

# One serializer for all answers: making its fields anew is most of what a single answer costs.
represent_booking = BookingSerializer().to_representation


def validated(serializer_class: Any, request: Request) -> dict[str, Any]:
    """The request's body in the serializer's shape. Raises DRF's ValidationError."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


def account(request: Request) -> User:
    """The signed-in user of a view that lets nobody else in."""
    return cast(User, request.user)


class Public:
    """Open to all; a token that happens to be sent, a stale one too, is not looked at."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[Any] = ()


# --- Account ----------------------------------------------------------------------------------


class SignupView(Public, APIView):
    throttle_classes = [SignupThrottle]

    @operation(
        tag="Account",
        summary="Sign up",
        request=SignupSerializer,
        answers={201: AccountSerializer},
        invalid={"username": ["A user with that username already exists."]},
        refusals=["throttled"],
        public=True,
    )
    def post(self, request: Request) -> Response:
        user = services.sign_up(**validated(SignupSerializer, request))
        return Response(AccountSerializer(user).data, status=status.HTTP_201_CREATED)


class TokenView(jwt_views.TokenObtainPairView):
    throttle_classes = [TokenThrottle]

    @operation(
        tag="Account",
        summary="Sign in",
        description="Gives an access token for the next minutes and a refresh token to get others with.",
        request=TokenSerializer,
        answers={200: TokenPairSerializer},
        invalid={"password": ["This field is required."]},
        refusals=["no_active_account", "throttled"],
        public=True,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class RefreshView(jwt_views.TokenRefreshView):
    throttle_classes = [RefreshThrottle]

    @operation(
        tag="Account",
        summary="Get new tokens for a refresh token",
        description="The refresh token sent is used up; the answer holds its successor.",
        request=RefreshSerializer,
        answers={200: TokenPairSerializer},
        invalid={"refresh": ["This field is required."]},
        refusals=[*TOKEN_REFUSALS, "throttled"],
        public=True,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class LogoutView(jwt_views.TokenBlacklistView):
    throttle_classes = [RefreshThrottle]

    @operation(
        tag="Account",
        summary="Sign out",
        description="Makes a refresh token useless. The access token dies by itself within minutes.",
        request=LogoutSerializer,
        answers={200: "Signed out."},
        invalid={"refresh": ["This field is required."]},
        refusals=["token_not_valid", "throttled"],
        public=True,
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


class MeView(APIView):
    @operation(tag="Account", summary="See your account", answers={200: AccountSerializer})
    def get(self, request: Request) -> Response:
        return Response(AccountSerializer(account(request)).data)

    @operation(
        tag="Account",
        summary="Change your e-mail address",
        request=AccountSerializer,
        answers={200: AccountSerializer},
        invalid={"email": ["Enter a valid email address."]},
    )
    def patch(self, request: Request) -> Response:
        user = services.update_email(user=account(request), **validated(AccountSerializer, request))
        return Response(AccountSerializer(user).data)


class PasswordView(APIView):
    throttle_classes = [PasswordThrottle]

    @operation(
        tag="Account",
        summary="Change your password",
        description="Every token made before is dead at once; sign in again.",
        request=PasswordChangeSerializer,
        answers={204: "The password is changed."},
        invalid={"current_password": ["This is not your current password."]},
        refusals=["throttled"],
    )
    def post(self, request: Request) -> Response:
        services.change_password(user=account(request), **validated(PasswordChangeSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


# --- Movies and shows -------------------------------------------------------------------------


@method_decorator(
    operation(
        tag="Movies",
        summary="Browse movies",
        invalid={"language": ["Null characters are not allowed."]},
        refusals=["not_found"],
        public=True,
        paged=True,
    ),
    name="list",
)
@method_decorator(
    operation(tag="Movies", summary="See a movie", answers={200: MovieSerializer}, refusals=["not_found"], public=True),
    name="retrieve",
)
@method_decorator(kept_page, name="dispatch")
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
        summary="See a movie's shows to come",
        description="Soonest first, each with the seats still available.",
        invalid={"date": ["Enter a valid date."]},
        refusals=["not_found"],
        public=True,
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
        shows = Show.objects.filter(movie=self.kwargs["id"]).to_come(self.now)
        return shows.select_related("movie", "screen").with_seats_available()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """All but the seats is kept until the catalogue changes or the first of the shows begins."""
        self.now = timezone.now()
        keeper = Keeper(request)
        page = keeper.get()
        if page is None or page["first_start"] <= self.now:
            page = {"answer": super().list(request, *args, **kwargs).data, "first_start": self._first_start()}
            keeper.keep(page)
        shows = page["answer"]["results"]
        sold = services.seats_sold([show["id"] for show in shows])
        counted = [show | {"seats_available": show["total_seats"] - sold.get(show["id"], 0)} for show in shows]
        return Response(page["answer"] | {"results": counted})

    def _first_start(self) -> datetime:
        first = self.filter_queryset(self.get_queryset()).first()
        return first.starts_at if first else datetime.max.replace(tzinfo=timezone.get_current_timezone())


@method_decorator(
    operation(tag="Shows", summary="See a show", answers={200: ShowSerializer}, refusals=["not_found"], public=True),
    name="retrieve",
)
class ShowViewSet(Public, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Show]):
    queryset = Show.objects.select_related("movie", "screen").with_seats_available()
    serializer_class = ShowSerializer
    lookup_value_regex = POSITIVE_ID


# --- Bookings ---------------------------------------------------------------------------------


class BookView(APIView):
    throttle_classes = [BookingThrottle]

    @operation(
        tag="Bookings",
        summary="Book a seat",
        request=SeatSerializer,
        answers={201: BookingSerializer},
        invalid={"seat_number": ["A whole number is required."]},
        refusals=[
            "not_found",
            "no_such_seat",
            "seat_taken",
            "sold_out",
            "show_started",
            "show_cancelled",
            "seat_limit_reached",
            "throttled",
        ],
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> Response:
        data = validated(SeatSerializer, request)
        receipt = receipt_of(request, "book", data, represent_booking)
        try:
            booking = services.book_seat(
                user=account(request), show_id=int(pk), now=timezone.now(), receipt=receipt, **data
            )
        except services.Replay as replay:
            return created(request, replay.answer, {"Idempotency-Replayed": "true"})
        return created(request, represent_booking(booking))


def receipt_of(
    request: Request, action: str, body: dict[str, Any], shape: Callable[[Any], dict[str, Any]]
) -> services.Receipt[Any] | None:
    """What makes the request safe to send again, where its sender gave it a key. Raises InvalidInput."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not re.fullmatch("[ -~]{1,255}", key):
        raise services.InvalidInput(IDEMPOTENCY_KEY.name, ["Enter 1 to 255 printable ASCII characters."])
    return services.Receipt(key, action, body, shape)


def created(request: Request, booking: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    location = request.build_absolute_uri(f"{reverse('booking-detail', args=[booking['id']])}/")
    return Response(booking, status.HTTP_201_CREATED, headers={"Location": location, **(headers or {})})


class OwnBookings(viewsets.GenericViewSet[Booking]):
    """Nobody sees a booking of somebody else, or that there is one."""

    serializer_class = BookingSerializer

    def get_queryset(self) -> QuerySet[Booking]:
        if getattr(self, "swagger_fake_view", False):
            return Booking.objects.none()
        return Booking.objects.filter(user=account(self.request)).select_related("show__movie", "show__screen")


@method_decorator(
    operation(
        tag="Bookings",
        summary="List your bookings",
        description="Newest first, cancelled ones too.",
        invalid={"status": ["Select a valid choice. sold is not one of the available choices."]},
        refusals=["not_found"],
        paged=True,
    ),
    name="list",
)
class MyBookingsViewSet(mixins.ListModelMixin, OwnBookings):
    filter_backends = [DjangoFilterBackend]
    filterset_class = BookingFilter


@method_decorator(
    operation(tag="Bookings", summary="See a booking", answers={200: BookingSerializer}, refusals=["not_found"]),
    name="retrieve",
)
class BookingViewSet(mixins.RetrieveModelMixin, OwnBookings):
    lookup_value_regex = POSITIVE_ID

    @operation(
        tag="Bookings",
        summary="Cancel a booking",
        description="Its seat is free again at once.",
        answers={200: BookingSerializer},
        refusals=["not_found", "already_cancelled", "show_started", "throttled"],
    )
    @action(detail=True, methods=["post"], throttle_classes=[BookingThrottle])
    def cancel(self, request: Request, pk: str) -> Response:
        booking = services.cancel_booking(user=account(request), booking_id=int(pk), now=timezone.now())
        return Response(BookingSerializer(booking).data)


class NoSuchPathView(Public, APIView):
    """Answers in JSON for any path under /api/ that there is not, with DEBUG on too."""

    swagger_schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404
