"""Forms of a till's page. The services check the rules."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from booking import services
from booking.admin.amount_fields import AmountField
from booking.admin.model_forms import ServiceRulesMixin
from booking.models import Till, represent_amount


class TillForm(ServiceRulesMixin, forms.ModelForm):
    class Meta:
        model = Till
        fields: tuple[str, ...] = ()


class OpenTillForm(TillForm):
    opening_float: Any = AmountField(
        label="Float", max_value=services.MAX_CASH, help_text="The cash in the drawer now."
    )

    class Meta(TillForm.Meta):
        fields = ("opening_float",)


class CloseTillForm(TillForm):
    """Asks once more if the difference is larger than the float, because a till that is closed stays closed."""

    counted_cash: Any = AmountField(
        label="Counted cash", max_value=services.MAX_CASH, help_text="All cash in the drawer, with the float."
    )

    # The count that the page has asked about.
    asked = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta(TillForm.Meta):
        fields = ("counted_cash", "note", "asked")
        help_texts = {"note": "For example, why cash is missing."}

    def clean_counted_cash(self) -> Decimal:
        counted: Decimal = self.cleaned_data["counted_cash"]
        difference = counted - services.expected_cash(till=self.instance)
        asked = self.add_prefix("asked")
        if abs(difference) <= self.instance.opening_float or self.data.get(asked) == str(counted):
            return counted
        data = cast(QueryDict, self.data).copy()
        data[asked] = str(counted)
        self.data = data
        text = f"{represent_amount(abs(difference))} {'less' if difference < 0 else 'more'}"
        raise ValidationError(f"This is {text} than expected. If the count is right, close the till again.")


class CloseLeftTillForm(CloseTillForm):
    """Closes the till of a clerk who left it open."""

    note = forms.CharField(max_length=200, help_text="The reason why you close it instead of its clerk.")
