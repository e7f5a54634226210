"""The page of a booking, with links to what staff do next, and its print."""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from booking import services
from booking.admin.common import customer_of
from booking.models import Booking, Order, User, represent_amount


def hall_url(booking: Booking) -> str:
    """Return the address of the hall with the booking's seat chosen."""
    return f"{reverse('admin:booking_show_change', args=[booking.show_id])}?booking={booking.pk}"


def account_text(user: User) -> str:
    """Return the name of the customer with a link to all their bookings."""
    bookings = f"{reverse('admin:booking_booking_changelist')}?user__id__exact={user.pk}"
    details = ", ".join(filter(None, [user.get_full_name(), user.email]))
    name = f"{user} ({details})" if details else f"{user}"
    return format_html('{} <a href="{}">All bookings</a>', name, bookings)


def print_page(
    request: HttpRequest, *, site_header: str, bookings: Sequence[Booking], customer: str, back: str
) -> HttpResponse:
    """Return the page that prints the booked ones of an order's `bookings`, with their tickets for staff who sell."""
    seats = [booking for booking in bookings if booking.status == Booking.Status.BOOKED]
    total = services.price_of(bookings=seats)
    context = {
        "site_header": site_header,
        "booking": bookings[0],
        "seats": seats,
        "tickets": _tickets(seats) if request.user.has_perm("booking.add_booking") else [],
        "customer": customer,
        "total": f"{represent_amount(total)} {settings.CURRENCY}" if total else "",
        "back": back,
    }
    return TemplateResponse(request, "admin/booking/booking/print.html", context)


def _tickets(seats: Sequence[Booking]) -> list[dict[str, Any]]:
    # The pictures consist of numbers that the service computed.
    return [{"seat": seat, "code": mark_safe(services.ticket_svg(booking=seat))} for seat in seats]  # noqa: S308


class BookingPage(admin.ModelAdmin):
    """Shows one booking and the other seats of its reference; nothing can be edited here."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<str:object_id>/print/", view(self.print_view), name="booking_booking_print"),
            path("<str:object_id>/new-ticket/", view(self.new_ticket_view), name="booking_booking_new_ticket"),
            *super().get_urls(),
        ]

    def get_fields(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        if obj is None:
            return self.fields
        if obj.status == Booking.Status.BLOCKED:
            return ("status", "reason", "show", "seat", "created_at")
        sale = ("reference", "status", "customer", "show", "seat", "created_at", "seller", "mover")
        return (*sale, "cancelled_at", "who_cancelled")

    @admin.display(description="customer")
    def customer(self, booking: Booking) -> str:
        return account_text(booking.user) if booking.user else customer_of(booking)

    @admin.display(description="seat")
    def seat(self, booking: Booking) -> str:
        return booking.label

    # Names without the links to accounts that Django would show; the box office may not view accounts.
    @admin.display(description="sold by")
    def seller(self, booking: Booking) -> str:
        return str(booking.sold_by or "-")

    @admin.display(description="moved by")
    def mover(self, booking: Booking) -> str:
        return str(booking.moved_by or "-")

    @admin.display(description="cancelled by")
    def who_cancelled(self, booking: Booking) -> str:
        return str(booking.cancelled_by or booking.canceller or "-")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if booking := context["original"]:
            context |= {"title": f"Booking {booking}", "subtitle": None, **self._links(request, booking)}
        return super().render_change_form(request, context, *args, **kwargs)

    def _links(self, request: HttpRequest, booking: Booking) -> dict[str, Any]:
        has, now = request.user.has_perm, timezone.now()
        of_order = list(self._of_order(request, booking))
        active = [one for one in of_order if not services.why_not_cancellable(booking=one, now=now)]
        can_cancel = has("booking.cancel_booking") and booking in active
        can_move = can_cancel and has("booking.add_booking") and booking.status == Booking.Status.BOOKED
        hall = hall_url(booking) if has("booking.view_show") else None
        order = Order.objects.filter(show=booking.show_id, reference=booking.reference).first()
        return {
            "order": order if has("booking.view_order") else None,
            "hall": hall,
            "move": f"{hall}&move=yes" if hall and can_move else None,
            "can_cancel": can_cancel,
            # The link alone opens the ticket.
            "ticket": services.ticket_path(booking=booking)
            if booking.status == Booking.Status.BOOKED and has("booking.add_booking")
            else None,
            "active": active,
            "others": [one for one in of_order if one != booking],
        }

    def _of_order(self, request: HttpRequest, booking: Booking) -> Any:
        of_order = self.get_queryset(request).filter(show=booking.show, reference=booking.reference)
        return of_order.order_by("seat_number", "id")

    def new_ticket_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Issues a new ticket, which ends the earlier ones, after a question."""
        booking: Booking | None = self.get_object(request, unquote(object_id))
        if not (request.user.has_perm("booking.add_booking") and self.has_view_permission(request, booking)):
            raise PermissionDenied
        if booking is None:
            raise Http404
        page = reverse("admin:booking_booking_change", args=[booking.pk])
        if request.method != "POST":
            title = f"New ticket for {booking}"
            context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "back": page}
            return TemplateResponse(request, "admin/booking/booking/new_ticket.html", context | {"booking": booking})
        try:
            services.reissue_ticket(booking_id=booking.pk, by=cast(User, request.user), now=timezone.now())
            messages.success(request, "A new ticket was issued. Earlier ones are not valid any more.")
        except services.NoTicket as refusal:
            messages.error(request, refusal.detail)
        return HttpResponseRedirect(page)

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows the booked seats of the booking's reference on a page that prints itself."""
        booking: Booking | None = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, booking):
            raise PermissionDenied
        if booking is None or booking.status == Booking.Status.BLOCKED:
            raise Http404
        user, names = booking.user, services.read_names(bookings=[booking])
        return print_page(
            request,
            site_header=str(self.admin_site.site_header),
            bookings=list(self._of_order(request, booking)),
            customer=user.get_full_name() or user.username if user else "".join(names.values()),
            back=reverse("admin:booking_booking_change", args=[booking.pk]),
        )
