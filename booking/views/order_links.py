"""The pages to which mail about a new time leads. The signed link replaces signing in."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from booking import services

TEMPLATE = "booking/order_link.html"


class OrderLinkPage(View):
    """Shows the order of a link."""

    answer = "keep"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, token)

    def _page(self, request: HttpRequest, token: str, **extra: Any) -> HttpResponse:
        try:
            order = services.find_mailed_order(token=token)
        except services.NotFound:
            return render(request, TEMPLATE, {"answer": "unknown"}, status=404)
        [bookings] = services.read_bookings(orders=[order], now=timezone.now())
        booked = [booking for booking in bookings if booking.status == booking.Status.BOOKED]
        is_over = services.why_not_on_sale(show=order.show, now=timezone.now()) is not None
        context = {"answer": self.answer, "order": order, "booked": booked, "is_over": is_over, "token": token}
        return render(request, TEMPLATE, context | extra)


class OrderKeepPage(OrderLinkPage):
    """Confirms that the seats stay booked; nothing has to be changed for it."""


class OrderCancelPage(OrderLinkPage):
    """Asks before it cancels, because programs that check mail follow its links."""

    answer = "cancel"

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            order = services.find_mailed_order(token=token)
            services.cancel_mailed_order(show_id=order.show_id, reference=order.reference, now=timezone.now())
        except services.NotFound:
            return self._page(request, token)
        except services.Refusal as refusal:
            return self._page(request, token, problem=refusal.detail)
        return self._page(request, token, answer="cancelled")
