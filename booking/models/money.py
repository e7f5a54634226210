"""Amounts of money: Decimals in the installation's one currency."""

from decimal import Decimal
from functools import cache

from babel.numbers import get_currency_precision
from django.conf import settings


@cache
def _decimals(currency: str) -> int:
    return get_currency_precision(currency)


def currency_decimals() -> int:
    """Return the number of decimals of amounts in CURRENCY: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _decimals(settings.CURRENCY)


def represent_amount(amount: Decimal) -> str:
    """Return the amount as the API and the admin show it, such as 9.50."""
    return f"{amount:.{currency_decimals()}f}"


def format_amount(amount: Decimal) -> str:
    """Return the amount with separators of thousands, as reports show it, such as 12,345.50."""
    return f"{amount:,.{currency_decimals()}f}"
