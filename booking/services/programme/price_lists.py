"""Making price lists, and giving them to shows.

A price list can't be changed once a show uses it: a change of prices makes its next version. What is sold keeps its
price.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Max

from booking.models import Price, PriceList, Screen, SeatCategory, Show, TicketType
from booking.services.refusals import InvalidInput, NotFound, Refusal
from booking.services.transactions import lock_show, retried, write_transaction

# By seat category and ticket type; without an amount the combination is not sold.
Amounts = Mapping[tuple[int, int], Decimal]
HIGHEST_AMOUNT = 10**9


class PriceListUsed(Refusal):
    code = "price_list_used"

    def __init__(self) -> None:
        super().__init__("Shows use this price list, so it can't be changed; make a new version of it instead.")


class NameTaken(InvalidInput):
    def __init__(self) -> None:
        super().__init__("name", ["A price list with this name already exists."], ["unique"])


class PriceTooHigh(InvalidInput):
    def __init__(self) -> None:
        super().__init__("percent", [f"A price would be {HIGHEST_AMOUNT} or more."], ["max_value"])


@retried
def save_price_list(*, name: str, amounts: Amounts, price_list_id: int | None = None) -> PriceList:
    """Creates a price list, or replaces one that no show uses.

    The replacement has another id, because prices are cached by it: the list may have been used before. Raises
    NameTaken, NotFound, PriceListUsed or Busy.
    """
    with write_transaction():
        old, screens = _lock(price_list_id) if price_list_id else None, []
        keeps_name = old is not None and old.name == name
        if not keeps_name and PriceList.objects.filter(name=name).exists():
            raise NameTaken
        if old:
            screens = list(Screen.objects.filter(price_list=old).values_list("pk", flat=True))
            Screen.objects.filter(price_list=old).update(price_list=None)
            old.delete()
        price_list = PriceList.objects.create(name=name, version=old.version if old and keeps_name else 1)
        _add_prices(price_list, amounts)
        Screen.objects.filter(pk__in=screens).update(price_list=price_list)
    return price_list


def change_prices(
    *, price_list_id: int, percent: Decimal, round_to: Decimal, since: datetime | None, now: datetime
) -> tuple[PriceList, list[Show]]:
    """Makes the next version of a price list, whose prices differ by `percent` and are multiples of `round_to`.

    With `since` (UTC), shows that start then or later and use an earlier version get the new one, each in a transaction
    of its own. Returns the new version and these shows. Raises NotFound, PriceTooHigh or Busy.
    """
    new = _make_version(price_list_id, percent, round_to)
    if since is None:
        return new, []
    shows = Show.objects.upcoming(now).filter(price_list__name=new.name, starts_at__gte=since)
    changed = [_give_version(show_id, new, now) for show_id in list(shows.values_list("pk", flat=True))]
    return new, [show for show in changed if show]


@retried
def _make_version(price_list_id: int, percent: Decimal, round_to: Decimal) -> PriceList:
    with write_transaction():
        # Race: two members of staff make a new version.
        old = _lock(price_list_id, may_be_used=True)
        latest = PriceList.objects.filter(name=old.name).aggregate(latest=Max("version"))["latest"]
        amounts = {
            (price.category_id, price.ticket_type_id): _changed(price.amount, percent, round_to)
            for price in old.prices.all()
        }
        if any(amount >= HIGHEST_AMOUNT for amount in amounts.values()):
            raise PriceTooHigh
        new = PriceList.objects.create(name=old.name, version=latest + 1)
        _add_prices(new, amounts)
    return new


@retried
def _give_version(show_id: int, new: PriceList, now: datetime) -> Show | None:
    """Gives the show the new version, unless it is not on sale any more or has got another list or version."""
    with write_transaction():
        # Race: the show is sold, cancelled, or gets another price list.
        show = lock_show(show_id)
        current = show.price_list
        is_earlier = current and current.name == new.name and current.version < new.version
        if show.is_cancelled or show.has_started(now) or not is_earlier:
            return None
        show.price_list = new
        show.save(update_fields=["price_list"])
    return show


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


def _add_prices(price_list: PriceList, amounts: Amounts) -> None:
    categories, types = SeatCategory.objects.in_bulk(), TicketType.objects.in_bulk()
    Price.objects.bulk_create(
        Price(price_list=price_list, category=categories[category], ticket_type=types[ticket_type], amount=amount)
        for (category, ticket_type), amount in amounts.items()
    )


def _changed(amount: Decimal, percent: Decimal, round_to: Decimal) -> Decimal:
    exact = amount * (100 + percent) / 100
    return (exact / round_to).quantize(Decimal(1), ROUND_HALF_UP) * round_to
