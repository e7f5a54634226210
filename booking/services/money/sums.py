"""Sums of money that the database computes."""

from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Round

from booking.models import TOTAL, of_outer_order


def rounded(amount: Any) -> Round:
    """Round an expression to the decimals that are stored, because SQLite computes with floats."""
    output_field: DecimalField[Any, Any] = DecimalField(**TOTAL)
    return Round(amount, precision=TOTAL["decimal_places"], output_field=output_field)


def total_of(column: str) -> Round:
    """Return an expression for the sum of a column of amounts."""
    return rounded(Sum(column))


def sum_of_order(rows: QuerySet[Any, Any], column: str) -> Coalesce:
    """Return an expression that sums up a column of the rows with the show and reference of the outer query's row."""
    of_order = of_outer_order(rows).values("reference")
    return Coalesce(Subquery(of_order.annotate(sum=total_of(column)).values("sum")), Value(Decimal(0)))
