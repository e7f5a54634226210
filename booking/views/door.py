"""Views for devices at the door."""

from django.conf import settings
from django.utils import timezone
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.permissions import MayCheckIn
from booking.renderers import ApiResponse
from booking.serializers import (
    CheckInSerializer,
    DoorListSerializer,
    ScanSerializer,
    UndoSerializer,
    represent_check_in,
    represent_door_list,
)
from booking.throttling import DoorThrottle
from booking.views.caching import private_response
from booking.views.common import account, created, validated
from booking.views.errors import Documented
from booking.views.openapi import operation

ADMIT_REFUSALS: list[Documented] = [
    services.NotFound,
    "permission_denied",
    services.TicketInvalid,
    services.TicketCancelled,
    services.TicketUnpaid,
    services.WrongShow,
    services.AlreadyCheckedIn,
    services.NotYetOpen,
    services.NonceReused,
]


class DoorView(APIView):
    """For staff with the permission `check_in`; others get 403. Staff who see only today's doors get 404 for others."""

    permission_classes = [IsAuthenticated, MayCheckIn]
    throttle_classes = [DoorThrottle]


class CheckInsView(DoorView):
    @operation(
        name="admit_ticket",
        tag="Door",
        summary="Admit a ticket",
        description=(
            f"Admits a ticket once, from {settings.DOORS_OPEN_MINUTES} minutes before the start. For staff with the "
            "permission `check_in`; without permission to view shows, for shows of the day only. A request with the "
            "`nonce` of an earlier one gets the first response again."
        ),
        request=ScanSerializer,
        responses={201: CheckInSerializer},
        invalid=("ticket", "required", "Enter a ticket or a reference."),
        refusals=ADMIT_REFUSALS,
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        scan = services.Scan(**validated(ScanSerializer, request))
        stored = services.admit(show_id=int(pk), scan=scan, by=account(request), now=timezone.now())
        return created(request, f"shows/{pk}/check-ins/", represent_check_in(stored))

    @operation(
        name="list_admissions",
        tag="Door",
        summary="See who is admitted",
        description=(
            "The bookings of a show with the serials of their tickets and what is unpaid, so that a device can check "
            "tickets without the network. A request with the response's `ETag` in `If-None-Match` gets 304 if nothing "
            "has changed."
        ),
        responses={200: DoorListSerializer},
        refusals=[services.NotFound, "permission_denied"],
        conditional=True,
    )
    def get(self, request: Request, pk: str) -> Response:
        door_list = services.read_door_list(show_id=int(pk), by=account(request), now=timezone.now())
        return private_response(request, door_list.version, lambda: represent_door_list(door_list))


class UndoCheckInView(DoorView):
    @operation(
        name="undo_admission",
        tag="Door",
        summary="Undo an admission",
        description="With a reason, which is stored. The ticket can then be admitted again.",
        request=UndoSerializer,
        responses={201: CheckInSerializer},
        invalid=("reason", "required", "This field is required."),
        refusals=[services.NotFound, "permission_denied", services.NotCheckedIn, services.NonceReused],
    )
    def post(self, request: Request, pk: str) -> ApiResponse:
        data = validated(UndoSerializer, request)
        stored = services.undo_admission(
            show_id=int(pk), booking_id=data.pop("booking"), by=account(request), now=timezone.now(), **data
        )
        return created(request, f"shows/{pk}/check-ins/", represent_check_in(stored))
