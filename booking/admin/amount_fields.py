"""Form fields for amounts and other numbers with decimals, which staff type with a comma or a point."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from booking.models import TOTAL, currency_decimals

NUMBER = re.compile(r"[+-]?([0-9]+\.?|[0-9]*\.[0-9]+)")


class DecimalField(forms.DecimalField):
    """A number with a decimal comma or a decimal point, and without separators of thousands.

    It is a text input, because number inputs of browsers may drop a comma: "20,00" becomes 2000.
    """

    widget = forms.TextInput
    default_error_messages = {"separators": "Enter the number without separators of thousands."}

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return super().widget_attrs(widget) | {"inputmode": "decimal", "size": "7", "class": "price"}

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        text = str(value).replace(",", ".")
        if text.count(".") > 1:
            # "1.234,50" and "1,234.50" differ by country.
            raise ValidationError(self.error_messages["separators"], code="separators")
        if not NUMBER.fullmatch(text.strip()):
            # Python also reads 1e3, 1_000 and digits of other scripts.
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(text)


class AmountField(DecimalField):
    """An amount in the currency of the cinema; by default as large as a total."""

    def __init__(self, *, min_value: Decimal = Decimal(0), **kwargs: Any) -> None:
        super().__init__(min_value=min_value, **(TOTAL | kwargs))

    def validate(self, value: Any) -> None:
        super().validate(value)
        # Further zeros are refused, too: "1.000" and "1,000" are a thousand in some countries.
        if value is not None and -value.as_tuple().exponent > currency_decimals():
            raise ValidationError(f"Enter an amount with at most {currency_decimals()} decimals.")


class TotalField(DecimalField):
    """A sum of prices that a page showed, to be compared with the sum now."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal(0), **TOTAL, **kwargs)
