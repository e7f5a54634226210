"""The admin of shows."""

import calendar
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from booking import services
from booking.admin.common import (
    ExplainedDeletionAdmin,
    RefusalFormMixin,
    SearchFieldsMixin,
    ValidSelectionMixin,
    carry_out,
    counted,
)
from booking.admin.copy_days import CopyDaysPage
from booking.admin.door import DoorPage
from booking.admin.forms import (
    BlockForm,
    CopyShowForm,
    PriceListChoiceForm,
    SeatsForm,
    ShowForm,
)
from booking.admin.hall import HallAdmin, labels
from booking.admin.history import Event, add_events, events_of_bookings
from booking.admin.notes import NoteForm, has_valid_note, note_context, note_of
from booking.admin.plan import PlanPage, start_question
from booking.admin.shown_values import ShownValuesAdmin
from booking.admin.time_fields import LOCAL_TIMES
from booking.models import Booking, Show, User


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("upcoming", "Upcoming"), ("past", "Started"), ("cancelled", "Cancelled")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        narrowed = {
            "upcoming": queryset.upcoming(now),
            "past": queryset.filter(starts_at__lte=now, cancelled_at=None),
            "cancelled": queryset.exclude(cancelled_at=None),
        }
        return narrowed.get(self.value() or "", queryset)


class StartNotConfirmed(Exception):
    """The form moves the start of a show with sold seats, and this was not confirmed."""

    def __init__(self, show: Show, starts_at: datetime) -> None:
        self.show = show
        self.starts_at = starts_at


class WeekdayFilter(admin.SimpleListFilter):
    title = "day of the week"
    parameter_name = "weekday"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(day), name) for day, name in enumerate(calendar.day_name, start=1)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Show]) -> QuerySet[Show]:
        day = self.value()
        return queryset.filter(starts_at__iso_week_day=int(day)) if day and day in "1234567" else queryset


@admin.register(Show)
class ShowAdmin(
    ValidSelectionMixin,
    SearchFieldsMixin,
    RefusalFormMixin,
    ShownValuesAdmin,
    ExplainedDeletionAdmin,
    HallAdmin,
    PlanPage,
    CopyDaysPage,
    DoorPage,
):
    form = ShowForm
    formfield_overrides = LOCAL_TIMES
    fields = ("movie", "screen", "starts_at", "ends_at", "price_list")
    list_display = ("starts_at", "movie", "screen", "sold", "state")
    list_display_links = ("starts_at", "movie")
    list_filter = (StateFilter, WeekdayFilter, "screen", "price_list")
    list_select_related = ("movie", "screen")
    search_fields = ("movie__folded_title", "movie__title", "screen__name")
    date_hierarchy = "starts_at"
    ordering = ("starts_at", "id")
    autocomplete_fields = ("movie",)
    actions = ("copy", "set_price_list", "block", "unblock", "cancel")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Show]:
        return Show.objects.select_related("movie", "screen").with_seats_sold()

    @admin.display(description="seats sold", ordering="seats_sold")
    def sold(self, show: Any) -> str:
        return f"{show.seats_sold} of {show.total_seats}"

    @admin.display(description="state")
    def state(self, show: Show) -> str:
        if show.is_cancelled:
            return "cancelled"
        return "started" if show.has_started(timezone.now()) else "on sale"

    def has_change_permission(self, request: HttpRequest, obj: Show | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_cancelled)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Shows are deleted one by one, so that each refusal can be shown.
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Show], search_term: str
    ) -> tuple[QuerySet[Show], bool]:
        shows: Any
        shows, duplicates = super().get_search_results(request, queryset, search_term)
        if request.GET.get("field_name") == "show":
            # For the autocomplete field of the form that sells seats: only shows on sale.
            shows = shows.upcoming(timezone.now())
        return shows, duplicates

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if show := context["original"]:
            context |= {"title": str(show), "subtitle": None, "note_form": NoteForm()}
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except StartNotConfirmed as question:
            context = {
                **self.admin_site.each_context(request),
                "title": "Move the start of a sold show",
                "opts": self.opts,
                **start_question(question.show, question.starts_at),
                "form_fields": [
                    (name, value)
                    for name, values in request.POST.lists()
                    if name not in ("csrfmiddlewaretoken", "note")
                    for value in values
                ],
                **note_context(request, Booking.objects.filter(show=question.show)),
            }
            return TemplateResponse(request, "admin/booking/show/move_start.html", context)

    def save_model(self, request: HttpRequest, obj: Show, form: Any, change: bool) -> None:
        now = timezone.now()
        if change:
            self._check_start_is_confirmed(request, obj, form)
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            staff = cast(User, request.user)
            services.change_show(show_id=obj.pk, now=now, changed_by=staff, note=note_of(request), **changes)
        else:
            obj.pk = services.plan_show(now=now, **form.cleaned_data).pk
        obj.refresh_from_db()

    def _check_start_is_confirmed(self, request: HttpRequest, obj: Show, form: Any) -> None:
        is_confirmed = "start_confirmed" in request.POST and has_valid_note(request)
        if "starts_at" in form.changed_data and not is_confirmed:
            show: Any = self.get_queryset(request).filter(pk=obj.pk).first()
            if show and show.seats_sold:
                raise StartNotConfirmed(show, obj.starts_at)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return self.delete_in_own_transaction(request, object_id, extra_context)
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(reverse("admin:booking_show_changelist"))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        # Blocked seats and expired holds are deleted with the show; the service decides whether this is allowed.
        to_delete, counts, missing, protected = super().get_deleted_objects(objs, request)
        blocks = {Booking._meta.verbose_name}
        # If a reason protects the show, nothing is to delete.
        return to_delete, counts, missing - blocks, [] if to_delete else protected

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        def events(show: Show) -> list[Event]:
            return events_of_bookings(Booking.objects.filter(show=show))

        return add_events(self, request, super().history_view(request, object_id, extra_context), events)

    def delete_model(self, request: HttpRequest, obj: Show) -> None:
        services.delete_show(show_id=obj.pk, now=timezone.now())

    @admin.action(description="Cancel selected shows and their bookings", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        if "confirmed" not in request.POST or not has_valid_note(request):
            of_shows = Booking.objects.filter(show__in=queryset.order_by().values("pk"))
            context = note_context(request, of_shows)
            return self._ask(request, queryset, "cancel", "Cancel shows", more=context)

        staff, note = cast(User, request.user), note_of(request)

        def cancel(show: Show) -> None:
            count = services.cancel_show(show_id=show.pk, now=timezone.now(), cancelled_by=staff, note=note)
            self.log_change(request, show, f"Cancelled; {counted(count, 'booking')} cancelled.")

        carry_out(request, queryset, "show", "cancelled", cancel)
        return None

    @admin.action(description="Copy selected show to other days and times", permissions=["add"])
    def copy(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        if not self._is_one(request, queryset):
            return None
        starts_at = timezone.localtime(queryset.get().starts_at)
        day = starts_at.date() + timedelta(days=1)
        suggestion = {"first_day": day, "last_day": day, "times": f"{starts_at:%H:%M}"}
        form = CopyShowForm(request.POST if "confirmed" in request.POST else None, initial=suggestion)
        if form.is_valid():
            try:
                show = queryset.get()
                copies = services.copy_show(show=show, starts=form.cleaned_data["starts"], now=timezone.now())
                self.log_change(request, show, f"Copied to {counted(len(copies), 'other time')}.")
                messages.success(request, f"{counted(len(copies), 'show')} added.")
            except services.Refusal as refusal:
                form.add_error(None, f"{refusal.detail} Nothing was added.")
            else:
                return None
        return self._ask(request, queryset, "copy", "Copy a show", form)

    @admin.action(description="Set the price list of selected shows", permissions=["change"])
    def set_price_list(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        shows = queryset.select_related("price_list")
        form = PriceListChoiceForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, shows, "set_price_list", "Set the price list", form)
        price_list = form.cleaned_data["price_list"]

        def change(show: Show) -> None:
            staff = cast(User, request.user)
            services.change_show(show_id=show.pk, now=timezone.now(), changed_by=staff, price_list=price_list)
            self.log_change(request, show, f"Price list changed to {price_list or 'none: free'}.")

        carry_out(request, shows, "show", "changed", change)
        return None

    @admin.action(description="Block seats of selected show", permissions=["change"])
    def block(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        def block(show: Show, form: Form) -> str:
            seats, reason = form.cleaned_data["seats"], form.cleaned_data["reason"]
            services.block_seats(show_id=show.pk, seat_numbers=seats, reason=reason, now=timezone.now())
            return f"Blocked {labels(show, seats)} ({reason})."

        return self._change_seats(request, queryset, BlockForm, block, "block", "Block seats")

    @admin.action(description="Unblock seats of selected show", permissions=["change"])
    def unblock(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        def unblock(show: Show, form: Form) -> str:
            seats = form.cleaned_data["seats"]
            services.unblock_seats(show_id=show.pk, seat_numbers=seats)
            return f"Unblocked {labels(show, seats)}."

        return self._change_seats(request, queryset, SeatsForm, unblock, "unblock", "Unblock seats")

    def _change_seats(
        self,
        request: HttpRequest,
        queryset: QuerySet[Show],
        form_class: type[SeatsForm],
        change: Callable[[Show, Form], str],
        action: str,
        title: str,
    ) -> HttpResponse | None:
        """Shows a form for seats of one show and calls `change`, which returns a report."""
        if not self._is_one(request, queryset):
            return None
        show = queryset.get()
        form = form_class(request.POST if "confirmed" in request.POST else None, show=show)
        if form.is_valid():
            try:
                done = change(show, form)
                self.log_change(request, show, done)
                messages.success(request, done)
            except services.Refusal as refusal:
                form.add_error(None, f"{refusal.detail} Nothing was changed.")
            else:
                return None
        return self._ask(request, queryset, action, title, form)

    def _is_one(self, request: HttpRequest, queryset: QuerySet[Show]) -> bool:
        if queryset.count() == 1:
            return True
        messages.error(request, "Select one show.")
        return False

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Show],
        action: str,
        title: str,
        form: Form | None = None,
        more: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the intermediate page of an action."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "action": action,
            "shows": queryset,
            "form": form,
            "media": self.media,
            **(more or {}),
        }
        return TemplateResponse(request, "admin/booking/show/ask.html", context)
