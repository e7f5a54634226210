"""The report on admissions: a page, and CSV files."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from booking.admin.forms import PeriodForm
from booking.admin.reports import SHOWS_A_PAGE, Row, csv_response, this_month
from booking.services.door.reports import AdmissionsReport, read_admissions
from movieticket.deadline import with_staff_deadline


def _shows(report: AdmissionsReport) -> Iterable[Row]:
    yield ["day", "start", "movie", "screen", "sold", "admitted", "no-shows"]
    for show in report.shows:
        start = timezone.localtime(show.starts_at)
        yield [start.date(), f"{start:%H:%M}", show.movie, show.screen, show.sold, show.admitted, show.no_shows]


def _quarters(report: AdmissionsReport) -> Iterable[Row]:
    yield ["quarter of an hour from", "admitted"]
    for quarter in report.quarters:
        yield [f"{quarter.begin:%H:%M}", quarter.admitted]


TABLES: dict[str, Callable[[AdmissionsReport], Iterable[Row]]] = {"shows": _shows, "quarters": _quarters}


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
        if not self.has_view_permission(request):
            raise PermissionDenied
        if table is not None and table not in TABLES:
            raise Http404
        has_period = {"first_day", "last_day"} & request.GET.keys()
        form = PeriodForm(request.GET if has_period else this_month())
        report = read_admissions(**form.cleaned_data, now=timezone.now()) if form.is_valid() else None
        if report and table:
            period = "{first_day}-to-{last_day}".format(**form.cleaned_data)
            return csv_response(f"admissions-{table}-{period}", TABLES[table](report))
        context = {
            **self.admin_site.each_context(request),
            "title": "Admissions",
            "opts": self.opts,
            "form": form,
            "report": report,
        }
        if report:
            context["page"] = Paginator(report.shows, SHOWS_A_PAGE).get_page(request.GET.get("page"))
            context["period"] = "first_day={first_day}&last_day={last_day}".format(**form.cleaned_data)
        return TemplateResponse(request, "admin/booking/booking/admissions.html", context)
