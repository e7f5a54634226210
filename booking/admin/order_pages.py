"""Pages for changing the seats of an order: split, cancel, move, change ticket types, print.

Changes of prices are shown first; the second request contains the sum that was shown, and is refused if that changed.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import wraps
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from booking import services
from booking.admin.booking_page import print_page
from booking.admin.cancelling import CancelForm, CancelQuestion
from booking.admin.common import customer_text, errors_text
from booking.admin.hall_forms import SeenSeatsField
from booking.admin.order_forms import MoveSeatForm, TicketTypesForm, TotalForm, ticket_text
from booking.models import POSITIVE_ID, Booking, Order, User, represent_amount

# Of an order that is shown because of its payments.
NO_SEATS = "This order has no seats: the hold has ended, or the seats are in another order."


class HoldEnded(Exception):
    """The order has no page, because its seats were only held and it has no payments."""

    def __init__(self, order: Order, undone: str) -> None:
        super().__init__(f"The hold {order} has ended. {undone}")


class ChosenForm(forms.Form):
    chosen = SeenSeatsField(error_messages={"required": "Tick the seats first.", "invalid": "There is no such seat."})


def order_url(order: Order) -> str:
    return reverse("admin:booking_order_change", args=[order.pk])


def attach_bookings(orders: Sequence[Order]) -> None:
    """Sets `bookings` of the orders, all but holds that have ended, and their `money`; an order may have none left."""
    money = services.read_money(keys={(order.show_id, order.reference) for order in orders})
    for order, bookings in zip(orders, services.read_bookings(orders=orders, now=timezone.now()), strict=True):
        shown = [one for one in bookings if one.status != Booking.Status.CANCELLED or one.expires_at is None]
        order.bookings = shown  # type: ignore[attr-defined]
        order.money = money.get((order.show_id, order.reference), services.NO_MONEY)  # type: ignore[attr-defined]


def bookings_of(order: Order) -> list[Booking]:
    if not hasattr(order, "bookings"):
        attach_bookings([order])
    return cast(list[Booking], order.bookings)  # type: ignore[attr-defined]


def amounts_of(order: Order) -> services.OrderAmounts:
    bookings = bookings_of(order)
    return cast(services.OrderMoney, order.money).amounts(bookings)  # type: ignore[attr-defined]


def active_bookings(order: Order) -> list[Booking]:
    return [booking for booking in bookings_of(order) if booking.status in Booking.OCCUPYING]


def buyer(order: Order) -> str:
    """Return who has the order."""
    sold_by = any(booking.sold_by_id for booking in bookings_of(order))
    return customer_text(str(order.user or ""), sold_by, order.name)


def _signed(amount: Decimal) -> str:
    """Return a difference in price with its sign."""
    # With a minus, which is as wide as the plus.
    sign = "+" if amount > 0 else "\u2212" if amount < 0 else ""
    return f"{sign}{represent_amount(abs(amount))}"


class OrderPages(CancelQuestion):
    """The pages to which an order's page leads."""

    cancel_template = "admin/booking/order/cancel.html"

    def get_urls(self) -> list[Any]:
        views: dict[str, Callable[..., HttpResponse]] = {
            "split": self.split_view,
            "cancel": self.cancel_view,
            "types": self.types_view,
            "move": self.move_view,
            "print": self.print_view,
        }
        own = [
            path(f"<str:object_id>/{name}/", self.order_view(view), name=f"booking_order_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def order_view(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Return the view for staff; for an order without a page any more it leads to the list, which says why."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except HoldEnded as ended:
                messages.error(request, str(ended))
                return HttpResponseRedirect(reverse("admin:booking_order_changelist"))

        return self.admin_site.admin_view(answer)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.cancel_booking")

    def _order(self, request: HttpRequest, object_id: str, *, may: bool, undone: str = "Nothing was changed.") -> Order:
        """Raises PermissionDenied unless the user `may` and sees orders, HoldEnded with `undone`, and Http404."""
        order: Order | None = self.get_object(request, unquote(object_id))
        if not (may and self.has_view_permission(request, order)):
            raise PermissionDenied
        if order is None:
            # The hold may have ended while its page was open.
            if re.fullmatch(POSITIVE_ID, object_id) and (ended := Order.objects.filter(pk=object_id).first()):
                raise HoldEnded(ended, undone)
            raise Http404
        return order

    def _order_to_change(self, request: HttpRequest, object_id: str) -> Order:
        return self._order(request, object_id, may=self.has_change_permission(request))

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows the booked seats on a page that prints itself."""
        order = self._order(request, object_id, may=True)
        if not (bookings := bookings_of(order)):
            messages.error(request, NO_SEATS)
            return HttpResponseRedirect(order_url(order))
        return print_page(
            request,
            site_header=str(self.admin_site.site_header),
            bookings=bookings,
            customer=order.user.get_full_name() or order.user.username if order.user else order.name,
            back=order_url(order),
        )

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancels the chosen seats after a question; GET asks about all active seats."""
        order = self._order(request, object_id, may=self.has_cancel_permission(request))
        of_order = Booking.objects.filter(show=order.show, reference=order.reference)
        form = CancelForm(request.POST)
        if form.is_valid():
            self._cancel(request, of_order.select_related("show"), form)
            return HttpResponseRedirect(order_url(order))
        bookings = active_bookings(order)
        if request.method == "POST":
            chosen = form.cleaned_data.get("seen") or self._chosen(request)
            bookings = [one for one in bookings_of(order) if one.pk in {seen.booking_id for seen in chosen}]
            if chosen and not bookings:
                # They were held, or were split off from the order.
                messages.error(request, "The order does not have these seats any more. Nothing was changed.")
        elif not bookings:
            why = services.AlreadyCancelled().detail if bookings_of(order) else NO_SEATS
            messages.error(request, why)
        return self._ask(request, bookings, action=request.path, back=order_url(order)) or HttpResponseRedirect(
            order_url(order)
        )

    @staticmethod
    def _chosen(request: HttpRequest) -> list[services.SeenSeat]:
        """Return the ticked seats; without any, a message says so."""
        form = ChosenForm({"chosen": ",".join(request.POST.getlist("chosen"))})
        if form.is_valid():
            return cast(list[services.SeenSeat], form.cleaned_data["chosen"])
        messages.error(request, errors_text(form))
        return []

    @method_decorator(require_POST)
    def split_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Gives the ticked seats an order of their own, and leads to it."""
        order = self._order_to_change(request, object_id)
        if not (chosen := self._chosen(request)):
            return HttpResponseRedirect(order_url(order))
        seats = [seen.seat_number for seen in chosen]
        try:
            staff = cast(User, request.user)
            new = services.split_order(
                order_id=order.pk, seat_numbers=seats, now=timezone.now(), split_by=staff, seen=chosen
            )
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(order_url(order))
        labels = ", ".join(map(order.show.seat_label, sorted(seats)))
        messages.success(request, f"{labels} split off from order {order.reference}. This is the new order.")
        return HttpResponseRedirect(order_url(new))

    @method_decorator(require_POST)
    def types_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Changes the ticket types of seats after a question with the prices."""
        order = self._order_to_change(request, object_id)
        form = TicketTypesForm(request.POST, show=order.show, bookings=active_bookings(order))

        def call(service: Callable[..., Any], **more: Any) -> Any:
            types, now = form.cleaned_data["ticket_types"], timezone.now()
            staff = cast(User, request.user)
            return service(order_id=order.pk, ticket_types=types, now=now, changed_by=staff, **more)

        def change(total: Decimal) -> str:
            changed = call(services.change_ticket_types, expected_total=total)
            return f"Changed {'; '.join(f'{one.label} to {ticket_text(one)}' for one in changed)}."

        return self._after_question(
            request, order, form, "Change ticket types", lambda: call(services.preview_ticket_types), change
        )

    @method_decorator(require_POST)
    def move_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Moves a seat after a question with the prices."""
        order = self._order_to_change(request, object_id)
        booked = [one for one in active_bookings(order) if one.status == Booking.Status.BOOKED]
        form = MoveSeatForm(request.POST, show=order.show, bookings=booked)
        staff = cast(User, request.user)

        def preview() -> list[services.TicketChange]:
            booking, seat = form.cleaned_data["booking"], form.cleaned_data["seat"]
            return [services.preview_move(booking=booking, seat_number=seat, now=timezone.now(), moved_by=staff)]

        def move(total: Decimal) -> str:
            booking, seat = form.cleaned_data["booking"], form.cleaned_data["seat"]
            services.move_booking(
                user=booking.user,
                booking_id=booking.pk,
                seat_number=seat,
                now=timezone.now(),
                moved_by=staff,
                expected_total=total,
                seen_seat=booking.seat_number,
            )
            return f"Moved {buyer(order)}, {order.reference}, from {booking.label} to {order.show.seat_label(seat)}."

        return self._after_question(request, order, form, "Move a seat", preview, move)

    def _after_question(
        self,
        request: HttpRequest,
        order: Order,
        form: forms.Form,
        title: str,
        preview: Callable[[], list[services.TicketChange]],
        change: Callable[[Decimal], str],
    ) -> HttpResponse:
        """Shows what the form would change, or makes the change if the request confirms the sum of its prices."""
        page = HttpResponseRedirect(order_url(order))
        if not form.is_valid():
            messages.error(request, errors_text(form))
            return page
        confirmed = TotalForm(request.POST)
        try:
            if confirmed.is_valid():
                messages.success(request, change(confirmed.cleaned_data["expected_total"]))
                return page
            return self._question(request, order, form, title, preview())
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
            return page

    def _question(
        self, request: HttpRequest, order: Order, form: forms.Form, title: str, changes: list[services.TicketChange]
    ) -> HttpResponse:
        total = services.price_of(bookings=bookings_of(order))
        difference = sum((change.difference for change in changes), Decimal(0))
        moved = [change.booking for change in changes if change.booking.label != change.seat.label]
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "order": order,
            "back": order_url(order),
            "changes": [
                {
                    "seat": change.booking.label,
                    "was": ticket_text(change.booking),
                    "to": change.seat.label,
                    "becomes": f"{change.seat.ticket_type or 'No ticket type'}, {represent_amount(change.seat.price)}",
                    "difference": _signed(change.difference),
                }
                for change in changes
            ],
            # Only moves need the warning.
            "admitted": services.admitted_bookings(bookings=moved),
            "difference": _signed(difference),
            "was_total": represent_amount(total),
            "total": represent_amount(total + difference),
            "expected_total": represent_amount(sum((change.seat.price for change in changes), Decimal(0))),
            "values": [(name, request.POST[name]) for name in form.fields if request.POST.get(name)],
        }
        return TemplateResponse(request, "admin/booking/order/changes.html", context)
