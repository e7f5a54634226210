"""The admin of payments and of the providers' events. Nothing can be changed here."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from booking.admin.booking_filters import RowFilter
from booking.admin.money import CreationDayFilter, MoneyAdmin, ReadOnlyAdmin, may_see_payments
from booking.admin.money_report import MoneyReportPage
from booking.models import Payment, PaymentEvent, Till, User, represent_amount


class ProviderFilter(admin.SimpleListFilter):
    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in settings.PAYMENT_PROVIDERS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(provider=self.value())


class ClerkFilter(RowFilter):
    title = "clerk"
    parameter_name = "clerk"
    column = "created_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # Staff who have opened a till.
        clerks = User.objects.filter(pk__in=Till.objects.order_by().values("clerk")).order_by("username")
        return [(str(clerk.pk), clerk.username) for clerk in clerks]


class TillFilter(RowFilter):
    """Shown only while it is used: a till's page leads to its payments."""

    title = "till"
    parameter_name = "till"
    column = "till"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        tills = Till.objects.filter(pk=self.id or 0).select_related("clerk")
        return [(str(till.pk), str(till)) for till in tills] if self.id else []


@admin.register(Payment)
class PaymentAdmin(MoneyReportPage, MoneyAdmin):
    list_display = ("time", "order_link", "show_text", "kind", "amount_text", "status", "clerk")
    list_filter = (CreationDayFilter, "status", "method", ProviderFilter, ClerkFilter, TillFilter)
    fields = (
        *("order_link", "show_text", "kind", "amount_text", "given_text", "change_text", "status", "clerk"),
        *("till_text", "created_at", "settled_at", "provider_id", "refunds_text"),
    )
    readonly_fields = fields

    def has_view_permission(self, request: HttpRequest, obj: Payment | None = None) -> bool:
        return may_see_payments(request)

    @admin.display(description="kind")
    def kind(self, payment: Payment) -> str:
        return payment.kind

    @admin.display(description="given")
    def given_text(self, payment: Payment) -> str:
        return "-" if payment.given is None else represent_amount(payment.given)

    @admin.display(description="change")
    def change_text(self, payment: Payment) -> str:
        return "-" if payment.change is None else represent_amount(payment.change)

    @admin.display(description="refunds")
    def refunds_text(self, payment: Payment) -> str:
        refunds = payment.refunds.order_by("created_at", "pk")
        return ", ".join(f"{represent_amount(one.amount)} ({one.get_status_display()})" for one in refunds) or "-"


class ProcessedFilter(admin.SimpleListFilter):
    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("problem", "Changed nothing")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(processed_at=None) if self.value() == "problem" else queryset


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "provider", "event_id", "processed_at", "problem")
    list_filter = (ProcessedFilter, ProviderFilter)
    search_fields = ("event_id",)
    fields = ("provider", "event_id", "received_at", "processed_at", "problem", "payload")
    readonly_fields = fields
