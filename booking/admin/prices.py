"""The admin of price lists."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from booking import services
from booking.admin.common import RefusalFormMixin, counted
from booking.admin.time_fields import DayField
from booking.models import (
    PriceList,
    SeatCategory,
    TicketType,
    currency_decimals,
    fits_currency,
    represent_amount,
)


class AmountField(forms.DecimalField):
    """An amount in the currency of the cinema."""

    def __init__(self, *, min_value: Decimal = Decimal(0), **kwargs: Any) -> None:
        step = str(Decimal(1).scaleb(-currency_decimals()))
        widget = forms.NumberInput(attrs={"step": step, "size": "7", "class": "price"})
        super().__init__(min_value=min_value, max_digits=12, decimal_places=3, widget=widget, **kwargs)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not fits_currency(value):
            raise ValidationError(f"Enter an amount with at most {currency_decimals()} decimals.")


def _name_of(category: SeatCategory, ticket_type: TicketType) -> str:
    return f"price_{category.pk}_{ticket_type.pk}"


class PriceListForm(forms.ModelForm):
    """The subclass of `form_with_prices` has a field for each seat category and ticket type."""

    cells: dict[str, tuple[int, int]] = {}

    class Meta:
        model = PriceList
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        amounts = services.read_amounts(price_list=self.instance) if self.instance.pk else {}
        for name, cell in self.cells.items():
            if cell in amounts:
                self.initial[name] = represent_amount(amounts[cell])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        data["amounts"] = {cell: data[name] for name, cell in self.cells.items() if data.get(name) is not None}
        if not data["amounts"] and not self.errors:
            raise ValidationError("Enter at least one price.")
        return data

    def _get_validation_exclusions(self) -> set[str]:
        # The service checks that the name is unique among the lists, not among their versions.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"name"}


def form_with_prices() -> type[PriceListForm]:
    """Return a form with the ticket types of today."""
    fields: dict[str, Any] = {"cells": {}}
    for category in SeatCategory.objects.all():
        for ticket_type in TicketType.objects.filter(is_active=True):
            name = _name_of(category, ticket_type)
            fields[name] = AmountField(label=ticket_type.name, required=False)
            fields["cells"][name] = (category.pk, ticket_type.pk)
    return type("PriceListForm", (PriceListForm,), fields)


class ChangePricesForm(forms.Form):
    percent = forms.DecimalField(
        initial=0, min_value=-100, max_value=1000, decimal_places=2, help_text="Such as 5 or -10; 0 copies the prices."
    )
    round_to = AmountField(
        initial=lambda: represent_amount(5 * Decimal(1).scaleb(-min(currency_decimals(), 1))),
        min_value=Decimal("0.001"),
        max_value=1000,
    )
    since = DayField(
        required=False,
        label="From day",
        help_text="Upcoming shows of this list from this day on get the new prices. Empty: no show does yet.",
    )


def _shown(amount: Decimal | None) -> str:
    return "not sold" if amount is None else represent_amount(amount)


@admin.register(PriceList)
class PriceListAdmin(RefusalFormMixin, admin.ModelAdmin):
    """A grid of prices; once a show uses a list, its prices are changed by a new version."""

    list_display = ("name", "version", "shows")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceList]:
        return PriceList.objects.annotate(number_of_shows=Count("shows"))

    @admin.display(description="shows", ordering="number_of_shows")
    def shows(self, price_list: Any) -> int:
        return int(price_list.number_of_shows)

    def get_form(self, request: HttpRequest, obj: PriceList | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, form=form_with_prices(), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: PriceList | None = None) -> Any:
        types = TicketType.objects.filter(is_active=True)
        rows = [
            (category.name, {"fields": [tuple(_name_of(category, ticket_type) for ticket_type in types)]})
            for category in SeatCategory.objects.all()
            if types
        ]
        return [(None, {"fields": ["name"]}), *rows]

    def has_change_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_used())

    def has_delete_permission(self, request: HttpRequest, obj: PriceList | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_used())

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if not TicketType.objects.filter(is_active=True).exists():
            messages.warning(request, "Add a ticket type first, such as Adult.")
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: PriceList, form: Any, change: bool) -> None:
        data = form.cleaned_data
        saved = services.save_price_list(
            name=data["name"], amounts=data["amounts"], price_list_id=obj.pk if change else None
        )
        obj.pk = saved.pk

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        price_list = self.get_object(request, object_id)
        if price_list and price_list.is_used() and self.has_view_permission(request, price_list):
            return self._used(request, price_list)
        return super().change_view(request, object_id, form_url, extra_context)

    def _used(self, request: HttpRequest, price_list: PriceList) -> HttpResponse:
        """Shows the prices of a list that shows use, and makes its next version."""
        may_change = super().has_change_permission(request) and self.has_add_permission(request)
        form = ChangePricesForm(request.POST or None)
        if request.method == "POST" and may_change and form.is_valid():
            try:
                new, shows = self._change(request, price_list, form)
            except services.Refusal as refusal:
                form.add_error(refusal.field, refusal.detail)
            else:
                messages.success(request, f"{new} was added; {counted(len(shows), 'show')} changed.")
                return self.response_post_save_change(request, new)
        amounts = services.read_amounts(price_list=price_list)
        types = TicketType.objects.filter(pk__in={ticket_type for _, ticket_type in amounts})
        rows = [
            (category, [_shown(amounts.get((category.pk, ticket_type.pk))) for ticket_type in types])
            for category in SeatCategory.objects.filter(pk__in={category for category, _ in amounts})
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": str(price_list),
            "opts": self.opts,
            "types": types,
            "rows": rows,
            "form": form if may_change else None,
        }
        return TemplateResponse(request, "admin/booking/pricelist/used.html", context)

    def _change(self, request: HttpRequest, price_list: PriceList, form: ChangePricesForm) -> Any:
        since = form.cleaned_data["since"]
        new, shows = services.change_prices(
            price_list_id=price_list.pk,
            percent=form.cleaned_data["percent"],
            round_to=form.cleaned_data["round_to"],
            since=services.start_of(since) if since else None,
            now=timezone.now(),
        )
        self.log_addition(request, new, f"Made from {price_list}.")
        for show in shows:
            self.log_change(request, show, f"Price list changed to {new}.")
        return new, shows
