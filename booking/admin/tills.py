"""The tills of clerks: opened with a float, counted by kind of payment, and closed with the counted cash."""

from decimal import Decimal
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from booking import services
from booking.admin.common import RefusalFormMixin, counted
from booking.admin.money import may_see_payments, sees_all_tills
from booking.admin.till_forms import CloseLeftTillForm, CloseTillForm, OpenTillForm, TillForm
from booking.models import Payment, Till, User, represent_amount


def till_url(till: Till) -> str:
    return reverse("admin:booking_till_change", args=[till.pk])


def difference_text(till: Till) -> str:
    """Return the difference between the counted and the expected cash in words, such as "2.00 short"."""
    difference = till.difference
    if difference is None:
        return "-"
    return f"{represent_amount(abs(difference))} {'short' if difference < 0 else 'over'}" if difference else "none"


def _own(request: HttpRequest) -> Till | None:
    return services.find_open_till(clerk=cast(User, request.user))


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("closed", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Till]) -> QuerySet[Till]:
        states = {"open": True, "closed": False}
        if self.value() not in states:
            return queryset
        return queryset.filter(closed_at__isnull=states[cast(str, self.value())])


@admin.register(Till)
class TillAdmin(RefusalFormMixin, admin.ModelAdmin):
    """Staff with `close_till` see their own tills, open one and close it; those with `view_till` see all tills.

    Staff with `change_till` also close a till that its clerk left open, with a note.
    """

    list_display = ("__str__", "opened_at", "closed_at", "expected", "counted_text", "difference", "note")
    list_filter = (StateFilter, ("clerk", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("clerk",)
    show_full_result_count = False
    actions = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Till]:
        tills = Till.objects.select_related("clerk", "closed_by")
        return tills if sees_all_tills(request) else tills.filter(clerk=request.user.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("booking.close_till")

    def has_view_permission(self, request: HttpRequest, obj: Till | None = None) -> bool:
        return self.has_add_permission(request) or sees_all_tills(request)

    def has_change_permission(self, request: HttpRequest, obj: Till | None = None) -> bool:
        if obj and obj.closed_at is not None:
            return False
        is_own = obj is None or obj.clerk_id == request.user.pk
        return (is_own and self.has_add_permission(request)) or request.user.has_perm("booking.change_till")

    def has_delete_permission(self, request: HttpRequest, obj: Till | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Tills", "own": _own(request)} | (extra_context or {}))

    # --- Columns ------------------------------------------------------------------------------

    @admin.display(description="expected cash")
    def expected(self, till: Till) -> str:
        return "-" if till.expected_cash is None else represent_amount(till.expected_cash)

    @admin.display(description="counted cash")
    def counted_text(self, till: Till) -> str:
        return "-" if till.counted_cash is None else represent_amount(till.counted_cash)

    @admin.display(description="difference")
    def difference(self, till: Till) -> str:
        return difference_text(till)

    # --- The page -----------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Till | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: type[TillForm] = OpenTillForm
        if obj:
            form = CloseTillForm if obj.clerk_id == request.user.pk else CloseLeftTillForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Till | None = None) -> Any:
        if obj is None:
            return OpenTillForm.Meta.fields
        return CloseTillForm.Meta.fields if self.has_change_permission(request, obj) else ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if till := context["original"]:
            context |= {"title": str(till), "subtitle": None, "may_see_payments": may_see_payments(request)}
            context |= self._page(till)
        else:
            context |= {"title": "Open a till", "own": _own(request)}
        return super().render_change_form(request, context, *args, **kwargs)

    @staticmethod
    def _page(till: Till) -> dict[str, Any]:
        lines = services.read_till(till=till)
        [cash] = [line for line in lines if line.method == Payment.Method.CASH]
        expected = till.expected_cash
        if expected is None:
            expected = services.expected_cash(till=till, lines=lines)
        return {
            "till": till,
            "lines": [
                {
                    "method": Payment.Method(line.method).label,
                    "payments": counted(line.payments, "payment"),
                    "paid": represent_amount(line.paid),
                    "refunds": counted(line.refunds, "refund"),
                    "refunded": represent_amount(line.refunded),
                    "net": represent_amount(line.net),
                }
                for line in lines
            ],
            "total": represent_amount(sum((line.net for line in lines), Decimal(0))),
            "float": represent_amount(till.opening_float),
            "cash": represent_amount(cash.net),
            "expected_cash": represent_amount(expected),
            "counted_cash": "" if till.counted_cash is None else represent_amount(till.counted_cash),
            "difference": difference_text(till),
            "currency": settings.CURRENCY,
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.print_view)
        return [path("<str:object_id>/print/", view, name="booking_till_print"), *super().get_urls()]

    def print_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows the till's counts on a page that prints itself."""
        till: Till | None = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, till):
            raise PermissionDenied
        if till is None:
            raise Http404
        context = {"site_header": self.admin_site.site_header, "back": till_url(till), **self._page(till)}
        return TemplateResponse(request, "admin/booking/till/print.html", context)

    # --- Changes ------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Till, form: Any, change: bool) -> None:
        clerk, now, data = cast(User, request.user), timezone.now(), form.cleaned_data
        if change:
            count = {"till_id": obj.pk, "counted_cash": data["counted_cash"], "note": data["note"], "now": now}
            is_own = obj.clerk_id == clerk.pk
            closed = (
                services.close_till(clerk=clerk, **count) if is_own else services.close_left_till(by=clerk, **count)
            )
            obj.expected_cash, obj.closed_at = closed.expected_cash, closed.closed_at
        else:
            obj.pk = services.open_till(clerk=clerk, opening_float=data["opening_float"], now=now).pk
            obj.clerk = clerk

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        if add:
            return "Opened."
        is_own = form.instance.clerk_id == request.user.pk
        return "Closed." if is_own else f"Closed for {form.instance.clerk}, who left it open."

    def response_add(self, request: HttpRequest, obj: Till, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, "Your till is open.")
        return HttpResponseRedirect(till_url(obj))

    def response_change(self, request: HttpRequest, obj: Till) -> HttpResponse:
        whose = "Your till" if obj.clerk_id == request.user.pk else f"The till of {obj.clerk}"
        messages.success(request, f"{whose} is closed. Difference: {difference_text(obj)}.")
        return HttpResponseRedirect(till_url(obj))
