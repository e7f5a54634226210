"""The admin of bookings."""

from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from booking import services
from booking.admin.admissions import AdmissionsPage
from booking.admin.booking_filters import CustomerFilter, DayFilter, ShowFilter, StatusFilter
from booking.admin.booking_page import BookingPage, hall_url
from booking.admin.cancelling import CancelPages
from booking.admin.common import RefusalFormMixin, SearchFieldsMixin, ValidSelectionMixin, limit_notice
from booking.admin.forms import (
    SellForm,
)
from booking.admin.history import add_events, events_of_booking
from booking.admin.reports import ReportsPage
from booking.models import Booking, Movie, Order, Show, User, of_outer_order, represent_amount


@admin.register(Booking)
class BookingAdmin(
    ValidSelectionMixin, SearchFieldsMixin, RefusalFormMixin, BookingPage, CancelPages, ReportsPage, AdmissionsPage
):
    """Sells seats and cancels bookings; bookings can't be edited or deleted."""

    form = SellForm
    # The most important columns come first, because narrow screens show only these without scrolling.
    list_display = ("reference", "seat", "user", "status", "show", "created_at")
    list_filter = (StatusFilter, DayFilter, ShowFilter, CustomerFilter, "show__screen", "created_at")
    list_select_related = ("show__movie", "show__screen", "user")
    # get_search_results searches the customers and movies too.
    search_fields = ("reference",)
    ordering = ("-id",)
    search_help_text = "Search by any part of reference, username, name, e-mail address, phone number or movie"
    fields = ("show", "seat_number", "customer", "ticket")
    autocomplete_fields = ("show",)
    actions = ("cancel",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        bookings = super().get_queryset(request).without_ended_holds(timezone.now())  # type: ignore[attr-defined]
        return bookings.select_related("show__movie", "show__screen", "user")  # type: ignore[no-any-return]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Booking], search_term: str
    ) -> tuple[QuerySet[Booking], bool]:
        # Looking up the reference alone can use its index; a search in several columns can't.
        with_reference = queryset.filter(reference=search_term.strip().upper())
        if search_term and with_reference.exists():
            return with_reference, False
        for word in search_term.split():
            # Customers and movies are searched in their own tables, not for each booking.
            movies = Movie.objects.matching(word).order_by()
            orders = of_outer_order(Order.objects.with_contact(word))
            queryset = queryset.filter(
                Q(reference__icontains=word)
                | Q(user__in=User.objects.matching(word).order_by())
                | Q(show__in=Show.objects.filter(movie__in=movies).order_by())
                | Q(Exists(orders.order_by()), user=None)
            )
        return queryset, False

    def has_change_permission(self, request: HttpRequest, obj: Booking | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Booking | None = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().add_view(request, form_url, {"title": "Sell a seat", **(extra_context or {})})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page = super().history_view(request, object_id, extra_context)
        return add_events(self, request, page, events_of_booking)

    def log_addition(self, request: HttpRequest, obj: Booking, message: Any) -> Any:
        """Does nothing, because the service writes the log entry."""

    def save_model(self, request: HttpRequest, obj: Booking, form: Any, change: bool) -> None:
        obj.pk = services.book_seat(
            user=form.cleaned_data["customer"],
            show_id=form.cleaned_data["show"].pk,
            seat_number=form.cleaned_data["seat_number"],
            now=timezone.now(),
            ticket_type=form.cleaned_data["ticket_type"],
            expected_total=form.cleaned_data["expected_total"],
            sold_by=cast(User, request.user),
        ).pk
        obj.refresh_from_db()
        if notice := limit_notice(obj.show, form.cleaned_data["customer"], "has"):
            messages.warning(request, notice)

    def response_add(self, request: HttpRequest, obj: Booking, post_url_continue: str | None = None) -> HttpResponse:
        """Leads to the booking's seat in the hall."""
        if {"_addanother", "_continue"} & request.POST.keys() or not request.user.has_perm("booking.view_show"):
            return super().response_add(request, obj, post_url_continue)
        price = f" for {represent_amount(obj.price)} {settings.CURRENCY}" if obj.price else ""
        messages.success(request, f"Sold {obj.label} to {obj.user}{price}, {obj.reference}.")
        return HttpResponseRedirect(hall_url(obj))
