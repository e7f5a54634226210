"""The report on admissions: a page, and CSV files."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from booking import services
from booking.admin.reports import Row, period_view
from movieticket.deadline import with_staff_deadline


def _shows(report: services.AdmissionsReport) -> Iterable[Row]:
    yield ["day", "start", "movie", "screen", "sold", "admitted", "no-shows"]
    for show in report.shows:
        start = timezone.localtime(show.starts_at)
        yield [start.date(), f"{start:%H:%M}", show.movie, show.screen, show.sold, show.admitted, show.no_shows]


def _quarters(report: services.AdmissionsReport) -> Iterable[Row]:
    yield ["quarter of an hour from", "admitted"]
    for quarter in report.quarters:
        yield [f"{quarter.begin:%H:%M}", quarter.admitted]


TABLES: dict[str, Callable[[services.AdmissionsReport], Iterable[Row]]] = {"shows": _shows, "quarters": _quarters}


class AdmissionsPage(admin.ModelAdmin):
    """The page with the admissions of a period; the default is the current month."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.admissions_view)
        return [
            path("admissions/", view, name="booking_booking_admissions"),
            path("admissions/<slug:table>.csv", view, name="booking_booking_admissions_file"),
            *super().get_urls(),
        ]

    @with_staff_deadline
    def admissions_view(self, request: HttpRequest, table: str | None = None) -> HttpResponse:
        return period_view(
            self,
            request,
            table,
            read=partial(services.read_admissions, now=timezone.now()),
            tables=TABLES,
            context=lambda _report: {},
            title="Admissions",
            template="admin/booking/booking/admissions.html",
            prefix="admissions-",
        )
