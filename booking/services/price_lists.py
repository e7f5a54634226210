"""Making price lists, and giving them to shows.

A price list can't be changed once a show uses it: a change of prices makes its next version. What is sold keeps its
price.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Max

from booking.models import Price, PriceList, SeatCategory, Show, TicketType
from booking.services.refusals import InvalidInput, NotFound, Refusal
from booking.services.shows import change_show
from booking.services.transactions import retried, write_transaction

# By seat category and ticket type; without an amount the combination is not sold.
Amounts = Mapping[tuple[int, int], Decimal]


class PriceListUsed(Refusal):
    code = "price_list_used"

    def __init__(self) -> None:
        super().__init__("Shows use this price list, so it can't be changed; make a new version of it instead.")


class NameTaken(InvalidInput):
    def __init__(self) -> None:
        super().__init__("name", ["A price list with this name already exists."], ["unique"])


@retried
def save_price_list(*, name: str, amounts: Amounts, price_list_id: int | None = None) -> PriceList:
    """Creates a price list, or replaces name and prices of one that no show uses.

    Raises NameTaken, NotFound, PriceListUsed or Busy.
    """
    with write_transaction():
        price_list = _lock(price_list_id) if price_list_id else PriceList()
        others = PriceList.objects.filter(name=name).exclude(name=price_list.name if price_list_id else "")
        if others.exists():
            raise NameTaken
        price_list.name = name
        price_list.save()
        _replace_prices(price_list, amounts)
    return price_list


@retried
def change_prices(
    *, price_list_id: int, percent: Decimal, round_to: Decimal, since: datetime | None, now: datetime
) -> tuple[PriceList, list[Show]]:
    """Makes the next version of a price list, whose prices differ by `percent` and are multiples of `round_to`.

    With `since` (UTC), shows that start then or later and use an earlier version get the new one, each in a transaction
    of its own. Returns the new version and these shows. Raises NotFound or Busy.
    """
    with write_transaction():
        # Race: two members of staff make a new version.
        old = _lock(price_list_id, may_be_used=True)
        latest = PriceList.objects.filter(name=old.name).aggregate(latest=Max("version"))["latest"]
        new = PriceList.objects.create(name=old.name, version=latest + 1)
        amounts = {
            (price.category_id, price.ticket_type_id): _changed(price.amount, percent, round_to)
            for price in old.prices.all()
        }
        _replace_prices(new, amounts)
    shows = Show.objects.upcoming(now).filter(price_list__name=old.name, price_list__version__lt=new.version)
    changed = list(shows.filter(starts_at__gte=since)) if since else []
    return new, [change_show(show_id=show.pk, now=now, price_list=new) for show in changed]


def read_amounts(*, price_list: PriceList) -> dict[tuple[int, int], Decimal]:
    """Return the amounts by the ids of seat category and ticket type."""
    rows = price_list.prices.values_list("category", "ticket_type", "amount")
    return {(category, ticket_type): amount for category, ticket_type, amount in rows}


def _lock(price_list_id: int, *, may_be_used: bool = False) -> PriceList:
    # Race: a show begins to use the list. Its foreign key check waits for this lock.
    price_list = PriceList.objects.select_for_update().filter(pk=price_list_id).first()
    if price_list is None:
        raise NotFound
    if price_list.is_used() and not may_be_used:
        raise PriceListUsed
    return price_list


def _replace_prices(price_list: PriceList, amounts: Amounts) -> None:
    price_list.prices.all().delete()
    categories, types = SeatCategory.objects.in_bulk(), TicketType.objects.in_bulk()
    Price.objects.bulk_create(
        Price(price_list=price_list, category=categories[category], ticket_type=types[ticket_type], amount=amount)
        for (category, ticket_type), amount in amounts.items()
    )


def _changed(amount: Decimal, percent: Decimal, round_to: Decimal) -> Decimal:
    exact = amount * (100 + percent) / 100
    return (exact / round_to).quantize(Decimal(1), ROUND_HALF_UP) * round_to
