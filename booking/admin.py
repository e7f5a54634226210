"""What cinema staff see. Whatever changes a show or a booking goes through the services."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist import admin as token_admin

from booking import services
from booking.forms import AccountCreationForm, CopyShowForm, MovieImportForm, SellForm, ShowForm
from booking.models import Booking, Movie, Screen, Show, User

admin.site.site_header = "Cinema"
admin.site.site_title = "Cinema"
admin.site.index_title = "Box office and schedule"
# SimpleJWT's own pages would show staff the refresh tokens of customers; they are registered on import.
admin.site.unregister([token_admin.BlacklistedToken, token_admin.OutstandingToken])  # type: ignore[attr-defined]


class RefusalsOnTheForm:
    """Shows a service's refusal on the form it came from, with what was typed still there."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Not super().changeform_view: that wraps a transaction around the services' own.
        show: Callable[..., HttpResponse] = self._changeform_view  # type: ignore[attr-defined]
        try:
            return show(request, object_id, form_url, extra_context)
        except services.Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
        except IntegrityError:
            # What the form refers to was deleted meanwhile; now the form sees it.
            pass
        return show(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        form: type[ModelForm] = super().get_form(request, obj, change, **kwargs)  # type: ignore[misc]
        refusal: services.Refusal | None = getattr(request, "refusal", None)
        return form if refusal is None else _refused(form, refusal)


def _refused(form: type[ModelForm], refusal: services.Refusal) -> type[ModelForm]:
    class RefusedForm(form):  # type: ignore[misc, valid-type]
        def clean(self) -> None:
            super().clean()
            self.add_error(refusal.field if refusal.field in self.fields else None, refusal.detail)

    return RefusedForm


class RivalsOnTheForm:
    """Where somebody else saved the same unique value meanwhile, lets the form see it and say so."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        show: Callable[..., HttpResponse] = super().changeform_view  # type: ignore[misc]
        try:
            return show(request, *args, **kwargs)
        except IntegrityError:
            return show(request, *args, **kwargs)


def carry_out(request: HttpRequest, queryset: QuerySet[Any], done: str, service: Callable[[Any], Any]) -> None:
    """Calls `service` on each selected row, and tells how many went through and what was refused."""
    count = 0
    for row in queryset:
        try:
            service(row)
            count += 1
        except services.Refusal as refusal:
            messages.error(request, f"{row}: {refusal.detail}")
    if count:
        messages.success(request, f"{count} {done}.")


@admin.register(User)
class AccountAdmin(RivalsOnTheForm, UserAdmin):
    add_form = AccountCreationForm


@admin.register(Movie)
class MovieAdmin(RivalsOnTheForm, admin.ModelAdmin):
    list_display = ("title", "release_date", "duration_minutes", "certificate", "genre", "director", "shows_to_come")
    list_filter = ("genre", "certificate", "language", ("duration_minutes", admin.EmptyFieldListFilter))
    search_fields = ("title", "director")
    change_list_template = "admin/booking/movie/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Movie]:
        return Movie.objects.with_shows_to_come(timezone.now())

    @admin.display(description="shows to come", ordering="shows_to_come")
    def shows_to_come(self, movie: Any) -> int:
        return int(movie.shows_to_come)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="booking_movie_import"), *super().get_urls()]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"has_import_permission": self.has_import_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Takes a CSV file and shows what became of its lines."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = MovieImportForm(request.POST or None, request.FILES or None)
        context = {
            **self.admin_site.each_context(request),
            "title": "Import movies",
            "opts": self.opts,
            "form": form,
            "columns": services.IMPORT_COLUMNS,
        }
        if form.is_valid():
            try:
                with io.TextIOWrapper(form.cleaned_data["file"].file, encoding="utf-8-sig", newline="") as lines:
                    context["report"] = services.import_movies(lines=lines)
            except services.Refusal as refusal:
                form.add_error("file", f"{refusal.detail} Nothing was changed.")
        return TemplateResponse(request, "admin/booking/movie/import.html", context)


@admin.register(Screen)
class ScreenAdmin(RivalsOnTheForm, admin.ModelAdmin):
    list_display = ("name", "rows", "seats_per_row", "total_seats")


class CalledOffFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("to_come", "To come"), ("past", "Started"), ("called_off", "Called off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        narrowed = {
            "to_come": queryset.filter(starts_at__gt=now, cancelled_at=None),
            "past": queryset.filter(starts_at__lte=now, cancelled_at=None),
            "called_off": queryset.exclude(cancelled_at=None),
        }
        return narrowed.get(self.value() or "", queryset)


@admin.register(Show)
class ShowAdmin(RefusalsOnTheForm, admin.ModelAdmin):
    form = ShowForm
    fields = ("movie", "screen", "starts_at", "ends_at", "total_seats", "seats_per_row")
    list_display = ("movie", "screen", "starts_at", "sold", "state")
    list_display_links = ("movie", "starts_at")
    list_filter = (CalledOffFilter, "screen")
    list_select_related = ("movie", "screen")
    search_fields = ("movie__title", "screen__name")
    date_hierarchy = "starts_at"
    ordering = ("starts_at", "id")
    autocomplete_fields = ("movie",)
    actions = ("copy", "call_off")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Show]:
        return Show.objects.select_related("movie", "screen").with_seats_sold()

    @admin.display(description="seats sold", ordering="seats_sold")
    def sold(self, show: Any) -> str:
        return f"{show.seats_sold} of {show.total_seats}"

    @admin.display(description="state")
    def state(self, show: Show) -> str:
        if show.is_cancelled:
            return "called off"
        return "started" if show.has_started(timezone.now()) else "on sale"

    def has_change_permission(self, request: HttpRequest, obj: Show | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_cancelled)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Shows are deleted one by one, each with its own refusal.
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Show], search_term: str
    ) -> tuple[QuerySet[Show], bool]:
        shows, duplicates = super().get_search_results(request, queryset, search_term)
        if request.GET.get("field_name") == "show":
            # Typed in the form that sells: past shows and those called off are no choice there.
            shows = shows.filter(starts_at__gt=timezone.now(), cancelled_at=None)
        return shows, duplicates

    def save_model(self, request: HttpRequest, obj: Show, form: Any, change: bool) -> None:
        now = timezone.now()
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.change_show(show_id=obj.pk, now=now, **changes)
        else:
            obj.pk = services.plan_show(now=now, **form.cleaned_data).pk
        obj.refresh_from_db()

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            # Not super().delete_view: that wraps a transaction around the service's own.
            return self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined, no-any-return]
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(reverse("admin:booking_show_changelist"))

    def delete_model(self, request: HttpRequest, obj: Show) -> None:
        services.delete_show(show_id=obj.pk)

    @admin.action(description="Call off selected shows and cancel their bookings", permissions=["change"])
    def call_off(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self._ask(request, queryset, "call_off", "Call off shows")

        def call_off(show: Show) -> None:
            count = services.call_off_show(show_id=show.pk, now=timezone.now())
            self.log_change(request, show, f"Called off; {count} bookings cancelled.")

        carry_out(request, queryset, "shows called off", call_off)
        return None

    @admin.action(description="Copy selected show to other days and times", permissions=["add"])
    def copy(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
        if queryset.count() != 1:
            messages.error(request, "Select one show to copy.")
            return None
        starts_at = timezone.localtime(queryset.get().starts_at)
        day = starts_at.date() + timedelta(days=1)
        suggestion = {"first_day": day, "last_day": day, "times": f"{starts_at:%H:%M}"}
        form = CopyShowForm(request.POST if "confirmed" in request.POST else None, initial=suggestion)
        if form.is_valid():
            try:
                show = queryset.get()
                copies = services.copy_show(show=show, starts=form.cleaned_data["starts"], now=timezone.now())
                self.log_change(request, show, f"Copied to {len(copies)} other times.")
                messages.success(request, f"{len(copies)} shows added.")
            except services.Refusal as refusal:
                form.add_error(None, f"{refusal.detail} Nothing was added.")
            else:
                return None
        return self._ask(request, queryset, "copy", "Copy a show", form)

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Show], action: str, title: str, form: Form | None = None
    ) -> HttpResponse:
        """A page between choosing an action and carrying it out."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "action": action,
            "shows": queryset,
            "form": form,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/booking/show/ask.html", context)


@admin.register(Booking)
class BookingAdmin(RefusalsOnTheForm, admin.ModelAdmin):
    """Sells seats and cancels bookings; edits and deletes none."""

    form = SellForm
    list_display = ("reference", "seat_label", "show", "user", "status", "created_at")
    list_filter = ("status", "show__screen", "created_at")
    list_select_related = ("show__movie", "show__screen", "user")
    search_fields = ("user__username", "show__movie__title")
    ordering = ("-id",)
    search_help_text = "Search by reference, user name or movie"
    fields = ("show", "seat_number", "customer")
    autocomplete_fields = ("show",)
    actions = ("cancel",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        return super().get_queryset(request).select_related("show__movie", "show__screen", "user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        # A reference is looked up by its index, which a search in several columns at once can't use.
        with_reference = queryset.filter(reference=search_term.strip().upper())
        if search_term and with_reference.exists():
            return with_reference, False
        return super().get_search_results(request, queryset, search_term)

    def get_fields(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        if obj is None:
            return self.fields
        return ("reference", "status", "user", "show", "seat_label", "created_at", "cancelled_at")

    def has_change_permission(self, request: HttpRequest, obj: Booking | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Booking | None = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.cancel_booking")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().add_view(request, form_url, {"title": "Sell a seat", **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Booking, form: Any, change: bool) -> None:
        obj.pk = services.book_seat(
            user=form.cleaned_data["customer"],
            show_id=form.cleaned_data["show"].pk,
            seat_number=form.cleaned_data["seat_number"],
            now=timezone.now(),
        ).pk
        obj.refresh_from_db()

    @admin.action(description="Cancel selected bookings", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        def cancel(booking: Booking) -> None:
            services.cancel_booking(booking_id=booking.pk, now=timezone.now())
            self.log_change(request, booking, "Cancelled.")

        carry_out(request, queryset, "bookings cancelled", cancel)
