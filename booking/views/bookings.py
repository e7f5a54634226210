"""Views for booking, holding, moving and cancelling seats."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.decorators import method_decorator
from rest_framework import mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.authentication import BookingAuthentication
from booking.filters import BookingFilter, PageFilter
from booking.models import POSITIVE_ID, Booking, Order
from booking.paths import REFERENCE
from booking.renderers import ApiResponse
from booking.serializers import (
    BookingSerializer,
    HoldSerializer,
    MoveSerializer,
    OrderSerializer,
    SeatSerializer,
    SeatsSerializer,
    represent_booking,
    represent_hold,
    represent_only,
    represent_order,
)
from booking.throttling import BookingThrottle
from booking.views.common import account, call_or_replay, created, idempotent_request, validated
from booking.views.openapi import operation

SEATS_EXAMPLES = {
    "seat_taken": {
        "detail": "Seats A5, A6 are already taken.",
        "seats": [5, 6],
        "mine": True,
        "booking": 42,
        "bookings": [42, 43],
        "alternatives": [8, 9, 10],
    }
}


def refusals(action: services.Action, *, several: bool = False) -> list[type[services.Refusal]]:
    """Return the refusals that a request for seats may get."""
    return [services.NotFound, *services.refusals_for(action=action, several=several)]


def created_order(request: Request, body: dict[str, Any], headers: dict[str, str]) -> ApiResponse:
    return created(request, f"orders/{body['reference']}/", body, headers)


class LimitedView(APIView):
    """Each request counts under the limit for bookings."""

    authentication_classes = [BookingAuthentication]
    throttle_classes = [BookingThrottle]


class BookView(LimitedView):
    @operation(
        name="book_seat",
        tag="Bookings",
        summary="Book a seat",
        request=SeatSerializer,
        responses={201: BookingSerializer},
        invalid=("seat_number", "invalid", "A whole number is required."),
        refusals=refusals(services.Action.BOOK),
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        data = validated(SeatSerializer, request)
        idempotency = idempotent_request(request, "book", data, represent_only)
        body, headers = call_or_replay(
            request, services.book_seat, represent_booking, show_id=int(pk), idempotency=idempotency, **data
        )
        return created(request, f"bookings/{body['id']}/", body, headers)


class BookSeatsView(LimitedView):
    @operation(
        name="book_seats",
        tag="Bookings",
        summary="Book several seats",
        description=(
            "Books the given seats, or the best `count` seats: together in one row, leaving no single free seat "
            "between two taken ones if possible, near the middle of the hall. All seats are booked or none. To book "
            "seats that you hold, send their numbers; a `count` chooses other seats."
        ),
        request=SeatsSerializer,
        responses={201: OrderSerializer},
        invalid=("seat_numbers", "duplicate", "Seat 5 is named twice."),
        refusals=refusals(services.Action.BOOK, several=True),
        examples=SEATS_EXAMPLES,
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        data = validated(SeatsSerializer, request)
        idempotency = idempotent_request(request, "book-seats", data, represent_order)
        body, headers = call_or_replay(
            request, services.book_seats, represent_order, show_id=int(pk), idempotency=idempotency, **data
        )
        return created_order(request, body, headers)


class HoldView(LimitedView):
    @operation(
        name="hold_seats",
        tag="Bookings",
        summary="Hold seats",
        description=(
            f"Holds seats for you for {settings.HOLD_MINUTES} minutes. Then book them by their numbers, or "
            "cancel them. Holding a seat again renews the hold, up to "
            f"{settings.MAX_HOLD_MINUTES} minutes without a break."
        ),
        request=SeatsSerializer,
        responses={201: HoldSerializer},
        invalid=("seat_numbers", "duplicate", "Seat 5 is named twice."),
        refusals=refusals(services.Action.HOLD, several=True),
        examples=SEATS_EXAMPLES,
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        def represent(holds: Sequence[Booking]) -> dict[str, Any]:
            return represent_hold(holds, timezone.now())

        data = validated(SeatsSerializer, request)
        idempotency = idempotent_request(request, "hold", data, represent)
        body, headers = call_or_replay(
            request, services.hold_seats, represent, show_id=int(pk), idempotency=idempotency, **data
        )
        return created_order(request, body, headers)


class OwnBookings(viewsets.GenericViewSet[Booking]):
    """Lists and retrieves the user's own bookings and holds only, also those that ended; others give 404."""

    serializer_class = BookingSerializer

    def get_queryset(self) -> QuerySet[Booking]:
        if getattr(self, "swagger_fake_view", False):
            return Booking.objects.none()
        own = Booking.objects.filter(user=account(self.request))
        return own.select_related("show__movie", "show__screen", "ticket_type")


@method_decorator(
    operation(
        name="list_bookings",
        tag="Bookings",
        summary="List your bookings",
        description="Newest first, including cancelled bookings and holds that ended.",
        invalid=("status", "invalid_choice", '"sold" is not a valid choice.'),
        refusals=[services.NotFound],
        paged=True,
    ),
    name="list",
)
class MyBookingsViewSet(mixins.ListModelMixin, OwnBookings):
    filter_backends = [BookingFilter]

    def paginate_queryset(self, queryset: Any) -> Any:
        now = timezone.now()
        return [booking.as_of(now) for booking in super().paginate_queryset(queryset) or ()]


@method_decorator(
    operation(
        name="get_booking",
        tag="Bookings",
        summary="See a booking",
        responses={200: BookingSerializer},
        refusals=[services.NotFound],
    ),
    name="retrieve",
)
class BookingViewSet(mixins.RetrieveModelMixin, OwnBookings):
    lookup_value_regex = POSITIVE_ID

    def get_object(self) -> Booking:
        return super().get_object().as_of(timezone.now())


CANCEL_REFUSALS = [
    services.NotFound,
    services.AlreadyCancelled,
    services.ShowStarted,
    services.SeatAdmitted,
    services.RefundEnded,
]


class CancelView(LimitedView):
    @operation(
        name="cancel_booking",
        tag="Bookings",
        summary="Cancel a booking",
        description="The seat becomes available immediately.",
        responses={200: BookingSerializer},
        refusals=CANCEL_REFUSALS,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        booking = services.cancel_booking(user=account(request), booking_id=int(pk), now=timezone.now())
        return ApiResponse(represent_booking(booking))


class MoveView(LimitedView):
    @operation(
        name="move_booking",
        tag="Bookings",
        summary="Move a booking to another seat",
        description="The new seat is in the same show; it may be one that you hold.",
        request=MoveSerializer,
        responses={200: BookingSerializer},
        invalid=("seat_number", "invalid", "A whole number is required."),
        refusals=[*refusals(services.Action.MOVE), services.RefundEnded],
        repeatable=True,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        data = validated(MoveSerializer, request)
        idempotency = idempotent_request(request, "move", {"booking": int(pk), **data}, represent_only)
        body, headers = call_or_replay(
            request, services.move_booking, represent_booking, booking_id=int(pk), idempotency=idempotency, **data
        )
        return ApiResponse(body, headers=headers)


def represent_orders(orders: Sequence[Order]) -> list[dict[str, Any]]:
    bookings = services.read_bookings(orders=orders, now=timezone.now())
    money = services.read_money(keys={(order.show_id, order.reference) for order in orders})
    with_money = [(order, money.get((order.show_id, order.reference), services.NO_MONEY)) for order in orders]
    return [
        represent_order(own, order, paid)
        for (order, paid), own in zip(with_money, bookings, strict=True)
        # Race: its holds were booked under another reference since, which deletes an order without payments.
        if own or paid.payments
    ]


def own_order(request: Request, reference: str) -> dict[str, Any]:
    """Return the user's order with this reference. Raises NotFound."""
    # With a probability of 1 in 10¹¹ two shows share a reference; then the newest order is chosen.
    orders = list(services.orders_of(user=account(request)).filter(reference=reference)[:1])
    for body in represent_orders(orders):
        return body
    raise services.NotFound


class OwnOrders(viewsets.GenericViewSet[Order]):
    """Lists and retrieves the user's own orders only; other orders give 404."""

    serializer_class = OrderSerializer
    filter_backends = [PageFilter]

    def get_queryset(self) -> QuerySet[Order]:
        return services.orders_of(user=account(self.request))


@method_decorator(
    operation(
        name="list_orders",
        tag="Orders",
        summary="List your orders",
        description=(
            "Newest first. An order is the seats that were booked together, of one show. It stays if it has payments "
            "and its seats were booked under another reference."
        ),
        invalid=("page_size", "max_value", "Ensure this value is less than or equal to 100."),
        refusals=[services.NotFound],
        paged=True,
    ),
    name="list",
)
@method_decorator(
    operation(
        name="get_order",
        tag="Orders",
        summary="See an order",
        responses={200: OrderSerializer},
        refusals=[services.NotFound],
    ),
    name="retrieve",
)
class OrderViewSet(OwnOrders):
    lookup_field = "reference"
    lookup_value_regex = REFERENCE

    def list(self, request: Request) -> Response:
        orders = self.filter_queryset(self.get_queryset())
        return self.get_paginated_response(represent_orders(self.paginate_queryset(orders) or []))

    def retrieve(self, request: Request, reference: str) -> Response:
        return Response(own_order(request, reference))


class CancelOrderView(LimitedView):
    @operation(
        name="cancel_order",
        tag="Orders",
        summary="Cancel an order",
        description="Cancels all your active bookings of this order, or none.",
        responses={200: OrderSerializer},
        refusals=CANCEL_REFUSALS,
    )
    def post(self, request: Request, reference: str) -> ApiResponse:
        services.cancel_order(user=account(request), reference=reference, now=timezone.now())
        return ApiResponse(own_order(request, reference))
