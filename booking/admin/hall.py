"""The hall on a show's page: a seat map in which staff sell, block, move and cancel seats.

The page loads the hall every few seconds and sends changes in JSON; the response to each change contains the current
hall. Changes of taken seats contain what the page showed of them, and are refused if that has changed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_POST

from booking import services
from booking.admin.common import conditional_json, customer_of, customer_text, errors_text, limit_notice, orders_text
from booking.admin.hall_forms import (
    STATE_NAMES,
    BlockSeatsForm,
    BookingsForm,
    CancelSeatsForm,
    CustomerOfSeatsForm,
    CustomerSearchForm,
    HallForm,
    MoveForm,
    SeenSeatsForm,
    SellPaidSeatsForm,
    SellSeatsForm,
)
from booking.admin.notes import reach_text
from booking.exception_handler import STATUS_OF_KIND
from booking.models import Booking, Order, Payment, Show, TicketType, User, represent_amount

T = TypeVar("T")

MAX_CUSTOMERS = 10
BLOCKED = Booking.Status.BLOCKED


def labels(show: Show, seats: Sequence[int]) -> str:
    return ", ".join(show.seat_label(seat) for seat in seats)


def _log(request: HttpRequest, show: Show, message: str) -> None:
    LogEntry.objects.log_actions(request.user.pk, [show], CHANGE, change_message=message)  # type: ignore[arg-type]


def _staff(request: HttpRequest) -> User:
    return cast(User, request.user)


# --- Actions ----------------------------------------------------------------------------------

# The report of an action: `detail` is a sentence.
Report = dict[str, Any]


def _sell(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    return _sell_once(request, show, data, services.book_seats, _outcome)


def _sell_paid(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    def represent(sale: services.PaidSale) -> dict[str, Any]:
        return _outcome(sale.bookings, sale.payment)

    sell = partial(services.sell_and_take_payment, method=data["method"], given=data["given"])
    return _sell_once(request, show, data, sell, represent)


def _sell_once(
    request: HttpRequest,
    show: Show,
    data: dict[str, Any],
    service: Callable[..., T],
    represent: Callable[[T], dict[str, Any]],
) -> Report:
    """Calls the service and reports the sale. The same request with the same key gets the report of the first one."""
    customer, idempotency = data["customer"], None
    if data["key"]:
        # The contact consists of other fields.
        body = {name: value for name, value in data.items() if name != "contact"}
        body["customer"] = customer and customer.pk
        idempotency = services.IdempotentRequest(_staff(request), data["key"], "hall/sell", body, represent)
    try:
        sale = service(
            user=customer,
            show_id=show.pk,
            seat_numbers=data["seats"],
            ticket_types=data["ticket_types"],
            expected_total=data["expected_total"],
            now=timezone.now(),
            sold_by=_staff(request),
            contact=data["contact"],
            idempotency=idempotency,
        )
        outcome = represent(sale)
    except services.Replay as replay:
        outcome = replay.response
    return _sold(request, show, data, outcome)


def _outcome(bookings: list[Booking], payment: Payment | None = None) -> dict[str, Any]:
    """Return what is stored with the key of a sale: nothing that names the customer."""
    has_prices, change = bookings[0].show.price_list_id, payment.change if payment else None
    return {
        "reference": bookings[0].reference,
        "total": represent_amount(services.price_of(bookings=bookings)) if has_prices else None,
        "change": None if change is None else represent_amount(change),
    }


def _sold(request: HttpRequest, show: Show, data: dict[str, Any], outcome: dict[str, Any]) -> Report:
    """Report a sale: its order, and the change that the customer gets."""
    customer, currency = data["customer"], settings.CURRENCY
    buyer = customer_text(customer and str(customer), _staff(request), data["contact"].name)
    done = f"Sold {labels(show, data['seats'])} to {buyer}, {outcome['reference']}"
    if outcome["total"]:
        done += f", for {outcome['total']} {currency}"
    if "method" in data:
        done += f", paid {services.METHODS[data['method']]}"
    report = {"detail": f"{done}."}
    if customer and (notice := limit_notice(show, customer, "has")):
        report["detail"] += f" {notice}"
    if outcome["change"]:
        report["change"] = f"{outcome['change']} {currency}"
    if request.user.has_perm("booking.view_order"):
        order = Order.objects.get(show=show, reference=outcome["reference"])
        report["order"] = reverse("admin:booking_order_change", args=[order.pk])
    return report


def _block(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    seats, reason = data["seats"], data["reason"]
    services.block_seats(show_id=show.pk, seat_numbers=seats, reason=reason, now=timezone.now())
    done = f"Blocked {labels(show, seats)} ({reason})."
    _log(request, show, done)
    return {"detail": done}


def _unblock(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    seen = data["seen"]
    seats = [one.seat_number for one in seen]
    services.unblock_seats(show_id=show.pk, seat_numbers=seats, seen=seen)
    done = f"Unblocked {labels(show, seats)}."
    _log(request, show, done)
    return {"detail": done}


def _ask_cancel(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:  # noqa: ARG001
    """Report what staff should know before they cancel; only customers who get mail can be sent a sentence."""
    reach = services.count_reachable(bookings=Booking.objects.filter(show=show, pk__in=data["bookings"]))
    bookings = [*data["bookings"].values()]
    return {"detail": f"{reach_text(reach)}{_admitted_text(bookings)}".strip(), "asks_note": reach.reached > 0}


def _cancel(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    cancelled = services.cancel_bookings(
        show_id=show.pk, seen=data["seen"], now=timezone.now(), cancelled_by=_staff(request), note=data["note"]
    )
    return {"detail": f"Cancelled {orders_text(cancelled)}.{_admitted_text(cancelled)}"}


def _move(request: HttpRequest, show: Show, data: dict[str, Any]) -> Report:
    bookings = services.move_bookings(
        show_id=show.pk,
        seen=data["seen"],
        seat_numbers=data["seats"],
        now=timezone.now(),
        moved_by=_staff(request),
        expected_total=data["expected_total"],
    )
    left = {one.booking_id: show.seat_label(one.seat_number) for one in data["seen"]}
    moved = ", ".join(f"{left[one.pk]} to {show.seat_label(one.seat_number)}" for one in bookings)
    # With the labels of the seats that they left.
    before = [data["bookings"][one.pk] for one in bookings]
    whom = f"{customer_of(before[0])}, {before[0].reference}, from " if len(before) == 1 else ""
    return {"detail": f"Moved {whom}{moved}.{_admitted_text(before)}"}


def _admitted_text(bookings: list[Booking]) -> str:
    """Return a warning if the door has admitted some of the bookings, or an empty string."""
    admitted = services.admitted_bookings(bookings=bookings)
    if not admitted:
        return ""
    names = ", ".join(booking.label for booking in admitted)
    return f" The customer may be in the hall: {names} {'was' if len(admitted) == 1 else 'were'} already admitted."


def _question(refusal: services.OtherPrice) -> Report:
    """Ask whether to move to seats of another price."""
    new, old, difference = (
        f"{represent_amount(amount)} {settings.CURRENCY}"
        for amount in (refusal.total, refusal.before, abs(refusal.total - refusal.before))
    )
    more = "more" if refusal.total > refusal.before else "less"
    return {
        "detail": "Nothing was moved.",
        "question": f"Move for {difference} {more}? The new price is {new}, the old one {old}.",
        "expected_total": represent_amount(refusal.total),
    }


Action = Callable[[HttpRequest, Show, dict[str, Any]], Report]
# By name: the form, the action, and the permission of `_may` that it needs.
ACTIONS: dict[str, tuple[type[HallForm], Action, str]] = {
    "sell": (SellSeatsForm, _sell, "sell"),
    "sell-paid": (SellPaidSeatsForm, _sell_paid, "sell-paid"),
    "block": (BlockSeatsForm, _block, "block"),
    "unblock": (SeenSeatsForm, _unblock, "unblock"),
    "ask-cancel": (BookingsForm, _ask_cancel, "cancel"),
    "cancel": (CancelSeatsForm, _cancel, "cancel"),
    "move": (MoveForm, _move, "move"),
}


# --- The hall as JSON -------------------------------------------------------------------------


def _title(seat: services.TakenSeat) -> str:
    if seat.status == BLOCKED:
        return f"blocked: {seat.reason}"
    customer = customer_text(seat.username, seat.sold_by, seat.name)
    if seat.expires_at:
        return f"held by {customer} until {timezone.localtime(seat.expires_at):%H:%M}, {seat.reference}"
    by = {"sold by": seat.sold_by, "moved by": seat.moved_by}
    staff = ", ".join(f"{did} {name}" for did, name in by.items() if name)
    return f"sold to {customer}, {seat.reference}" + (f" ({staff})" if staff else "")


def _taken_seat(seat: services.TakenSeat, may: dict[str, bool]) -> dict[str, Any]:
    state = STATE_NAMES[Booking.Status(seat.status)]
    shown = {"state": state, "title": _title(seat) if may["view"] else state}
    if seat.status == BLOCKED:
        # The id distinguishes this block from a later one of the seat.
        return shown | ({"booking": seat.booking_id} if may["unblock"] else {})
    if not may["view"]:
        return shown
    url = reverse("admin:booking_booking_change", args=[seat.booking_id])
    return shown | {"booking": seat.booking_id, "reference": seat.reference, "user": seat.username, "url": url}


def _prices(show: Show) -> dict[str, dict[int, str]]:
    """Return the show's prices by category and ticket type; none if it is free."""
    prices: dict[str, dict[int, str]] = {}
    for price in services.read_prices(show=show):
        prices.setdefault(price.category, {})[price.type_id] = represent_amount(price.amount)
    return prices


def _due(show: Show) -> dict[str, dict[str, str]]:
    """Return the amounts that are due and the pages of their orders, by reference."""
    return {
        order.reference: {
            "amount": represent_amount(amount),
            "url": reverse("admin:booking_order_change", args=[order.pk]),
        }
        for order, amount in services.read_due(show_id=show.pk, now=timezone.now()).items()
    }


def _closed(show: Show) -> str:
    """Return the reason why the show can't be changed any more, or an empty string."""
    refusal = services.why_not_on_sale(show=show, now=timezone.now())
    return refusal.detail if refusal else ""


def represent_hall(show: Show, may: dict[str, bool]) -> dict[str, Any]:
    services.complete_plans(shows=[show])
    taken = services.read_taken_seats(show_id=show.pk, now=timezone.now())
    counts = Counter(STATE_NAMES[Booking.Status(seat.status)] for seat in taken)
    return {
        "plan": reverse("seat-plan", args=[show.plan_id]),
        "taken": {seat.seat_number: _taken_seat(seat, may) for seat in taken},
        "counts": {"free": show.total_seats - len(taken), **{name: counts[name] for name in STATE_NAMES.values()}},
        "may": may,
        "closed": _closed(show),
        "ticket_types": [{"id": pk, "name": name} for pk, name in services.read_ticket_types(show=show)],
        "prices": _prices(show),
        "currency": settings.CURRENCY,
    }


def _sentence(refusal: services.Refusal) -> str:
    """Return the refusal's sentence. The API's clients know a ticket type by its id, staff by its name."""
    if not isinstance(refusal, services.UnknownTicketType):
        return refusal.detail
    ticket_type = TicketType.objects.filter(pk=refusal.ticket_type).first()
    return f"{ticket_type or 'This ticket type'} is not sold for seat {refusal.label}."


def _refuse(status: int, detail: str, **more: Any) -> JsonResponse:
    return JsonResponse({"detail": detail, **more}, status=status)


class HallAdmin(admin.ModelAdmin):
    """The views of the hall on a show's page."""

    def get_urls(self) -> list[Any]:
        def view(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            return self.admin_site.admin_view(function)

        return [
            path("hall/customers/", view(self.customers_view), name="booking_show_customers"),
            path("<str:object_id>/hall/", view(self.hall_view), name="booking_show_hall"),
            path("<str:object_id>/hall/limit/", view(self.limit_view), name="booking_show_limit"),
            path("<str:object_id>/hall/<str:name>/", view(self.action_view), name="booking_show_hall_act"),
            *super().get_urls(),
        ]

    def _may(self, request: HttpRequest, show: Show) -> dict[str, bool]:
        """Return the user's permissions. Changing a booking requires the permission to view it."""
        has = request.user.has_perm
        view, sell = has("booking.view_booking"), has("booking.add_booking")
        cancel = view and has("booking.cancel_booking")
        block = self.has_change_permission(request, show)
        return {
            "view": view,
            "sell": sell,
            "sell-paid": sell and has("booking.take_payment"),
            "cancel": cancel,
            "move": sell and cancel,
            "block": block,
            "unblock": block,
        }

    def _show(self, request: HttpRequest, object_id: str) -> Show | JsonResponse:
        show: Show | None = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, show):
            return _refuse(403, "You may not see this show.")
        return show or _refuse(404, "There is no such show.")

    @method_decorator(require_GET)
    def hall_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the current hall, or status 304 if it still has the ETag in If-None-Match."""
        show = self._show(request, object_id)
        if not isinstance(show, Show):
            return show
        return conditional_json(request, self._hall_for(request, show))

    @method_decorator(require_POST)
    def action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Runs an action and returns its report or its refusal, and the current hall."""
        show = self._show(request, object_id)
        if not isinstance(show, Show):
            return show
        if name not in ACTIONS:
            return _refuse(404, "There is no such action.")
        form_class, act, permission = ACTIONS[name]
        if not self._may(request, show)[permission]:
            return _refuse(403, "You may not do this.")
        status, report = self._act(request, show, form_class, act)
        return JsonResponse({**report, "hall": self._hall_for(request, show)}, status=status)

    def _hall_for(self, request: HttpRequest, show: Show) -> dict[str, Any]:
        may = self._may(request, show)
        hall = represent_hall(show, may)
        if may["sell-paid"] and hall["prices"]:
            hall["has_till"] = services.find_open_till(clerk=_staff(request)) is not None
            hall["due"] = _due(show) if request.user.has_perm("booking.view_order") else {}
        return hall

    def _act(self, request: HttpRequest, show: Show, form_class: type[HallForm], act: Action) -> tuple[int, Report]:
        form = form_class(request.POST, show=show)
        if not form.is_valid():
            return 400, {"detail": errors_text(form)}
        try:
            return 200, act(request, show, form.cleaned_data)
        except services.OtherPrice as refusal:
            return STATUS_OF_KIND[refusal.kind], _question(refusal)
        except services.Refusal as refusal:
            return STATUS_OF_KIND[refusal.kind], {"detail": _sentence(refusal)}

    @method_decorator(require_GET)
    def limit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return a notice if the chosen seats would exceed the customer's seat limit, for users who may sell."""
        show = self._show(request, object_id)
        if not isinstance(show, Show):
            return show
        if not request.user.has_perm("booking.add_booking"):
            return _refuse(403, "You may not do this.")
        form = CustomerOfSeatsForm(request.GET, show=show)
        data = form.cleaned_data if form.is_valid() else None
        # The sale reports what is wrong with the input.
        notice = limit_notice(show, data["customer"], "will have", data["seats"]) if data else ""
        return JsonResponse({"notice": notice})

    @method_decorator(require_GET)
    def customers_view(self, request: HttpRequest) -> HttpResponse:
        """Return customers found by any part of username, name or e-mail address, for users who may sell."""
        if not request.user.has_perm("booking.add_booking") or not self.has_view_permission(request):
            return _refuse(403, "You may not do this.")
        form = CustomerSearchForm(request.GET)
        found = (
            User.objects.matching(form.cleaned_data["q"]).filter(is_active=True)
            if form.is_valid()
            else User.objects.none()
        )
        customers = [
            {"username": user.username, "name": user.get_full_name(), "email": user.email}
            for user in found[:MAX_CUSTOMERS]
        ]
        return JsonResponse({"customers": customers})
