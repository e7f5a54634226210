"""The report on money that was taken and paid back: a page, and CSV files."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from booking import services
from booking.admin.reports import Row, period_view
from booking.models import Payment, format_amount, represent_amount
from movieticket.deadline import with_staff_deadline

METHODS = [method.value for method in Payment.Method]
HEAD = [*METHODS, "refunded", "net"]


def _amounts(line: services.MoneyLine) -> list[Any]:
    """Return the columns of HEAD."""
    return [*(line.taken[method] for method in METHODS), line.refunded, line.net]


def _days(report: services.MoneyReport) -> Iterable[Row]:
    yield ["day", "clerk", *(f"{name} in {settings.CURRENCY}" for name in HEAD)]
    for line in report.lines:
        yield [line.day, line.clerk, *map(represent_amount, _amounts(line))]


def _clerks(report: services.MoneyReport) -> Iterable[Row]:
    yield ["clerk", *(f"{name} in {settings.CURRENCY}" for name in HEAD)]
    for line in report.clerks:
        yield [line.clerk, *map(represent_amount, _amounts(line))]


TABLES: dict[str, Callable[[services.MoneyReport], Iterable[Row]]] = {"days": _days, "clerks": _clerks}


def _shown(line: services.MoneyLine) -> dict[str, Any]:
    return {"day": line.day, "clerk": line.clerk, "amounts": [format_amount(amount) for amount in _amounts(line)]}


class MoneyReportPage(admin.ModelAdmin):
    """The page with the money of a period; the default is the current month."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.report_view)
        return [
            path("payments-and-refunds/", view, name="booking_payment_report"),
            path("payments-and-refunds/<slug:table>.csv", view, name="booking_payment_report_file"),
            *super().get_urls(),
        ]

    @with_staff_deadline
    def report_view(self, request: HttpRequest, table: str | None = None) -> HttpResponse:
        return period_view(
            self,
            request,
            table,
            read=services.read_money_report,
            tables=TABLES,
            context=self._tables,
            title="Payments and refunds",
            template="admin/booking/payment/report.html",
            prefix="payments-",
            rows=lambda report: [_shown(line) for line in report.lines],
        )

    @staticmethod
    def _tables(report: services.MoneyReport) -> dict[str, Any]:
        head = [name.capitalize() for name in HEAD]
        return {
            "head": head,
            "total": list(zip(head, _shown(report.total)["amounts"], strict=True)),
            "clerks": [_shown(line) for line in report.clerks],
            "currency": settings.CURRENCY,
        }
