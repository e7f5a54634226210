"""The page that copies the shows of a day or a week, with a preview of the copies that are refused."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from booking import services
from booking.admin.common import counted
from booking.admin.forms import DayForm
from booking.admin.plan import plan_url
from booking.admin.plan_forms import CopyDaysForm
from movieticket.deadline import with_staff_deadline


class CopyDaysPage(admin.ModelAdmin):
    """Shows the copies first; those that are ticked then are added, all or none."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.copy_days_view)
        return [path("copy/", view, name="booking_show_copy"), *super().get_urls()]

    @with_staff_deadline
    def copy_days_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = (
            CopyDaysForm(request.POST) if request.method == "POST" else CopyDaysForm(initial=self._suggestion(request))
        )
        copies = None
        if form.is_valid():
            try:
                if "add" in request.POST and (response := self._add_copies(request, form)):
                    return response
                copies = services.preview_copies(now=timezone.now(), **form.period)
            except services.Refusal as refusal:
                form.add_error(None, refusal.detail)
        context = {
            **self.admin_site.each_context(request),
            "title": "Copy shows to other days",
            "opts": self.opts,
            "form": form,
            "copies": copies,
            "refused": sum(copy.refusal is not None for copy in copies or []),
        }
        return TemplateResponse(request, "admin/booking/show/copy_days.html", context)

    @staticmethod
    def _suggestion(request: HttpRequest) -> dict[str, Any]:
        form = DayForm(request.GET)
        day = form.cleaned_data["day"] if form.is_valid() else timezone.localdate()
        days = 7 if request.GET.get("copy") == "week" else 1
        return {"copy": "week" if days == 7 else "day", "first_day": day, "to": day + timedelta(days=days)}

    def _add_copies(self, request: HttpRequest, form: CopyDaysForm) -> HttpResponse | None:
        """Adds the ticked shows and leads to the plan; adds an error to the form if they are refused."""
        keys = request.POST.getlist("chosen")
        if not keys:
            form.add_error(None, "Tick the shows to add.")
            return None
        try:
            shows = services.add_copies(keys=keys, now=timezone.now(), **form.period)
        except services.Refusal as refusal:
            form.add_error(None, f"{refusal.detail} Nothing was added.")
            return None
        except IntegrityError:
            form.add_error(None, "A show was deleted at the same time. Nothing was added.")
            return None
        for show in shows:
            self.log_addition(request, show, [{"added": {}}])
        messages.success(request, f"{counted(len(shows), 'show')} added.")
        return HttpResponseRedirect(plan_url(form.cleaned_data["to"]))
