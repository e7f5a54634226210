"""Booking, holding, moving and cancelling seats."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.views import APIView

from booking import services
from booking.authentication import BookingAuthentication, claims_of, counted
from booking.filters import BookingFilter
from booking.models import Booking
from booking.openapi import operation
from booking.renderers import JSONAnswer
from booking.serializers import (
    BookingSerializer,
    GroupSerializer,
    HoldSerializer,
    MoveSerializer,
    SeatSerializer,
    SeatsSerializer,
    represent_booking,
    represent_group,
    represent_hold,
    represent_only,
)
from booking.throttling import BookingThrottle
from booking.tokens import AccessToken
from booking.views.common import POSITIVE_ID, account, receipt_of, repeatable, validated, validated_early

SEATS_REFUSALS = [
    "not_found",
    "no_such_seat",
    "seat_taken",
    "sold_out",
    "no_block",
    "show_started",
    "show_cancelled",
    "seat_limit_reached",
    "throttled",
]
SEATS_EXAMPLES = {
    "seat_taken": {"detail": "Seat A5 is already taken.", "seats": [5], "alternatives": [8, 9, 10]},
}


# Each request is counted under the limit for bookings.
COUNTED: dict[str, Any] = {"authentication_classes": [BookingAuthentication], "throttle_classes": [BookingThrottle]}


class Counted:
    authentication_classes = COUNTED["authentication_classes"]
    throttle_classes = COUNTED["throttle_classes"]


# No id of a booking.
STAND_IN = 10**17


class BookView(Counted, APIView):
    # Of this request's own instance.
    _data: dict[str, Any] | None = None
    _attempt: services.Attempt | None = None

    def perform_authentication(self, request: Request) -> None:
        """Finds who asks, and sells the seat in the same trip to the database where nothing is in the way.

        Nothing that comes after it may refuse who is found, but the throttle, by what was counted in that trip.
        """
        # Its attributes are asked for often, and DRF's request has to look for each of them.
        plain = request._request
        token = BookingAuthentication().good_token(plain) if plain.method == "POST" else None
        self._attempt = self._attempt_booking(plain, token) if token else None
        if self._attempt and self._attempt.user:
            request.user, request.auth = counted(self._attempt.user, self._attempt.seconds_to_wait), token
        else:
            super().perform_authentication(request)

    def _attempt_booking(self, request: HttpRequest, token: AccessToken) -> services.Attempt | None:
        self._data = validated_early(SeatSerializer, request)
        if self._data is None:
            return None
        return services.attempt_booking(
            limit=BookingAuthentication.limit,
            claims=claims_of(token),
            show_id=int(self.kwargs["pk"]),
            now=timezone.now(),
            # What is kept beside the booking is written in its transaction.
            may_sell="HTTP_IDEMPOTENCY_KEY" not in request.META,
            **self._data,
        )

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
    def post(self, request: Request, pk: str) -> JSONAnswer:
        data = self._data or validated(SeatSerializer, request)
        receipt = receipt_of(request, "book", data, represent_only)
        now = self._attempt.now if self._attempt else timezone.now()
        call = {"user": account(request), "show_id": int(pk), "now": now, "attempt": self._attempt, **data}
        answer, headers = repeatable(services.book_seat, call, receipt, represent_booking)
        location = _path_of_booking(request.META["SCRIPT_NAME"]) % answer["id"]
        return JSONAnswer(answer, status.HTTP_201_CREATED, headers={"Location": location, **headers})


@lru_cache
def _path_of_booking(_script_name: str) -> str:
    """Where reverse says that a booking is, with %d for its id; it begins with the request's script name."""
    path = reverse("booking-detail", args=[STAND_IN]).rstrip("/")
    return path.replace("%", "%%").replace(str(STAND_IN), "%d") + "/"


class BookSeatsView(Counted, APIView):
    @operation(
        tag="Bookings",
        summary="Book several seats",
        description=(
            "These seats, or the best `count` seats there are: together in one row, leaving no single free seat "
            "between two taken ones where that can be avoided, near the middle of the hall. All or none. Seats that "
            "you hold are booked by their numbers; a `count` chooses others."
        ),
        request=SeatsSerializer,
        answers={201: GroupSerializer},
        invalid={"seat_numbers": ["Seat 5 is named twice."]},
        refusals=SEATS_REFUSALS,
        examples=SEATS_EXAMPLES,
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> JSONAnswer:
        data = validated(SeatsSerializer, request)
        receipt = receipt_of(request, "book-seats", data, represent_group)
        call = {"user": account(request), "show_id": int(pk), "now": timezone.now(), **data}
        answer, headers = repeatable(services.book_seats, call, receipt, represent_group)
        return JSONAnswer(answer, status.HTTP_201_CREATED, headers=headers)


class HoldView(Counted, APIView):
    @operation(
        tag="Bookings",
        summary="Hold seats",
        description=(
            f"Keeps seats from everybody else for {settings.HOLD_MINUTES} minutes. Book them by their numbers, or "
            "cancel them. Held again, they are held for longer, but no seat beyond "
            f"{settings.MAX_HOLD_MINUTES} minutes from when you first held it."
        ),
        request=SeatsSerializer,
        answers={201: HoldSerializer},
        invalid={"seat_numbers": ["Seat 5 is named twice."]},
        refusals=[*SEATS_REFUSALS, "hold_limit_reached"],
        examples=SEATS_EXAMPLES,
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> JSONAnswer:
        data = validated(SeatsSerializer, request)
        now = timezone.now()

        def represent(holds: Sequence[Booking]) -> dict[str, Any]:
            return represent_hold(holds, timezone.now())

        receipt = receipt_of(request, "hold", data, represent)
        call = {"user": account(request), "show_id": int(pk), "now": now, **data}
        answer, headers = repeatable(services.hold_seats, call, receipt, represent)
        return JSONAnswer(answer, status.HTTP_201_CREATED, headers=headers)


class OwnBookings(viewsets.GenericViewSet[Booking]):
    """Nobody sees a booking of somebody else, or that there is one."""

    serializer_class = BookingSerializer

    def get_queryset(self) -> QuerySet[Booking]:
        if getattr(self, "swagger_fake_view", False):
            return Booking.objects.none()
        own = Booking.objects.filter(user=account(self.request)).of_customers(timezone.now())
        return own.select_related("show__movie", "show__screen")


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
    @action(detail=True, methods=["post"], **COUNTED)
    def cancel(self, request: Request, pk: str) -> JSONAnswer:
        booking = services.cancel_booking(user=account(request), booking_id=int(pk), now=timezone.now())
        return JSONAnswer(represent_booking(booking))

    @operation(
        tag="Bookings",
        summary="Move a booking to another seat",
        description="Of the same show; a seat that you hold too.",
        request=MoveSerializer,
        answers={200: BookingSerializer},
        invalid={"seat_number": ["A whole number is required."]},
        refusals=[
            "not_found",
            "no_such_seat",
            "seat_taken",
            "sold_out",
            "show_started",
            "already_cancelled",
            "not_booked",
            "throttled",
        ],
        repeatable=True,
    )
    @action(detail=True, methods=["post"], **COUNTED)
    def move(self, request: Request, pk: str) -> JSONAnswer:
        data = validated(MoveSerializer, request)
        receipt = receipt_of(request, "move", {"booking": int(pk), **data}, represent_only)
        call = {"user": account(request), "booking_id": int(pk), "now": timezone.now(), **data}
        answer, headers = repeatable(services.move_booking, call, receipt, represent_booking)
        return JSONAnswer(answer, headers=headers)


class CancelReferenceView(Counted, APIView):
    @operation(
        tag="Bookings",
        summary="Cancel all seats of a reference",
        description="All that you have under it, or none.",
        answers={200: GroupSerializer},
        refusals=["not_found", "already_cancelled", "show_started", "throttled"],
    )
    def post(self, request: Request, reference: str) -> JSONAnswer:
        bookings = services.cancel_reference(user=account(request), reference=reference, now=timezone.now())
        return JSONAnswer(represent_group(bookings))
