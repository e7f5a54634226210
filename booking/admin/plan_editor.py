"""The editor of a screen's seat plan: its text beside the hall that the server draws from it."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from booking import services
from booking.models import STANDARD, Screen, SeatCategory, full_rows


class LayoutEditor(forms.Textarea):
    template_name = "admin/booking/screen/layout.html"

    class Media:
        css: ClassVar = {"all": ["booking/hall.css", "booking/plan-editor.css"]}
        js: ClassVar = [forms.Script("booking/plan-editor.js", type="module")]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return super().get_context(name, value, attrs) | {"categories": SeatCategory.objects.all()}


def layout_of(screen: Screen) -> str:
    """Return the text of the screen's seat plan. A screen of version 1.0 has none yet, but full rows."""
    return screen.plan.layout if screen.plan else full_rows(screen.total_seats, screen.seats_per_row, STANDARD)


def _drawn(drawing: services.Drawing) -> dict[str, Any]:
    """Return the hall as `/api/seat-plans/<id>/` does, with the canonical text and the positions of its rows.

    The cells of a row begin at its `column` of its `line`, which count from 1; all rows have `margin` gaps on the left.
    """
    hall = drawing.hall
    return {
        "layout": str(drawing.layout),
        "margin": drawing.layout.margin,
        "total_seats": hall.total_seats,
        "categories": [
            {"code": category.code, "name": category.name, "colour": category.colour} for category in drawing.categories
        ],
        "rows": [
            {
                "label": line.label,
                "line": line.number,
                "column": line.column,
                "seats": [hall.represent(seat) for seat in row],
            }
            for line, row in zip(drawing.layout.rows, hall.rows, strict=True)
        ],
    }


class PlanEditorPage(admin.ModelAdmin):
    """Draws the hall of a text while staff edit it."""

    @admin.display(description="Seat plan")
    def layout(self, screen: Screen) -> str:
        """Return the text for users who may not change it."""
        return format_html("<pre>{}</pre>", layout_of(screen))

    def get_urls(self) -> list[Any]:
        view: Callable[..., HttpResponse] = self.admin_site.admin_view(self.layout_view)
        return [path("layout/", view, name="booking_screen_layout"), *super().get_urls()]

    @method_decorator(require_POST)
    def layout_view(self, request: HttpRequest) -> HttpResponse:
        """Return the drawn hall, or status 400 with the error's line and column."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            return JsonResponse({"detail": "You may not change screens."}, status=403)
        try:
            drawing = services.draw_layout(layout=request.POST.get("layout", ""))
        except services.InvalidLayout as refusal:
            return JsonResponse({"detail": refusal.detail, **refusal.extra}, status=400)
        return JsonResponse(_drawn(drawing))
