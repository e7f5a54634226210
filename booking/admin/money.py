"""The parts that the read-only pages of payments, refunds and events share."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from booking import services
from booking.admin.booking_filters import DayFilter, day_of
from booking.models import Order, Payment, Refund, represent_amount


def may_see_payments(request: HttpRequest) -> bool:
    return request.user.has_perm("booking.view_payment") or may_issue_receipts(request)


def may_issue_receipts(request: HttpRequest) -> bool:
    return request.user.has_perm("booking.take_payment") or request.user.has_perm("booking.refund_payment")


def may_see_refunds(request: HttpRequest) -> bool:
    return request.user.has_perm("booking.view_refund") or request.user.has_perm("booking.refund_payment")


def sees_all_tills(request: HttpRequest) -> bool:
    return any(request.user.has_perm(f"booking.{name}_till") for name in ("view", "change"))


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that the services write; no page changes or deletes them."""

    actions: Any = ()
    show_full_result_count = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CreationDayFilter(DayFilter):
    """The day on which a payment or a refund was made."""

    title = "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        today = timezone.localdate()
        return [(f"{today}", "Today"), (f"{today - timedelta(days=1)}", "Yesterday")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        day = day_of(request)
        if day is None:
            return queryset
        begin, end = services.day_bounds(first=day, last=day)
        return queryset.filter(created_at__gte=begin, created_at__lt=end)


def attach_orders(rows: list[Any]) -> None:
    """Sets `order` of payments or refunds, in one query."""
    shows, references = {row.show_id for row in rows}, {row.reference for row in rows}
    orders = Order.objects.filter(show__in=shows, reference__in=references)
    by_key = {(order.show_id, order.reference): order for order in orders}
    for row in rows:
        row.order = by_key.get((row.show_id, row.reference))


class MoneyList(ChangeList):
    """Reads the orders of all rows of the page together."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        attach_orders(self.result_list)


class MoneyAdmin(ReadOnlyAdmin):
    """Payments and refunds, which belong to orders."""

    search_fields = ("reference",)
    search_help_text = "Search by the reference of an order, or by the provider's id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("show__movie", "show__screen", "created_by", "till__clerk")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MoneyList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        # One after the other, so that each can use its index; that of the provider's ids begins with the provider.
        term = search_term.strip()
        by_reference = queryset.filter(reference=term.upper())
        if not term:
            return queryset, False
        by_id = queryset.filter(provider__in=settings.PAYMENT_PROVIDERS, provider_id=term)
        return (by_reference if by_reference.exists() else by_id), False

    @staticmethod
    def order_of(row: Payment | Refund) -> Order | None:
        if not hasattr(row, "order"):
            attach_orders([row])
        return row.order  # type: ignore[union-attr, no-any-return]

    @admin.display(description="order")
    def order_link(self, row: Payment | Refund) -> str:
        if order := self.order_of(row):
            return format_html('<a href="{}">{}</a>', reverse("admin:booking_order_change", args=[order.pk]), order)
        return row.reference

    @admin.display(description="time", ordering="created_at")
    def time(self, row: Payment | Refund) -> datetime:
        return row.created_at

    @admin.display(description="amount", ordering="amount")
    def amount_text(self, row: Payment | Refund) -> str:
        return f"{represent_amount(row.amount)} {row.currency}"

    @admin.display(description="show")
    def show_text(self, row: Payment | Refund) -> str:
        return str(row.show)

    @admin.display(description="by")
    def clerk(self, row: Payment | Refund) -> str:
        return str(row.created_by or "-")

    @admin.display(description="till")
    def till_text(self, row: Payment | Refund) -> str:
        return str(row.till or "-")
