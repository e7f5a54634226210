"""The admin of accounts, movies, screens, seat categories and ticket types."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from booking import services
from booking.admin.common import LockedRowAdmin
from booking.admin.forms import AccountCreationForm, ScreenForm
from booking.admin.imports import MovieImportPages
from booking.admin.plan_editor import PlanEditorPage
from booking.admin.plan_switch import PlanSwitchPage
from booking.models import Booking, Movie, Screen, SeatCategory, TicketType, User

NEWEST_BOOKINGS = 20
RIGHTS_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(Group)


@admin.register(Group)
class LockedGroupAdmin(LockedRowAdmin, GroupAdmin):
    """Django's pages of groups, which also report a name that is saved twice at the same time."""

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        """Only superusers change rights; others could add them to a group that they are in."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else [*fields, "permissions"]


def _may_manage(request: HttpRequest, account: User | None) -> bool:
    """Return whether the account is not a superuser's, or a superuser makes the request."""
    return account is None or not account.is_superuser or request.user.is_superuser


@admin.register(User)
class AccountAdmin(LockedRowAdmin, UserAdmin):
    add_form = AccountCreationForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only superusers change rights; others could give themselves all of them."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else [*fields, *RIGHTS_FIELDS]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_manage(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        found = User.objects.matching(search_term).order_by()
        return (queryset.filter(pk__in=found) if search_term else queryset), False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Adds the user's newest bookings, for staff who may view bookings."""
        account: User | None = context["original"]
        if account and request.user.has_perm("booking.view_booking"):
            of_account = Booking.objects.filter(user=account).of_customers(timezone.now())
            bookings = of_account.select_related("show__movie", "show__screen").order_by("-created_at", "-id")
            context["bookings"] = list(bookings[:NEWEST_BOOKINGS])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Explains at the permissions, where “Active” is, why the account can't be deleted."""
        fieldsets = super().get_fieldsets(request, obj)
        reason = services.why_not_deleted(obj=obj, now=timezone.now())
        if not reason:
            return fieldsets
        described = {"description": f"This account can't be deleted. {reason}"}
        return [
            (name, options | described if "is_active" in options["fields"] else options) for name, options in fieldsets
        ]

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[User]) -> Any:
        """Also removes the usernames from the history."""
        entries = super().log_deletions(request, queryset)
        for account in queryset:
            services.forget_username(account=account)
        return entries

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # get_object locks the account.
        with transaction.atomic():
            return super().user_change_password(request, *args, **kwargs)


class ValuesFilter(admin.AllValuesFieldListFilter):
    """Gives the empty value a name; Django shows a link without text."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice.get("display") or "Not known"}


@admin.register(Movie)
class MovieAdmin(LockedRowAdmin, MovieImportPages):
    list_display = (
        "by_title",
        "release_date",
        "duration_minutes",
        "certificate",
        "genre",
        "director",
        "upcoming_shows",
    )
    list_filter = (
        ("genre", ValuesFilter),
        ("certificate", ValuesFilter),
        ("language", ValuesFilter),
        ("duration_minutes", admin.EmptyFieldListFilter),
    )
    # The title and the director for rows that are not folded yet.
    search_fields = ("folded_title", "folded_director", "title", "director")
    change_list_template = "admin/booking/movie/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Movie]:
        return Movie.objects.with_upcoming_shows(timezone.now())

    @admin.display(description="title", ordering="folded_title")
    def by_title(self, movie: Movie) -> str:
        return movie.title

    @admin.display(description="upcoming shows", ordering="upcoming_shows")
    def upcoming_shows(self, movie: Any) -> int:
        return int(movie.upcoming_shows)


@admin.register(Screen)
class ScreenAdmin(LockedRowAdmin, PlanEditorPage, PlanSwitchPage):
    form = ScreenForm
    fields = ("name", "layout", "price_list", "turnaround_minutes")
    list_display = ("name", "total_seats", "price_list", "turnaround_minutes")
    # Each row's number of seats comes from its plan.
    list_select_related = ("plan", "price_list")

    def save_model(self, request: HttpRequest, obj: Screen, form: Any, change: bool) -> None:
        if not change or "layout" in form.changed_data:
            services.set_plan(screen=obj, plan=services.plan_of_layout(layout=form.cleaned_data["layout"]))
        super().save_model(request, obj, form, change)
        if change and "layout" in form.changed_data:
            obj.save(update_fields=["plan", "rows", "seats_per_row"])
            self.report_other_plans(request, obj)


@admin.register(SeatCategory)
class SeatCategoryAdmin(LockedRowAdmin):
    list_display = ("name", "code", "colour", "is_accessible", "is_paired")
    fields = ("code", "name", "colour", "is_accessible", "is_paired")

    def has_change_permission(self, request: HttpRequest, obj: SeatCategory | None = None) -> bool:
        # Seats are sold by what a category says, so one that a seat plan uses is shown read-only.
        return super().has_change_permission(request, obj) and not (obj and obj.is_used())

    def get_fieldsets(self, request: HttpRequest, obj: SeatCategory | None = None) -> Any:
        """Says why a used category can't be changed."""
        reason = "A seat plan uses this category, so it can't be changed. Add another one with another letter instead."
        [(name, options)] = super().get_fieldsets(request, obj)
        return [(name, options | ({"description": reason} if obj and obj.is_used() else {}))]


@admin.register(TicketType)
class TicketTypeAdmin(LockedRowAdmin):
    list_display = ("name", "description", "position", "is_active")
    fields = ("name", "description", "position", "is_active")
