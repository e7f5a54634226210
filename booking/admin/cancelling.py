"""Cancelling bookings from their list and from a booking's page, both after a question."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from booking import services
from booking.admin.common import counted, orders_text
from booking.admin.hall_forms import SeenSeatsField, seen_text
from booking.admin.notes import NoteForm, note_context
from booking.models import Booking, User

# So that the page can list them all.
MAX_BOOKINGS = 500


class CancelForm(NoteForm):
    seen = SeenSeatsField()


class CancelQuestion(admin.ModelAdmin):
    """The question before bookings are cancelled, and what follows it."""

    cancel_template = "admin/booking/booking/cancel.html"

    def _ask(self, request: HttpRequest, bookings: Iterable[Booking], *, action: str, back: str) -> HttpResponse | None:
        """Return the question, or None if no booking can be cancelled, which messages explain."""
        now = timezone.now()
        reasons = [(booking, services.why_not_cancellable(booking=booking, now=now)) for booking in bookings]
        active = [booking for booking, reason in reasons if not reason]
        skipped = [f"{booking}: {reason.detail}" for booking, reason in reasons if reason]
        if not active:
            for text in skipped:
                messages.error(request, text)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Cancel {counted(len(active), 'booking')}",
            "opts": self.opts,
            "bookings": active,
            "shows": self._by_show(active),
            "skipped": skipped,
            "admitted": services.admitted_bookings(bookings=active),
            "seen": ",".join(seen_text(one.pk, one.seat_number, one.status) for one in active),
            "action": action,
            "back": back,
            **note_context(request, Booking.objects.filter(pk__in=[one.pk for one in active])),
        }
        return TemplateResponse(request, self.cancel_template, context)

    @staticmethod
    def _by_show(bookings: Iterable[Booking]) -> list[dict[str, Any]]:
        ordered = sorted(bookings, key=lambda one: (one.show.starts_at, one.show_id, one.seat_number))
        groups = [list(group) for _, group in groupby(ordered, key=lambda one: one.show_id)]
        return [{"show": group[0].show, "number": len(group), "seats": orders_text(group)} for group in groups]

    def _cancel(self, request: HttpRequest, bookings: QuerySet[Booking], form: CancelForm) -> None:
        """Cancels each booking that is still as it was seen, and reports the others."""
        seen, note = form.cleaned_data["seen"], form.cleaned_data["note"]
        chosen = bookings.in_bulk([one.booking_id for one in seen])
        # The customer of several seats gets one mail.
        of_orders: dict[tuple[int, str], list[services.SeenSeat]] = {}
        for one in seen:
            if booking := chosen.get(one.booking_id):
                of_orders.setdefault((booking.show_id, booking.reference), []).append(one)
        done = sum(self._cancel_seen(request, chosen, group, note) for group in of_orders.values())
        if done:
            messages.success(request, f"{counted(done, 'booking')} cancelled.")

    def _cancel_seen(
        self, request: HttpRequest, chosen: dict[int, Booking], seen: Sequence[services.SeenSeat], note: str
    ) -> int:
        """Cancels bookings of one order together, or one by one if that is refused. Return how many are cancelled."""
        booking, now = chosen[seen[0].booking_id], timezone.now()
        staff = cast(User, request.user)
        try:
            services.cancel_bookings(show_id=booking.show_id, seen=seen, now=now, cancelled_by=staff, note=note)
        except services.Refusal as refusal:
            if len(seen) > 1:
                return sum(self._cancel_seen(request, chosen, [one], note) for one in seen)
            messages.error(request, f"{booking}: {refusal.detail}")
            return 0
        return len(seen)


class CancelPages(CancelQuestion):
    """The action that cancels bookings, and the page that cancels one or all of its reference."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.cancel_view)
        return [path("<str:object_id>/cancel/", view, name="booking_booking_cancel"), *super().get_urls()]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.cancel_booking")

    @admin.action(description="Cancel selected bookings", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Booking]) -> HttpResponse | None:
        form = CancelForm(request.POST)
        if form.is_valid():
            self._cancel(request, queryset, form)
            return None
        if queryset.count() > MAX_BOOKINGS:
            messages.error(
                request, f"Select at most {MAX_BOOKINGS} bookings. To cancel all bookings of a show, cancel the show."
            )
            return None
        # Without the list's filters, which a booking may not match any more.
        return self._ask(request, queryset, action=request.path, back=request.get_full_path())

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancels a booking, or with `all` in the query string all active bookings with its reference and show."""
        booking: Booking | None = self.get_object(request, unquote(object_id))
        if not (self.has_cancel_permission(request) and self.has_view_permission(request, booking)):
            raise PermissionDenied
        if booking is None:
            raise Http404
        page = reverse("admin:booking_booking_change", args=[booking.pk])
        of_order: Any = self.get_queryset(request).filter(show=booking.show, reference=booking.reference)
        form = CancelForm(request.POST)
        if form.is_valid():
            self._cancel(request, of_order, form)
            return HttpResponseRedirect(page)
        bookings = of_order.active(timezone.now()) if "all" in request.GET else of_order.filter(pk=booking.pk)
        return self._ask(request, bookings, action=request.path, back=page) or HttpResponseRedirect(page)
