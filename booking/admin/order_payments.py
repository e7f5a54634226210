"""Payments and refunds on an order's page, and taking what is due at the counter."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from booking import services
from booking.admin.amount_fields import TotalField
from booking.admin.common import errors_text
from booking.admin.hall_forms import PaymentForm
from booking.admin.money import may_issue_receipts, may_see_payments, may_see_refunds
from booking.admin.order_pages import OrderPages, amounts_of, order_url
from booking.admin.refunds import steps_of
from booking.models import Order, Payment, Refund, User, represent_amount


class TakePaymentForm(PaymentForm):
    # The amount that the page showed.
    expected: Any = TotalField(widget=forms.HiddenInput)


def with_clerks(rows: list[Any]) -> list[tuple[Any, str]]:
    """Return payments or refunds, each with the name of the member of staff, in one query."""
    clerks = User.objects.in_bulk({row.created_by_id for row in rows if row.created_by_id})
    return [(row, str(clerks.get(row.created_by_id) or "")) for row in rows]


def payment_line(payment: Payment, clerk: str) -> dict[str, Any]:
    change = payment.change
    return {
        "at": payment.settled_at or payment.created_at,
        "kind": payment.kind,
        "amount": represent_amount(payment.amount),
        "status": payment.get_status_display(),
        "clerk": clerk,
        "note": "" if change is None else f"{_text(payment.given)} given, {_text(change)} change",
    }


def _text(amount: Decimal | None) -> str:
    return represent_amount(cast(Decimal, amount))


def refund_line(request: HttpRequest, refund: Refund, clerk: str, *, is_under_way: bool) -> dict[str, Any]:
    return {
        "steps": steps_of(refund, request, is_under_way=is_under_way),
        "at": refund.settled_at or refund.created_at,
        "kind": "Refund",
        "amount": f"\u2212{represent_amount(refund.amount)}",
        "status": refund.get_status_display(),
        "clerk": clerk,
        "note": refund.problem or refund.reason,
    }


class OrderPayments(OrderPages):
    def get_urls(self) -> list[Any]:
        views: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "pay": ("pay/", self.pay_view),
            "issue_receipt": ("receipts/", self.issue_receipt_view),
            "receipt": ("receipts/<int:position>/", self.receipt_view),
            "receipt_pdf": ("receipts/<int:position>.pdf", self.receipt_pdf_view),
        }
        own = [
            path(f"<str:object_id>/{address}", self.order_view(view), name=f"booking_order_{name}")
            for name, (address, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def payments_of(self, request: HttpRequest, order: Order) -> dict[str, Any]:
        """Return what the page shows of the order's money."""
        amounts = amounts_of(order)
        money: services.OrderMoney = order.money  # type: ignore[attr-defined]
        payments = money.payments if may_see_payments(request) else []
        refunds = money.refunds if may_see_refunds(request) else []
        lines = [payment_line(payment, clerk) for payment, clerk in with_clerks(list(payments))]
        under_way = services.find_refunds_under_way(refunds=refunds)
        lines += [
            refund_line(request, refund, clerk, is_under_way=refund.pk in under_way)
            for refund, clerk in with_clerks(list(refunds))
        ]
        may_take = request.user.has_perm("booking.take_payment") and not order.show.is_cancelled
        is_due = may_take and amounts.due > 0
        receipts, may_be_issued = services.find_receipts(order=order, money=money)
        return {
            "payments": sorted(lines, key=lambda line: line["at"]),
            "may_see_payments": may_see_payments(request),
            "receipts": receipts if may_see_payments(request) else [],
            "may_issue_receipt": may_be_issued and may_issue_receipts(request),
            "currency": settings.CURRENCY,
            "due": represent_amount(amounts.due) if is_due else "",
            "has_till": is_due and services.find_open_till(clerk=cast(User, request.user)) is not None,
            "payment": TakePaymentForm(initial={"expected": represent_amount(amounts.due)}),
        }

    @method_decorator(require_POST)
    def pay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stores that the customer paid what is due."""
        if not request.user.has_perm("booking.take_payment"):
            raise PermissionDenied
        order = self._order(request, object_id, may=True, undone="Nothing was taken.")
        form = TakePaymentForm(request.POST)
        if not form.is_valid():
            messages.error(request, errors_text(form))
            return HttpResponseRedirect(order_url(order))
        try:
            payment = services.record_payment(
                show_id=order.show_id,
                reference=order.reference,
                by=cast(User, request.user),
                now=timezone.now(),
                **form.cleaned_data,
            )
            messages.success(request, taken_text(payment))
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
        return HttpResponseRedirect(order_url(order))

    @method_decorator(require_POST)
    def issue_receipt_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Issues the order's receipt, or a further one, and shows it."""
        order = self._order(request, object_id, may=may_issue_receipts(request))
        try:
            receipt = services.issue_receipt(order=order, now=timezone.now())
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(order_url(order))
        return HttpResponseRedirect(reverse("admin:booking_order_receipt", args=[order.pk, receipt.position]))

    def receipt_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Shows a receipt of the order on a page that prints itself."""
        order, content = self._receipt(request, object_id, position)
        context = {
            "site_header": self.admin_site.site_header,
            "lines": content.lines,
            "pdf": reverse("admin:booking_order_receipt_pdf", args=[order.pk, position]),
            "back": order_url(order),
        }
        return TemplateResponse(request, "admin/booking/order/receipt.html", context)

    def receipt_pdf_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        _, content = self._receipt(request, object_id, position)
        response = HttpResponse(services.receipt_pdf(content=content), content_type="application/pdf")
        response["Content-Disposition"] = f'inline; filename="receipt-{content.receipt}.pdf"'
        return response

    def _receipt(self, request: HttpRequest, object_id: str, position: int) -> tuple[Order, services.ReceiptContent]:
        """Return the order and its receipt at this position. Raises PermissionDenied and Http404."""
        order = self._order(request, object_id, may=may_see_payments(request))
        content = services.read_receipt(order=order, position=position)
        if content is None:
            raise Http404
        return order, content


def taken_text(payment: Payment) -> str:
    """Return a sentence about a payment that was taken."""
    change = "" if payment.change is None else f" Change: {represent_amount(payment.change)} {payment.currency}."
    return f"Took {payment.amount_text} {payment.currency} {services.METHODS[payment.method]}.{change}"
