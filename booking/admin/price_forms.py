"""Forms of price lists: a grid of seat categories and ticket types."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from booking import services
from booking.admin.amount_fields import AmountField, DecimalField
from booking.admin.model_forms import ServiceRulesMixin
from booking.admin.time_fields import DayField
from booking.models import (
    MONEY,
    PriceList,
    Screen,
    SeatCategory,
    Show,
    TicketType,
    currency_decimals,
    represent_amount,
)

# With more shows than these, all of them or none can be chosen.
MAX_SHOWS_TO_CHOOSE = 300


def name_of(category: SeatCategory, ticket_type: TicketType) -> str:
    return f"price_{category.pk}_{ticket_type.pk}"


class PriceListForm(ServiceRulesMixin, forms.ModelForm):
    """The subclass of `form_with_prices` has a field for each seat category and ticket type."""

    cells: dict[str, tuple[int, int]] = {}

    class Meta:
        model = PriceList
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.amounts = services.read_amounts(price_list=self.instance) if self.instance.pk else {}
        for name, cell in self.cells.items():
            if cell in self.amounts:
                self.initial[name] = represent_amount(self.amounts[cell])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        entered = {cell: data[name] for name, cell in self.cells.items() if data.get(name) is not None}
        # The form has no fields for the ticket types that are not sold at the moment.
        others = {cell: amount for cell, amount in self.amounts.items() if cell not in self.cells.values()}
        data["amounts"] = others | entered
        if not entered and not self.errors:
            raise ValidationError("Enter at least one price.")
        return data


def form_with_prices() -> type[PriceListForm]:
    """Return a form with the ticket types of today."""
    fields: dict[str, Any] = {"cells": {}}
    for category in SeatCategory.objects.all():
        for ticket_type in TicketType.objects.filter(is_active=True):
            name = name_of(category, ticket_type)
            fields[name] = AmountField(label=ticket_type.name, required=False, **MONEY)
            fields["cells"][name] = (category.pk, ticket_type.pk)
    return type("PriceListForm", (PriceListForm,), fields)


class CalculationForm(forms.Form):
    """A calculation of new prices, and the day from which on shows may get them."""

    percent = DecimalField(
        initial=0,
        min_value=-100,
        max_value=1000,
        decimal_places=2,
        label="Change by per cent",
        help_text="5 or -10; 0 copies the prices.",
    )
    round_to = AmountField(
        initial=lambda: represent_amount(5 * Decimal(1).scaleb(-min(currency_decimals(), 1))),
        min_value=Decimal(1).scaleb(-currency_decimals()),
        max_value=1000,
        label="Round to",
    )
    since = DayField(initial=timezone.localdate, label="From day")


class NewVersionForm(forms.Form):
    """The prices of the next version of a list, and the shows and screens that get it."""

    shows = forms.ModelMultipleChoiceField(Show.objects.none(), required=False)
    all_shows = forms.BooleanField(required=False, initial=True)
    screens = forms.ModelMultipleChoiceField(Screen.objects.none(), required=False)

    def __init__(
        self,
        data: Any,
        *,
        amounts: services.Amounts,
        calculated: services.Amounts,
        shows: QuerySet[Show],
        screens: QuerySet[Screen],
    ) -> None:
        """`amounts` are those of the list as it is."""
        super().__init__(data)
        used = {ticket_type for _, ticket_type in amounts}
        self.types = [one for one in TicketType.objects.all() if one.is_active or one.pk in used]
        self.categories = list(SeatCategory.objects.all())
        self.amounts = amounts
        for category in self.categories:
            for ticket_type in self.types:
                field = AmountField(label=f"{category.name}, {ticket_type}", required=False, **MONEY)
                field.widget.attrs["aria-label"] = field.label
                cell = category.pk, ticket_type.pk
                field.initial = represent_amount(calculated[cell]) if cell in calculated else None
                self.fields[name_of(category, ticket_type)] = field
        self.listed_shows, self.listed_screens = list(shows), list(screens)
        self.may_choose = len(self.listed_shows) <= MAX_SHOWS_TO_CHOOSE
        self.fields["shows"].queryset, self.fields["screens"].queryset = shows, screens  # type: ignore[attr-defined]

    @property
    def chosen_shows(self) -> set[int]:
        return self._chosen("shows", self.listed_shows)

    @property
    def chosen_screens(self) -> set[int]:
        return self._chosen("screens", self.listed_screens)

    def _chosen(self, name: str, rows: list[Any]) -> set[int]:
        """Return the ids of the ticked rows: at first of all rows."""
        ticked = self.data.getlist(name) if self.is_bound else None  # type: ignore[attr-defined]
        return {row.pk for row in rows if ticked is None or str(row.pk) in ticked}

    @property
    def rows(self) -> Iterable[tuple[SeatCategory, list[tuple[str, forms.BoundField]]]]:
        """Each category with the present price and the field of each ticket type."""
        for category in self.categories:
            yield (
                category,
                [(shown(self.amounts.get((category.pk, one.pk))), self[name_of(category, one)]) for one in self.types],
            )

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        data["amounts"] = {
            (category.pk, one.pk): data[name]
            for category in self.categories
            for one in self.types
            if data.get(name := name_of(category, one)) is not None
        }
        if not data["amounts"] and not self.errors:
            raise ValidationError("Enter at least one price.")
        if not self.may_choose:
            data["shows"] = self.listed_shows if data["all_shows"] else []
        return data


def shown(amount: Decimal | None) -> str:
    return "not sold" if amount is None else represent_amount(amount)
