"""Making price lists, and giving them to shows.

A price list can't be changed once a show uses it: a change of prices makes its next version. Sold seats keep
their price.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Exists, Max, QuerySet

from booking.models import Booking, Price, PriceList, Screen, SeatCategory, Show, ShowQuerySet, TicketType
from booking.services.programme.shows import lock_price_list
from booking.services.refusals import InvalidInput, Refusal, first_or_not_found
from booking.services.seats.rules.sale import why_not_on_sale
from booking.services.transactions import lock_screen, lock_show, retried, write_transaction

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

    The replacement has another id, because prices are cached by it: the list may have been used before. If only this
    list explains what was sold, it stays, and the replacement is the next version. Raises NameTaken, NotFound,
    PriceListUsed or Busy.
    """
    # Before the locks, because it reads all bookings. Without a show, no more seats are sold at the list's prices.
    former = PriceList(pk=price_list_id)
    stays = former.is_used() or (price_list_id is not None and was_sold_at(price_list=former))
    with write_transaction():
        screens = _lock_screens(price_list_id)
        old = _lock(price_list_id) if price_list_id else None
        keeps_name = old is not None and old.name == name
        if not keeps_name and PriceList.objects.filter(name=name).exists():
            raise NameTaken
        version = old.version if old and keeps_name else 1
        if stays:
            version = _latest_version(name) + 1
        elif old:
            Screen.objects.filter(price_list=old).update(price_list=None)
            old.delete()
        # Race: another list gets the name.
        price_list, is_new = PriceList.objects.get_or_create(name=name, version=version)
        if not is_new:
            raise NameTaken
        _add_prices(price_list, amounts)
        Screen.objects.filter(pk__in=screens).update(price_list=price_list)
    return price_list


def was_sold_at(*, price_list: PriceList, deleted: Collection[int] = ()) -> bool:
    """Return whether a seat was sold or held at a price that no other list has, so that only this list explains it.

    Lists with the ids `deleted` don't count.
    """
    own = Price.objects.of_booking().filter(price_list=price_list)
    others = Price.objects.of_booking().exclude(price_list__in=[price_list.pk, *deleted])
    return Booking.objects.filter(Exists(own), ~Exists(others)).exists()


def calculate_amounts(*, amounts: Amounts, percent: Decimal, round_to: Decimal) -> Amounts:
    """Return the amounts changed by `percent`, as multiples of `round_to`. Raises PriceTooHigh."""
    changed = {cell: _changed(amount, percent, round_to) for cell, amount in amounts.items()}
    if any(amount >= HIGHEST_AMOUNT for amount in changed.values()):
        raise PriceTooHigh
    return changed


def shows_with_list(*, price_list: PriceList, since: datetime, now: datetime) -> ShowQuerySet:
    """Return the upcoming shows that use a version of the list and start at `since` or later. Times are UTC."""
    shows = Show.objects.upcoming(now).filter(price_list__name=price_list.name, starts_at__gte=since)
    return shows.select_related("movie", "screen", "price_list")


def screens_with_list(*, price_list: PriceList) -> QuerySet[Screen]:
    """Return the screens whose new shows get a version of the list."""
    return Screen.objects.filter(price_list__name=price_list.name).select_related("price_list")


@retried
def add_version(*, price_list_id: int, amounts: Amounts) -> PriceList:
    """Adds the next version of a price list, with these amounts. No show uses it yet. Raises NotFound or Busy."""
    with write_transaction():
        old = _lock(price_list_id, may_be_used=True)
        new = PriceList.objects.create(name=old.name, version=_latest_version(old.name) + 1)
        _add_prices(new, amounts)
    return new


@retried
def assign_version(*, show_id: int, price_list: PriceList, now: datetime) -> Show | None:
    """Gives a new version of its price list to a show; sold and held seats keep their prices.

    Returns None and changes nothing if the show is not on sale at `now` (UTC) or does not use an earlier version.
    Raises NotFound, PriceListChanged or Busy.
    """
    with write_transaction():
        # Race: the show is sold, cancelled, or gets another price list.
        show = lock_show(show_id)
        if why_not_on_sale(show=show, now=now) or not _is_earlier(show.price_list, price_list):
            return None
        lock_price_list(price_list)
        show.price_list = price_list
        show.save(update_fields=["price_list"])
    return show


@retried
def give_version_to_screen(*, screen_id: int, price_list: PriceList) -> Screen | None:
    """Makes a new version of its price list the default of a screen; shows that are planned keep theirs.

    Returns None and changes nothing if the screen does not use an earlier version. Raises NotFound, PriceListChanged or
    Busy.
    """
    with write_transaction():
        # Race: the screen gets another price list.
        screen = lock_screen(screen_id)
        if not _is_earlier(screen.price_list, price_list):
            return None
        lock_price_list(price_list)
        screen.price_list = price_list
        screen.save(update_fields=["price_list"])
    return screen


def _is_earlier(current: PriceList | None, new: PriceList) -> bool:
    return current is not None and current.name == new.name and current.version < new.version


def read_amounts(*, price_list: PriceList) -> dict[tuple[int, int], Decimal]:
    """Return the amounts by the ids of seat category and ticket type."""
    rows = price_list.prices.values_list("category", "ticket_type", "amount")
    return {(category, ticket_type): amount for category, ticket_type, amount in rows}


def _lock_screens(price_list_id: int | None) -> list[int]:
    """Locks the screens with this list and returns their ids. Planning a show takes these locks in the same order."""
    screens = Screen.objects.select_for_update(no_key=True).filter(price_list=price_list_id or 0).order_by("pk")
    return list(screens.values_list("pk", flat=True))


def _lock(price_list_id: int, *, may_be_used: bool = False) -> PriceList:
    """Locks all versions of the price list and returns this one. Raises NotFound and PriceListUsed."""
    # Race: a show begins to use the list; the service that gives it to the show waits for this lock.
    # Race: two versions are added at the same time, to this version and to another.
    name = PriceList.objects.filter(pk=price_list_id).values("name")
    list(PriceList.objects.select_for_update().filter(name__in=name).order_by("pk").values_list("pk"))
    price_list = first_or_not_found(PriceList.objects.filter(pk=price_list_id))
    if price_list.is_used() and not may_be_used:
        raise PriceListUsed
    return price_list


def _latest_version(name: str) -> int:
    latest: int | None = PriceList.objects.filter(name=name).aggregate(latest=Max("version"))["latest"]
    return latest or 0


def _add_prices(price_list: PriceList, amounts: Amounts) -> None:
    categories, types = SeatCategory.objects.in_bulk(), TicketType.objects.in_bulk()
    Price.objects.bulk_create(
        Price(price_list=price_list, category=categories[category], ticket_type=types[ticket_type], amount=amount)
        for (category, ticket_type), amount in amounts.items()
    )


def _changed(amount: Decimal, percent: Decimal, round_to: Decimal) -> Decimal:
    exact = amount * (100 + percent) / 100
    return (exact / round_to).quantize(Decimal(1), ROUND_HALF_UP) * round_to
