"""The page that gives upcoming shows the seat plan that their screen has now, with a preview."""

import re
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from booking import services
from booking.admin.common import counted
from booking.models import POSITIVE_ID, Screen
from movieticket.deadline import with_staff_deadline


class PlanSwitchPage(admin.ModelAdmin):
    """Lists the upcoming shows with another seat plan; those that are ticked get the screen's."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.switch_view)
        return [path("<str:object_id>/seat-plan/", view, name="booking_screen_switch"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if screen := context["original"]:
            context["other_plans"] = self._other_plans(request, screen)
        return super().render_change_form(request, context, *args, **kwargs)

    def report_other_plans(self, request: HttpRequest, screen: Screen) -> None:
        if sentence := self._other_plans(request, screen):
            messages.info(request, sentence)

    def _other_plans(self, request: HttpRequest, screen: Screen) -> str:
        """Return how many upcoming shows have another seat plan than the screen, with a link; empty if none has."""
        number = services.shows_with_other_plans(screen=screen, now=timezone.now()).count()
        if not number:
            return ""
        sentence = f"{counted(number, 'upcoming show')} still {'has' if number == 1 else 'have'} another seat plan."
        if not request.user.has_perm("booking.change_show"):
            return sentence
        url = reverse("admin:booking_screen_switch", args=[screen.pk])
        return format_html('{} <a href="{}">Change upcoming shows to the new seat plan</a>', sentence, url)

    @with_staff_deadline
    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm("booking.change_show")):
            raise PermissionDenied
        pk = unquote(object_id)
        # Without a lock: the service locks each show.
        screen = Screen.objects.filter(pk=pk).first() if re.fullmatch(POSITIVE_ID, pk) else None
        if screen is None:
            raise Http404
        switches = services.preview_switch(screen=screen, now=timezone.now())
        if request.method == "POST":
            self._switch(request, switches)
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": "Use the new seat plan for upcoming shows",
            "opts": self.opts,
            "screen": screen,
            "switches": [(switch, ", ".join(map(switch.show.seat_label, switch.differing))) for switch in switches],
            "is_possible": any(switch.is_possible for switch in switches),
        }
        return TemplateResponse(request, "admin/booking/screen/switch.html", context)

    def _switch(self, request: HttpRequest, switches: list[services.PlanSwitch]) -> None:
        """Switches the ticked shows one by one, and reports each refusal."""
        chosen = set(request.POST.getlist("chosen"))
        shows = [switch.show for switch in switches if str(switch.show.pk) in chosen]
        if not shows:
            messages.error(request, "Tick the shows that get the new seat plan.")
        done = 0
        for show in shows:
            try:
                services.switch_plan(show_id=show.pk, now=timezone.now())
            except services.Refusal as refusal:
                messages.error(request, f"{show}: {refusal.detail}")
            else:
                self.log_change(request, show, "Changed to the screen's new seat plan.")
                done += 1
        if done:
            messages.success(request, f"{counted(done, 'show')} changed to the new seat plan.")
