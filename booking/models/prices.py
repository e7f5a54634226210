"""Ticket types and price lists."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import OuterRef, Q

from booking.models.loading import LoadsQuickly
from booking.models.plans import ImmutableError, SeatCategory

# Enough for currencies with three decimals; CURRENCY decides how many an amount may have.
MONEY: dict[str, Any] = {"max_digits": 12, "decimal_places": 3}
# Enough for sums of such amounts: of an order, or of a day's takings.
TOTAL = MONEY | {"max_digits": 18}


class TicketType(LoadsQuickly):
    """The kind of person that a ticket is for, such as Adult or Child."""

    name = models.CharField(max_length=50, unique=True)
    description = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(
        default=0, help_text="Types are listed by position; the first active one is used if a request names none."
    )
    is_active = models.BooleanField("active", default=True, help_text="An inactive type is not sold any more.")

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class PriceList(models.Model):
    """A version of the prices for seat categories and ticket types. It can't be changed once a show uses it."""

    name = models.CharField(max_length=50)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "version"],
                name="unique_price_list_per_name_and_version",
                violation_error_message="A price list with this name already exists.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} (version {self.version})"

    def is_used(self) -> bool:
        """Return whether a show uses the list."""
        return self.pk is not None and self.shows.exists()


class PriceQuerySet(models.QuerySet["Price"]):
    def of_booking(self) -> PriceQuerySet:
        """Return the prices that explain the price of a booking; a subquery for queries of bookings."""
        of_seat = {"category__code": OuterRef("category"), "ticket_type": OuterRef("ticket_type")}
        return self.order_by().filter(amount=OuterRef("price"), **of_seat)


class Price(models.Model):
    """The price of a ticket type on seats of a category; a combination without a price is not sold."""

    price_list = models.ForeignKey(PriceList, models.CASCADE, related_name="prices", db_index=False)
    category = models.ForeignKey(SeatCategory, models.PROTECT, related_name="+")
    ticket_type = models.ForeignKey(TicketType, models.PROTECT, related_name="+")
    amount = models.DecimalField(**MONEY, validators=[MinValueValidator(Decimal(0))])

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["price_list", "category", "ticket_type"]
        constraints = [
            models.UniqueConstraint(
                fields=["price_list", "category", "ticket_type"], name="one_price_per_list_category_and_ticket_type"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="price_is_0_or_more"),
        ]

    def __str__(self) -> str:
        return f"{self.category.name}, {self.ticket_type.name}: {self.amount}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ImmutableError if a show uses the price list."""
        self._check_list_is_unused()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Raises ImmutableError if a show uses the price list."""
        self._check_list_is_unused()
        return super().delete(*args, **kwargs)

    def _check_list_is_unused(self) -> None:
        if self.price_list.is_used():
            raise ImmutableError("Shows use this price list, so it can't be changed; make a new version instead.")


# Amounts by the code of the seat's category and the id of the ticket type.
PriceTable = dict[tuple[str, int], Decimal]


@lru_cache(maxsize=512)
def prices_of_list(price_list_id: int) -> PriceTable:
    """Return the prices of a list that a show uses."""
    rows = Price.objects.filter(price_list=price_list_id).values_list("category__code", "ticket_type", "amount")
    return {(code, ticket_type): amount for code, ticket_type, amount in rows}
