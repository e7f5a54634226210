"""The admin of refunds: staff see why one failed, try it again, and pay refunds of the counter out."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from booking import services
from booking.admin.common import ValidSelectionMixin, carry_out, errors_text
from booking.admin.money import CreationDayFilter, MoneyAdmin, may_see_refunds
from booking.admin.payments import ClerkFilter, ProviderFilter, TillFilter
from booking.models import Refund, User, represent_amount


def steps_of(refund: Refund, request: HttpRequest, *, is_under_way: bool) -> list[dict[str, str]]:
    """Return what the user may do with the refund: the texts and addresses of buttons.

    `is_under_way` says that a task is going to carry it out.
    """
    if refund.status == Refund.Status.DONE or is_under_way or not request.user.has_perm("booking.refund_payment"):
        return []
    if refund.provider == services.COUNTER:
        steps = {"pay_out": "Pay out"}
    elif refund.status == Refund.Status.FAILED:
        steps = {"retry": "Try again", "pay_out": "Pay out in cash"}
    else:
        steps = {"retry": "Try again"}
    return [
        {"text": text, "url": reverse(f"admin:booking_refund_{name}", args=[refund.pk])} for name, text in steps.items()
    ]


class MarkFailedForm(forms.Form):
    reason = forms.CharField(max_length=200, required=False, label="Why is it certain that no money was sent?")


class StateFilter(admin.SimpleListFilter):
    """The statuses, and both kinds of refunds that need a member of staff."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = [("to_pay_out", "To pay out at the counter")]
        return [*((str(value), str(label)) for value, label in Refund.Status.choices), *own]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Refund]) -> QuerySet[Refund]:
        if self.value() is None:
            return queryset
        if self.value() == "to_pay_out":
            return queryset.filter(services.WAITS_FOR_PAYOUT)
        return queryset.filter(status=self.value())


@admin.register(Refund)
class RefundAdmin(ValidSelectionMixin, MoneyAdmin):
    list_display = ("time", "order_link", "show_text", "amount_text", "kind", "status", "reason", "problem")
    list_filter = (StateFilter, CreationDayFilter, ProviderFilter, ClerkFilter, TillFilter)
    fields = (
        *("order_link", "show_text", "amount_text", "kind", "status", "problem", "reason", "clerk", "till_text"),
        *("created_at", "settled_at", "provider_id"),
    )
    readonly_fields = fields
    actions = ("retry",)
    change_form_template = "admin/booking/refund/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return super().get_queryset(request).select_related("payment")

    def has_view_permission(self, request: HttpRequest, obj: Refund | None = None) -> bool:
        return may_see_refunds(request)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.refund_payment")

    @admin.display(description="to where it was paid")
    def kind(self, refund: Refund) -> str:
        return refund.provider if refund.provider != services.COUNTER else refund.payment.get_method_display()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        refund: Refund = context["original"]
        title = f"Refund of {represent_amount(refund.amount)} {refund.currency}"
        is_under_way = refund.pk in services.find_refunds_under_way(refunds=[refund])
        steps = steps_of(refund, request, is_under_way=is_under_way)
        context |= {"title": title, "subtitle": None, "steps": steps}
        if self.has_refund_permission(request) and services.is_refund_given_up(refund=refund):
            context |= {
                "mark_failed": MarkFailedForm(),
                "mark_failed_url": reverse("admin:booking_refund_mark_failed", args=[refund.pk]),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    # --- Changes ------------------------------------------------------------------------------

    @admin.action(description="Try selected refunds again", permissions=["refund"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        carry_out(request, queryset, "refund", "will be tried again", lambda refund: self._retry(request, refund))

    def _retry(self, request: HttpRequest, refund: Refund) -> str:
        services.retry_refund(refund_id=refund.pk, by=cast(User, request.user), now=timezone.now())
        return "The refund will be tried again."

    def _mark_failed(self, request: HttpRequest, refund: Refund) -> str:
        form = MarkFailedForm(request.POST)
        if not form.is_valid():
            raise services.InvalidInput("reason", [errors_text(form)])
        by, reason = cast(User, request.user), form.cleaned_data["reason"]
        services.mark_refund_failed(refund_id=refund.pk, by=by, reason=reason, now=timezone.now())
        return "The refund has failed. It can be paid out in cash, or tried again."

    def _pay_out(self, request: HttpRequest, refund: Refund) -> str:
        services.pay_out_refund(refund_id=refund.pk, by=cast(User, request.user), now=timezone.now())
        how = services.METHODS[services.payout_method(refund=refund)]
        return f"Paid out {represent_amount(refund.amount)} {settings.CURRENCY} {how}."

    def get_urls(self) -> list[Any]:
        own = [
            path("<str:object_id>/retry/", self.admin_site.admin_view(self.retry_view), name="booking_refund_retry"),
            path(
                "<str:object_id>/mark-failed/",
                self.admin_site.admin_view(self.mark_failed_view),
                name="booking_refund_mark_failed",
            ),
            path("<str:object_id>/pay-out/", self.admin_site.admin_view(self.pay_view), name="booking_refund_pay_out"),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_POST)
    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change(request, object_id, self._retry)

    @method_decorator(require_POST)
    def mark_failed_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change(request, object_id, self._mark_failed)

    @method_decorator(require_POST)
    def pay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change(request, object_id, self._pay_out)

    def _change(
        self, request: HttpRequest, object_id: str, change: Callable[[HttpRequest, Refund], str]
    ) -> HttpResponse:
        """Makes the change and leads back to the page with the button: the order's, or the refund's."""
        if not self.has_refund_permission(request):
            raise PermissionDenied
        refund: Refund | None = self.get_object(request, unquote(object_id))
        if refund is None:
            raise Http404
        try:
            messages.success(request, change(request, refund))
        except services.Refusal as refusal:
            messages.error(request, refusal.detail)
        order = self.order_of(refund) if "order" in request.POST else None
        if order and request.user.has_perm("booking.view_order"):
            return HttpResponseRedirect(reverse("admin:booking_order_change", args=[order.pk]))
        return HttpResponseRedirect(reverse("admin:booking_refund_change", args=[refund.pk]))
