"""Forms of a till's page. The services check the rules."""

from typing import Any

from django import forms

from booking import services
from booking.admin.amount_fields import AmountField
from booking.admin.model_forms import ServiceRulesMixin
from booking.models import Till


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
    counted_cash: Any = AmountField(
        label="Counted cash", max_value=services.MAX_CASH, help_text="All cash in the drawer, with the float."
    )

    class Meta(TillForm.Meta):
        fields = ("counted_cash", "note")
        help_texts = {"note": "For example, why cash is missing."}


class CloseLeftTillForm(CloseTillForm):
    """Closes the till of a clerk who left it open."""

    note = forms.CharField(max_length=200, help_text="The reason why you close it instead of its clerk.")
