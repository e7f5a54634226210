"""Views for paying orders, for the events of payment providers, and the page of the demo provider."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.generic import TemplateView
from rest_framework.request import Request
from rest_framework.views import APIView

from booking import services
from booking.models import Payment
from booking.renderers import ApiResponse
from booking.serializers import PaySerializer, StartedPaymentSerializer, represent_started_payment
from booking.views.bookings import LimitedView
from booking.views.common import Public, account, created, own_address, own_origin, validated
from booking.views.openapi import operation


class PayOrderView(LimitedView):
    @operation(
        name="pay_order",
        tag="Orders",
        summary="Pay an order",
        description=(
            "Starts an online payment of what is due. Send the customer to `next_url`, or confirm `client_secret` with "
            "the provider's own library. Held seats become booked once the provider reports the payment; until then "
            "the order says what is due. A second request while a payment is pending returns the same payment."
        ),
        request=PaySerializer,
        responses={201: StartedPaymentSerializer},
        invalid=("return_url", "origin", "This address is not one of PAYMENT_RETURN_ORIGINS."),
        refusals=[
            services.NotFound,
            services.NothingDue,
            services.PaymentFailed,
            services.ShowStarted,
            services.ShowCancelled,
        ],
    )
    def post(self, request: Request, reference: str) -> ApiResponse:
        data = validated(PaySerializer, request)
        if return_url := data.get("return_url"):
            services.check_return_url(url=return_url, own_origin=own_origin(request))
        else:
            data["return_url"] = own_address(request, reverse("payment-done"))
        paid = services.pay_order(user=account(request), reference=reference, now=timezone.now(), **data)
        url = paid.started.url
        next_url = own_address(request, url) if url and url.startswith("/") else url
        body = represent_started_payment(paid, next_url)
        return created(request, f"orders/{reference}/", body)


class PaymentEventsView(Public, APIView):
    """Receives the signed events of a payment provider."""

    # Only providers call it, so generated clients don't need it.
    swagger_schema = None

    def post(self, request: Request, provider: str) -> ApiResponse:
        if provider not in settings.PAYMENT_PROVIDERS:
            raise services.NotFound
        # The body is not parsed here: the provider's code verifies its signature first.
        body = request._request.body
        services.receive_event(provider=provider, body=body, headers=request.headers, now=timezone.now())
        return ApiResponse({"detail": "Received."})


class PaymentDonePage(TemplateView):
    """The page to which customers return, unless the client has a page of its own."""

    template_name = "booking/payment_done.html"


class DemoPaymentPage(TemplateView):
    """The page of the demo provider; its token is signed by the provider."""

    template_name = "booking/demo_payment.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if "demo" not in settings.PAYMENT_PROVIDERS:
            raise Http404
        try:
            self.token = services.read_demo_token(token=kwargs["token"])
        except services.NotFound:
            raise Http404 from None
        self.payment = get_object_or_404(Payment.objects.select_related("show__movie"), pk=self.token["payment"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(payment=self.payment, return_url=self.token["return_url"], **kwargs)

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Sends the provider's event: once, twice, or only when the customer asks for it on the next page."""
        action = request.POST.get("action", "")
        if action == "late":
            return self.render_to_response(self.get_context_data(late=True))
        body, headers = services.make_demo_event(payment=self.payment, is_paid=action != "decline")
        for _ in range(2 if action == "twice" else 1):
            services.receive_event(provider="demo", body=body, headers=headers, now=timezone.now())
        return HttpResponseRedirect(self.token["return_url"])
