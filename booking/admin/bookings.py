"""The admin of bookings."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from booking import services
from booking.admin.common import RefusalFormMixin, ValidSelectionMixin, carry_out
from booking.admin.forms import (
    SellForm,
)
from booking.admin.history import events_of_booking, with_bookings
from booking.admin.reports import ReportsPage
from booking.models import Booking, User


@admin.register(Booking)
class BookingAdmin(ValidSelectionMixin, RefusalFormMixin, ReportsPage):
    """Sells seats and cancels bookings; bookings can't be edited or deleted."""

    form = SellForm
    # The most important columns come first, because narrow screens show only these without scrolling.
    list_display = ("reference", "seat_label", "user", "status", "show", "created_at")
    list_filter = ("status", "show__screen", "created_at")
    list_select_related = ("show__movie", "show__screen", "user")
    search_fields = ("user__username", "show__movie__title")
    ordering = ("-id",)
    search_help_text = "Search by reference, username or movie"
    fields = ("show", "seat_number", "customer")
    autocomplete_fields = ("show",)
    actions = ("cancel",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        # Without blocked seats and expired holds.
        bookings = super().get_queryset(request).of_customers(timezone.now())  # type: ignore[attr-defined]
        return bookings.select_related("show__movie", "show__screen", "user")  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        # Looking up the reference alone can use its index; a search in several columns can't.
        with_reference = queryset.filter(reference=search_term.strip().upper())
        if search_term and with_reference.exists():
            return with_reference, False
        return super().get_search_results(request, queryset, search_term)

    def get_fields(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        if obj is None:
            return self.fields
        sale = ("reference", "status", "user", "show", "seat_label", "created_at", "sold_by", "moved_by")
        return (*sale, "cancelled_at", "who_cancelled")

    @admin.display(description="cancelled by")
    def who_cancelled(self, booking: Booking) -> str:
        return str(booking.cancelled_by or booking.canceller or "-")

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

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page = super().history_view(request, object_id, extra_context)
        return with_bookings(self, request, page, events_of_booking)

    def log_addition(self, request: HttpRequest, obj: Booking, message: Any) -> Any:
        """Does nothing, because the service writes the log entry."""

    def save_model(self, request: HttpRequest, obj: Booking, form: Any, change: bool) -> None:
        obj.pk = services.book_seat(
            user=form.cleaned_data["customer"],
            show_id=form.cleaned_data["show"].pk,
            seat_number=form.cleaned_data["seat_number"],
            now=timezone.now(),
            sold_by=cast(User, request.user),
        ).pk
        obj.refresh_from_db()

    @admin.action(description="Cancel selected bookings", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Booking]) -> None:
        def cancel(booking: Booking) -> None:
            services.cancel_booking(booking_id=booking.pk, now=timezone.now(), cancelled_by=cast(User, request.user))

        carry_out(request, queryset, "booking", "cancelled", cancel)
