"""The page of a price list that shows use: its prices, and how its next version is made."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import services
from booking.admin.common import ExplainedDeletionAdmin, counted
from booking.admin.price_forms import CalculationForm, NewVersionForm, shown
from booking.models import PriceList, Screen, SeatCategory, Show, TicketType
from movieticket.deadline import with_staff_deadline


class PriceChangePage(ExplainedDeletionAdmin):
    """Calculates new prices, previews them with the shows and screens that may get them, and makes the new version."""

    @with_staff_deadline
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        price_list = self.get_object(request, object_id)
        if price_list and price_list.is_used() and self.has_view_permission(request, price_list):
            return self._used(request, price_list)
        return super().change_view(request, object_id, form_url, extra_context)

    def _used(self, request: HttpRequest, price_list: PriceList) -> HttpResponse:
        may_change = self.has_change_permission(request) and self.has_add_permission(request)
        calculation = CalculationForm(request.GET if "percent" in request.GET else None)
        amounts = services.read_amounts(price_list=price_list)
        new = None
        if may_change and calculation.is_valid():
            new = self._preview(request, price_list, amounts, calculation)
        if new and new.is_valid():
            try:
                return self._change(request, price_list, new)
            except services.Refusal as refusal:
                new.add_error(None, refusal.detail)
        types = TicketType.objects.filter(pk__in={ticket_type for _, ticket_type in amounts})
        categories = SeatCategory.objects.filter(pk__in={category for category, _ in amounts})
        context = {
            **self.admin_site.each_context(request),
            "title": str(price_list),
            "opts": self.opts,
            "types": types,
            "rows": [(of, [shown(amounts.get((of.pk, one.pk))) for one in types]) for of in categories],
            "form": calculation if may_change else None,
            "new": new,
        }
        return TemplateResponse(request, "admin/booking/pricelist/used.html", context)

    @staticmethod
    def _preview(
        request: HttpRequest, price_list: PriceList, amounts: services.Amounts, calculation: CalculationForm
    ) -> NewVersionForm | None:
        """Return the form with the calculated prices; adds an error to the calculation if a price is too high."""
        percent, round_to, since = (calculation.cleaned_data[name] for name in ("percent", "round_to", "since"))
        try:
            calculated = services.calculate_amounts(amounts=amounts, percent=percent, round_to=round_to)
        except services.InvalidInput as refusal:
            calculation.add_error(refusal.field, refusal.detail)
            return None
        shows = services.shows_with_list(price_list=price_list, since=services.start_of(day=since), now=timezone.now())
        screens = services.screens_with_list(price_list=price_list)
        may = request.user.has_perm
        return NewVersionForm(
            request.POST if request.method == "POST" else None,
            amounts=amounts,
            calculated=calculated,
            shows=shows.with_seats_sold() if may("booking.change_show") else Show.objects.none(),
            screens=screens if may("booking.change_screen") else Screen.objects.none(),
        )

    def _change(self, request: HttpRequest, price_list: PriceList, form: NewVersionForm) -> HttpResponse:
        data, now = form.cleaned_data, timezone.now()
        new = services.add_version(price_list_id=price_list.pk, amounts=data["amounts"])
        self.log_addition(request, new, f"Made from {price_list}.")
        messages.success(request, f"{new} was added.")
        self._give(
            request,
            new,
            data["shows"],
            lambda show: services.assign_version(show_id=show.pk, price_list=new, now=now),
            "show",
        )
        self._give(
            request,
            new,
            data["screens"],
            lambda screen: services.give_version_to_screen(screen_id=screen.pk, price_list=new),
            "screen",
        )
        return self.response_post_save_change(request, new)

    def _give(
        self, request: HttpRequest, new: PriceList, rows: Any, give: Callable[[Any], Show | Screen | None], noun: str
    ) -> None:
        """Gives the new version to each row, and reports the number of changes and each refusal."""
        changed = 0
        for row in rows:
            try:
                done = give(row)
            except services.Refusal as refusal:
                messages.error(request, f"{row}: {refusal.detail}")
                continue
            if done:
                self.log_change(request, row, f"Price list changed to {new}.")
                changed += 1
        if changed:
            messages.success(request, f"{counted(changed, noun)} changed to {new}.")
