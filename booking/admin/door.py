"""The door: a page that admits the tickets of a show, and the list of today's shows that leads to it.

The page works without the network for a while: it checks tickets against its last list, keeps its scans and sends them
later. Its answers are JSON.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from booking import services
from booking.admin.common import conditional_json, errors_text
from booking.admin.door_forms import PictureForm, ScanForm, UndoForm
from booking.exception_handler import STATUS_OF_KIND
from booking.models import POSITIVE_ID, CheckIn, User

# Only this page uses the camera.
PERMISSIONS_POLICY = "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"
# The next step for staff, by the code of the refusal. The page has these texts too, for use without the network.
ADVICE = {
    "ticket_invalid": "Ask for the ticket, or type the reference of the order.",
    "ticket_cancelled": "Ask for the newest ticket; otherwise the box office helps.",
    "ticket_unpaid": "Send the customer to the box office to pay.",
    "wrong_show": "Show the customer the way.",
    "already_checked_in": "Somebody came in with this ticket. The box office helps.",
    "not_yet_open": "Ask the customer to wait.",
    "invalid": "Choose the seat.",
}


def may_check_in(request: HttpRequest) -> bool:
    return request.user.has_perm("booking.check_in")


def sees_only_the_door(request: HttpRequest) -> bool:
    """Return whether the user admits at the door and may view neither shows nor bookings."""
    return may_check_in(request) and not services.sees_all_doors(user=cast(User, request.user))


def _time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%H:%M}"


def _admitted(stored: services.StoredScan) -> dict[str, Any]:
    booking = stored.booking
    ticket_type = booking.ticket_type.name if booking.ticket_type else ""
    return {"ok": True, "booking": booking.pk, "seat": booking.label, "detail": ticket_type, "code": stored.conflict}


def _refused(refusal: services.Refusal) -> JsonResponse:
    choices = refusal.labels if isinstance(refusal, services.SeatNeeded) else []
    answer = {"ok": False, "code": refusal.code, "detail": refusal.detail, "advice": ADVICE.get(refusal.code, "")}
    return JsonResponse(answer | {"choices": choices}, status=STATUS_OF_KIND[refusal.kind])


def _scan(scan: services.RecentScan) -> dict[str, Any]:
    row = scan.check_in
    what = "Admitted" if row.action == CheckIn.Action.IN else f"Undone: {row.reason}"
    conflict = f", though {row.reason.replace('_', ' ')}" if row.action == CheckIn.Action.IN and row.reason else ""
    return {
        "booking": row.booking_id,
        "seat": scan.seat_label,
        "what": f"{what}{conflict}",
        "at": _time(row.scanned_at),
        "where": row.device or str(row.by),
        "undo": scan.can_undo,
    }


def _door_list(request: HttpRequest, show_id: int) -> services.DoorList:
    return services.read_door_list(show_id=show_id, by=cast(User, request.user), now=timezone.now())


def _door(request: HttpRequest, show_id: int) -> dict[str, Any]:
    door_list = _door_list(request, show_id)
    return {
        "show": show_id,
        "sold": door_list.sold,
        "admitted": door_list.admitted,
        "opens_at": door_list.opens_at.isoformat(),
        "opens": _time(door_list.opens_at),
        "seats": {seat.booking_id: [seat.seat_label, seat.serial, seat.state] for seat in door_list.seats},
        # For checking tickets without the network.
        "keys": services.public_keys(),
        "scans": [_scan(scan) for scan in services.read_recent_scans(show_id=show_id)],
    }


Action = Callable[[HttpRequest, int, dict[str, Any]], dict[str, Any]]


def _admit(request: HttpRequest, show_id: int, data: dict[str, Any]) -> dict[str, Any]:
    scan = services.Scan(data["nonce"], data["device"], scanned_at=data["scanned_at"], **data["presented"])
    stored = services.admit(show_id=show_id, scan=scan, by=cast(User, request.user), now=timezone.now())
    return _admitted(stored)


def _undo(request: HttpRequest, show_id: int, data: dict[str, Any]) -> dict[str, Any]:
    stored = services.undo_admission(
        show_id=show_id,
        booking_id=data["booking"],
        reason=data["reason"],
        by=cast(User, request.user),
        nonce=data["nonce"],
        device=data["device"],
        now=timezone.now(),
    )
    return {"ok": True, "seat": stored.booking.label, "detail": "The admission was undone."}


def _read_picture(_request: HttpRequest, _show_id: int, data: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "texts": services.read_qr_codes(pixels=data["pixels"], width=data["width"])}


ACTIONS: dict[str, tuple[type[Form], Action]] = {
    "admit": (ScanForm, _admit),
    "undo": (UndoForm, _undo),
    "picture": (PictureForm, _read_picture),
}


class DoorPage(admin.ModelAdmin):
    """The views of the door, which need the permission to check in and no other one."""

    def get_urls(self) -> list[Any]:
        def view(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            return self.admin_site.admin_view(function)

        door_list, action = require_GET(self.door_list_view), require_POST(self.door_action_view)
        return [
            path("door/", view(self.doors_view), name="booking_show_doors"),
            path("<str:object_id>/door/", view(self.door_view), name="booking_show_door"),
            path("<str:object_id>/door/list/", view(door_list), name="booking_show_door_list"),
            path("<str:object_id>/door/<str:name>/", view(action), name="booking_show_door_act"),
            *super().get_urls(),
        ]

    def doors_view(self, request: HttpRequest) -> HttpResponse:
        """Lists today's shows."""
        if not may_check_in(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Doors",
            "is_nav_sidebar_enabled": False,
            "shows": services.read_door_shows(now=timezone.now()),
        }
        return TemplateResponse(request, "admin/booking/show/doors.html", context)

    def door_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        show_id = _show_id(request, object_id)
        try:
            show = _door_list(request, show_id).show
        except services.NotFound as error:
            raise Http404 from error
        urls = {name: reverse("admin:booking_show_door_act", args=[show_id, name]) for name in ACTIONS}
        context = {
            **self.admin_site.each_context(request),
            "title": f"Door: {show.movie.title}",
            "is_nav_sidebar_enabled": False,
            "show": show,
            "urls": urls,
            "advice": json.dumps(ADVICE),
            # As text, without a separator of thousands.
            "max_scan_length": str(services.MAX_SCAN_LENGTH),
            "can_read_pictures": services.can_read_pictures(),
        }
        response = TemplateResponse(request, "admin/booking/show/door.html", context)
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response

    def door_list_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the list of the door, or status 304 if it still has the ETag in If-None-Match."""
        show_id = _show_id(request, object_id)
        try:
            return conditional_json(request, _door(request, show_id))
        except services.NotFound as refusal:
            return _refused(refusal)

    def door_action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Admits, undoes an admission or reads a picture."""
        show_id = _show_id(request, object_id)
        if name not in ACTIONS:
            raise Http404
        form_class, act = ACTIONS[name]
        form = form_class(request.POST, request.FILES)
        if not form.is_valid():
            refused = {"ok": False, "code": "invalid", "detail": errors_text(form), "advice": ""}
            return JsonResponse(refused, status=400)
        try:
            return JsonResponse(act(request, show_id, form.cleaned_data))
        except services.Refusal as refusal:
            return _refused(refusal)


def _show_id(request: HttpRequest, object_id: str) -> int:
    """Return the id of the show in the address. Raises PermissionDenied or Http404."""
    if not may_check_in(request):
        raise PermissionDenied
    if not re.fullmatch(POSITIVE_ID, object_id):
        raise Http404
    return int(object_id)
