"""The pages of the import of movies: a file is uploaded, previewed and then imported."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, re_path, reverse
from django.utils import timezone

from booking import services
from booking.admin.forms import MovieImportForm
from booking.admin.reports import csv_response
from booking.models import POSITIVE_ID, MovieUpload, User
from movieticket.deadline import with_staff_deadline

# More lines are only in the CSV file.
MAX_LINES = 100
HEADERS = {"added": ["title"], "changed": ["title", "change"], "refused": ["line", "reason"]}


def _rows(report: services.ImportReport, table: str) -> Iterable[Sequence[object]]:
    rows: list[Any] = getattr(report, table)
    yield HEADERS[table]
    yield from ([row] if table == "added" else row for row in rows)


class MovieImportPages(admin.ModelAdmin):
    """Uploading a file, the page of an upload with its preview or its result, and CSV files of the whole result."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        upload = rf"^import/(?P<upload_id>{POSITIVE_ID})"
        return [
            path("import/", view(self.import_view), name="booking_movie_import"),
            re_path(rf"{upload}/$", view(self.upload_view), name="booking_movie_upload"),
            re_path(rf"{upload}/(?P<table>[a-z]+)\.csv$", view(self.table_view), name="booking_movie_upload_table"),
            *super().get_urls(),
        ]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"has_import_permission": self.has_import_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    @with_staff_deadline
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Stores an uploaded file and redirects to its preview."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = MovieImportForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                upload = services.store_movie_upload(
                    user=cast(User, request.user), file_name=file.name, content=file.read(), now=timezone.now()
                )
                return HttpResponseRedirect(reverse("admin:booking_movie_upload", args=[upload.pk]))
            except services.Refusal as refusal:
                form.add_error("file", f"{refusal.detail} Nothing was changed.")
        context = self._context(request, form=form, columns=services.REQUIRED_COLUMNS)
        return TemplateResponse(request, "admin/booking/movie/import.html", context)

    @with_staff_deadline
    def upload_view(self, request: HttpRequest, upload_id: str) -> HttpResponse:
        """Shows what an import would do or, afterwards, what it did; imports the file on POST."""
        upload = self._find(request, upload_id)
        order = _date_order(request.POST if request.method == "POST" else request.GET)
        context = self._context(request, upload=upload, date_order=order, orders=list(services.DateOrder))
        try:
            if request.method == "POST":
                services.import_movie_upload(user=upload.user, upload_id=upload.pk, date_order=order)
                return HttpResponseRedirect(request.path)
            report = services.read_movie_upload(upload=upload, date_order=order)
        except services.DateOrderUnclear as question:
            return TemplateResponse(request, "admin/booking/movie/upload.html", context | {"question": question.detail})
        except services.Refusal as refusal:
            messages.error(request, f"{refusal.detail} Nothing was changed.")
            return HttpResponseRedirect(request.get_full_path())
        return TemplateResponse(request, "admin/booking/movie/upload.html", context | _result(report))

    @with_staff_deadline
    def table_view(self, request: HttpRequest, upload_id: str, table: str) -> HttpResponse:
        """Return all lines of a part of the result as a CSV file."""
        upload = self._find(request, upload_id)
        if table not in HEADERS:
            raise Http404
        try:
            report = services.read_movie_upload(upload=upload, date_order=_date_order(request.GET))
        except services.DateOrderUnclear:
            raise Http404 from None
        return csv_response(f"import-{upload.pk}-{table}", _rows(report, table))

    def _find(self, request: HttpRequest, upload_id: str) -> MovieUpload:
        if not self.has_import_permission(request):
            raise PermissionDenied
        try:
            return services.find_movie_upload(user=cast(User, request.user), upload_id=int(upload_id))
        except services.NotFound:
            raise Http404("This file is no longer stored. Please import it again.") from None

    def _context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": "Import movies", "opts": self.opts, **more}


def _date_order(data: Any) -> services.DateOrder | None:
    chosen = data.get("dates", "")
    return next((order for order in services.DateOrder if order.value == chosen), None)


def _result(report: services.ImportReport) -> dict[str, Any]:
    shown = {table: getattr(report, table)[:MAX_LINES] for table in HEADERS}
    return {"report": report, "shown": shown, "max_lines": MAX_LINES}
