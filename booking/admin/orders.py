"""The admin of orders: the seats that were booked together, their customer, and what they cost."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from booking import services
from booking.admin.booking_filters import CustomerFilter, DayFilter, ShowFilter
from booking.admin.booking_page import account_text, hall_url
from booking.admin.common import RefusalFormMixin
from booking.admin.hall_forms import seen_text
from booking.admin.history import Event, add_events, events_of_bookings
from booking.admin.mail_preview import MailPreviewPage
from booking.admin.order_forms import ContactForm, MoveSeatForm, TicketTypesForm, ticket_text
from booking.admin.order_pages import NO_SEATS, active_bookings, amounts_of, attach_bookings, bookings_of, buyer
from booking.admin.order_payments import OrderPayments
from booking.models import Booking, Order, User, represent_amount


class OrderList(ChangeList):
    """Reads the bookings of all orders of the page together."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        attach_bookings(self.result_list)


def _amounts(order: Order) -> dict[str, str]:
    """Return what the order costs, what is paid and what is due."""
    amounts = amounts_of(order)
    named = {"total": amounts.total, "paid": amounts.paid, "refunded": amounts.refunded, "due": amounts.due}
    return {name: represent_amount(amount) for name, amount in named.items()}


@admin.register(Order)
class OrderAdmin(RefusalFormMixin, OrderPayments, MailPreviewPage):
    """Orders are created with bookings, so none is added or deleted here."""

    form = ContactForm
    list_display = ("reference", "customer", "show", "seats", "total", "due")
    list_filter = (DayFilter, ShowFilter, CustomerFilter, "show__screen")
    list_select_related = ("show__movie", "show__screen", "user")
    # get_search_results searches more.
    search_fields = ("reference",)
    search_help_text = (
        "Search by any part of reference, name, phone, e-mail, username or movie, or by a seat such as E5"
    )
    ordering = ("-id",)
    readonly_fields = ("show", "account", "created_at")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        orders = Order.objects.shown_to_staff(timezone.now())
        return orders.select_related("show__movie", "show__screen", "user")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OrderList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        # Looking up the reference alone can use its index; a search in several columns can't.
        with_reference = queryset.filter(reference=search_term.strip().upper())
        if search_term and with_reference.exists():
            return with_reference, False
        return cast(Any, queryset).matching(search_term), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        contact = () if obj and obj.user_id else ("name", "email", "phone")
        return ("show", "account", "created_at", *contact)

    # --- Columns ------------------------------------------------------------------------------

    @admin.display(description="customer")
    def customer(self, order: Order) -> str:
        return buyer(order)

    @admin.display(description="seats")
    def seats(self, order: Order) -> str:
        # Without any, its holds have ended, or their seats are booked under another reference.
        none = "all cancelled" if bookings_of(order) else "none"
        return ", ".join(booking.label for booking in active_bookings(order)) or none

    @admin.display(description="total")
    def total(self, order: Order) -> str:
        return _amounts(order)["total"]

    @admin.display(description="due")
    def due(self, order: Order) -> str:
        return _amounts(order)["due"]

    @admin.display(description="customer")
    def account(self, order: Order) -> str:
        return account_text(order.user) if order.user else buyer(order)

    # --- The page -----------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        order: Order = context["original"]
        context |= {"title": f"Order {order}", "subtitle": None}
        # Only the contact of a customer without an account can be changed here.
        has_contact = order.user_id is None
        context |= {"show_save": has_contact, "show_save_and_continue": has_contact}
        context |= {**self._page(request, order), **self.payments_of(request, order)}
        return super().render_change_form(request, context, *args, **kwargs)

    def _page(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        active = active_bookings(order)
        may_see_hall = bool(active) and request.user.has_perm("booking.view_show")
        return {
            "amounts": _amounts(order),
            "number": len(active),
            "no_seats": NO_SEATS,
            "hall": hall_url(active[0]) if may_see_hall else None,
            "may_see_bookings": request.user.has_perm("booking.view_booking"),
            **self._actions(request, order, active),
        }

    def _actions(self, request: HttpRequest, order: Order, active: list[Booking]) -> dict[str, Any]:
        """Return the rows of seats, and what the user may do with the active ones."""
        now = timezone.now()
        is_open = bool(active) and not any(services.why_not_cancellable(booking=booking, now=now) for booking in active)
        may_change = is_open and self.has_change_permission(request, order)
        may_cancel = is_open and self.has_cancel_permission(request)
        may_split = may_change and len(active) > 1
        changeable = active if may_change else []
        booked = [booking for booking in changeable if booking.status == Booking.Status.BOOKED]
        types = TicketTypesForm(show=order.show, bookings=changeable)
        return {
            "seats": [self._seat(booking, types) for booking in bookings_of(order)],
            "may_tick": may_cancel or may_split,
            "may_split": may_split,
            "may_cancel": may_cancel,
            "may_change_types": bool(types.fields),
            "move": MoveSeatForm(show=order.show, bookings=booked) if booked else None,
        }

    @staticmethod
    def _seat(booking: Booking, types: TicketTypesForm) -> dict[str, Any]:
        name = TicketTypesForm.name_of(booking)
        is_active = booking.status in Booking.OCCUPYING
        has_choice = is_active and name in types.fields
        return {
            "booking": booking,
            "price": represent_amount(booking.price),
            "ticket": types[name] if has_choice else ticket_text(booking).rpartition(", ")[0],
            "seen": seen_text(booking.pk, booking.seat_number, booking.status) if is_active else None,
            "page": reverse("admin:booking_booking_change", args=[booking.pk]),
        }

    # --- Changes ------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        changes = {field: form.cleaned_data[field] for field in form.changed_data}
        services.change_contact(order_id=obj.pk, changed_by=cast(User, request.user), **changes)

    def log_change(self, request: HttpRequest, obj: Order, message: Any) -> Any:
        """Does nothing, because the service writes the log entry."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        def events(order: Order) -> list[Event]:
            return events_of_bookings(Booking.objects.filter(show=order.show, reference=order.reference))

        return add_events(self, request, super().history_view(request, object_id, extra_context), events)
