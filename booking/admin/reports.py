"""Sales reports for a period: a page, and CSV files."""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from booking import services
from booking.admin.charts import draw_chart
from booking.admin.forms import PeriodForm
from booking.admin.money import may_see_payments
from booking.models import represent_amount
from movieticket.deadline import with_staff_deadline

ROWS_A_PAGE = 50
# Spreadsheets run a cell that starts with one of these as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NEGATIVE_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")

FIGURES = ["seats", "sold", "percent sold", "cancelled"]
Row = Sequence[object]


def _takings_head() -> str:
    return f"takings in {settings.CURRENCY}"


def _lines(name: str, lines: Sequence[services.Line]) -> Iterable[Row]:
    yield [name, "shows", *FIGURES, _takings_head()]
    for line in lines:
        figures = [line.seats, line.sold, line.percent, line.cancelled]
        yield [line.name, line.shows, *figures, represent_amount(line.takings)]


def _takings(name: str, lines: Sequence[services.TakingsLine]) -> Iterable[Row]:
    yield [name, "sold", _takings_head()]
    for line in lines:
        yield [line.name, line.sold, represent_amount(line.takings)]


def _shows(shows: Sequence[services.ShowFigures]) -> Iterable[Row]:
    yield ["day", "start", "movie", "screen", "state", *FIGURES, _takings_head()]
    # Looked up once: there may be thousands of shows.
    zone = timezone.get_current_timezone()
    for show in shows:
        start = show.starts_at.astimezone(zone)
        state = "cancelled" if show.is_cancelled else ""
        figures = [show.seats, show.sold, show.percent, show.cancelled]
        takings = represent_amount(show.takings)
        yield [start.date(), f"{start:%H:%M}", show.movie, show.screen, state, *figures, takings]


TABLES: dict[str, Callable[[services.Report], Iterable[Row]]] = {
    "days": lambda report: _lines("day", report.days),
    "movies": lambda report: _lines("movie", report.movies),
    "screens": lambda report: _lines("screen", report.screens),
    "shows": lambda report: _shows(report.shows),
    "ticket-types": lambda report: _takings("ticket type", report.ticket_types),
    "categories": lambda report: _takings("category", report.categories),
    "clerks": lambda report: _takings("clerk", report.clerks),
}


def safe_cell(value: object) -> str:
    """Return the value as text that no spreadsheet runs as a formula."""
    text = str(value)
    if NEGATIVE_NUMBER.fullmatch(text):
        # No formula, and as a text it would be left out of sums.
        return text
    # Some spreadsheets ignore leading blanks and treat full-width characters like ASCII.
    start = unicodedata.normalize("NFKC", text.lstrip("\ufeff\n ")[:1])
    return f"'{text}" if start and start in FORMULA_STARTS else text


def csv_response(name: str, rows: Iterable[Row]) -> HttpResponse:
    # The byte order mark lets spreadsheets recognise UTF-8.
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    csv.writer(response).writerows([safe_cell(value) for value in row] for row in rows)
    return response


def this_month() -> dict[str, date]:
    first_day = timezone.localdate().replace(day=1)
    return {
        "first_day": first_day,
        "last_day": (first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1),
    }


def period_view(
    model_admin: Any,
    request: HttpRequest,
    table: str | None,
    *,
    read: Callable[..., Any],
    tables: Mapping[str, Callable[[Any], Iterable[Row]]],
    context: Callable[[Any], dict[str, Any]],
    title: str,
    template: str,
    prefix: str = "",
    rows: Callable[[Any], Sequence[Any]] = attrgetter("shows"),
) -> HttpResponse:
    """Return the page of a report on a period, or one of its `tables` as CSV.

    `read` returns the report of `first_day` and `last_day`; `prefix` begins the names of the files. `rows` returns the
    rows that the page paginates.
    """
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if table is not None and table not in tables:
        raise Http404
    has_period = {"first_day", "last_day"} & request.GET.keys()
    form = PeriodForm(request.GET if has_period else this_month())
    report = read(**form.cleaned_data) if form.is_valid() else None
    if report and table:
        period = "{first_day}-to-{last_day}".format(**form.cleaned_data)
        return csv_response(f"{prefix}{table}-{period}", tables[table](report))
    shown = {"title": title, "opts": model_admin.opts, "form": form, "report": report}
    shown["may_see_payments"] = may_see_payments(request)
    if report:
        shown |= context(report) | {
            "page": Paginator(rows(report), ROWS_A_PAGE).get_page(request.GET.get("page")),
            "period": "first_day={first_day}&last_day={last_day}".format(**form.cleaned_data),
        }
    return TemplateResponse(request, template, model_admin.admin_site.each_context(request) | shown)


class ReportsPage(admin.ModelAdmin):
    """The page with the sales of a period; the default is the current month."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.reports_view)
        return [
            path("reports/", view, name="booking_booking_reports"),
            path("reports/<slug:table>.csv", view, name="booking_booking_report_file"),
            *super().get_urls(),
        ]

    @with_staff_deadline
    def reports_view(self, request: HttpRequest, table: str | None = None) -> HttpResponse:
        return period_view(
            self,
            request,
            table,
            read=services.read_report,
            tables=TABLES,
            context=self._tables,
            title="Reports",
            template="admin/booking/booking/reports.html",
        )

    @staticmethod
    def _tables(report: services.Report) -> dict[str, Any]:
        return {
            "chart": draw_chart(report.days),
            "groups": [("movies", "By movie", report.movies), ("screens", "By screen", report.screens)],
            "kinds": [
                ("ticket-types", "By ticket type", "Ticket type", report.ticket_types),
                ("categories", "By seat category", "Category", report.categories),
                ("clerks", "By clerk", "Clerk", report.clerks),
            ],
            "currency": settings.CURRENCY,
        }
