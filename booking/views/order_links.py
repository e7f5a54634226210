"""The pages to which mail leads: to keep, cancel or pay for seats. The signed link replaces signing in."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from booking import services
from booking.middleware import content_security_policy
from booking.models import Booking, Order, Payment, represent_amount
from booking.throttling import set_limit_headers
from booking.views.common import own_address

TEMPLATE = "booking/order_link.html"


class OrderLinkPage(View):
    """Shows the order of a link."""

    answer = "keep"

    @staticmethod
    def find_order(token: str) -> Order:
        return services.find_mailed_order(token=token)

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, token)

    def _page(self, request: HttpRequest, token: str, **extra: Any) -> HttpResponse:
        try:
            order = self.find_order(token)
        except services.NotFound:
            return render(request, TEMPLATE, {"answer": "unknown"}, status=404)
        [bookings] = services.read_bookings(orders=[order], now=timezone.now())
        booked = [booking for booking in bookings if booking.status == booking.Status.BOOKED]
        is_over = services.why_not_on_sale(show=order.show, now=timezone.now()) is not None
        context = {"answer": self.answer, "order": order, "booked": booked, "is_over": is_over, "token": token}
        return render(request, TEMPLATE, context | self.variables(order, bookings) | extra)

    def variables(self, order: Order, bookings: Sequence[Booking]) -> dict[str, Any]:
        """Return the variables that only this page has."""
        return {}


class OrderKeepPage(OrderLinkPage):
    """Confirms that the seats stay booked; nothing has to be changed for it."""


class OrderCancelPage(OrderLinkPage):
    """Asks before it cancels, because programs that check mail follow its links."""

    answer = "cancel"

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            order = self.find_order(token)
            services.cancel_mailed_order(show_id=order.show_id, reference=order.reference, now=timezone.now())
        except services.NotFound:
            return self._page(request, token)
        except services.Refusal as refusal:
            return self._page(request, token, problem=refusal.detail)
        return self._page(request, token, answer="cancelled")


class OrderPayPage(OrderLinkPage):
    """Shows what is due, and leads to the page of a payment provider."""

    answer = "pay"

    @staticmethod
    def find_order(token: str) -> Order:
        return services.find_mailed_order_to_pay(token=token)

    def variables(self, order: Order, bookings: Sequence[Booking]) -> dict[str, Any]:
        money = services.read_order_money(show_id=order.show_id, reference=order.reference)
        due = money.amounts(bookings).due
        return {
            "held": [booking for booking in bookings if booking.status == booking.Status.HELD],
            "due": f"{represent_amount(due)} {settings.CURRENCY}" if due > 0 else "",
            "is_pending": any(payment.status == Payment.Status.PENDING for payment in money.payments),
            "has_payment_page": services.has_payment_page(),
        }

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            order = self.find_order(token)
        except services.NotFound:
            return self._page(request, token)
        # The link needs no account, so the order's attempts are counted.
        state = services.count_attempt(limit="booking", key=f"{order.show_id} {order.reference}")
        if state.is_exceeded:
            response = self._page(request, token, wait=state.seconds_left)
            response.status_code, response["Retry-After"] = 429, str(state.seconds_left)
        else:
            response = self._pay(request, token, order)
        set_limit_headers(response.headers, state)
        return response

    def _pay(self, request: HttpRequest, token: str, order: Order) -> HttpResponse:
        try:
            return_url = own_address(request, request.path)
            paid = services.pay_mailed_order(order=order, return_url=return_url, now=timezone.now())
        except services.NothingDue:
            # The page says so; the order may have been paid meanwhile.
            return self._page(request, token)
        except services.Refusal as refusal:
            return self._page(request, token, problem=refusal.detail)
        # Without an address, the provider is carrying the payment out already.
        return HttpResponseRedirect(paid.started.url) if paid.started.url else self._page(request, token)

    def _page(self, request: HttpRequest, token: str, **extra: Any) -> HttpResponse:
        page = super()._page(request, token, **extra)
        # Browsers apply it to the redirect after the form, too, and the provider's page is at another host.
        page["Content-Security-Policy"] = content_security_policy(form_action="'self' https:")
        return page
