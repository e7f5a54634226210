"""The admin's index page with today's shows, today's sales and shows that are nearly full."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from booking import services
from booking.admin.door import sees_only_the_door
from booking.models import Booking, Show

_index = admin.site.index


def front_page(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Adds the day's figures to the admin's index, as far as the user may view shows and bookings."""
    if sees_only_the_door(request):
        return HttpResponseRedirect(reverse("admin:booking_show_doors"))
    now = timezone.now()
    figures: dict[str, Any] = {}
    if _may_view(request, Show):
        figures["programme"] = services.read_programme(now=now)
    if _may_view(request, Booking):
        figures["sales"] = services.read_sales(now=now)
    return _index(request, figures | (extra_context or {}))


def _may_view(request: HttpRequest, model: type[Model]) -> bool:
    return bool(admin.site.get_model_admin(model).has_view_permission(request))


admin.site.index_template = "admin/booking/front_page.html"
admin.site.index = front_page  # type: ignore[method-assign, assignment]
