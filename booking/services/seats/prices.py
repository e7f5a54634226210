"""The ticket types and prices of the seats of a request.

A show without a price list is free. On other shows a seat's price depends on its category and on the ticket type. A
booking keeps its price; a hold keeps the ticket type and the price that it was made with, unless the request names
another type.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.db import DEFAULT_DB_ALIAS

from booking.models import PriceTable, Seat, Show, TicketType, prices_of_list, represent_amount
from booking.services.programme.old_rows import complete_plans
from booking.services.refusals import Kind, Refusal, first_or_not_found
from booking.services.seats.facts import Action, Facts, SeatRequest, SeatRow
from booking.services.seats.orders import own_holds
from booking.services.seats.seating import Kinds
from booking.services.transactions import retried


class UnknownTicketType(Refusal):
    """No such ticket type is sold for the seat."""

    code = "unknown_ticket_type"
    kind = Kind.INVALID
    example: ClassVar[dict[str, Any]] = {"detail": "Ticket type 7 is not sold for seat A5."}

    def __init__(self, ticket_type: int, label: str, field: str) -> None:
        super().__init__(f"Ticket type {ticket_type} is not sold for seat {label}.")
        self.ticket_type, self.label, self.field = ticket_type, label, field


class PriceChanged(Refusal):
    code = "price_changed"
    example: ClassVar[dict[str, Any]] = {"detail": "The seats cost 24.00 now.", "total": "24.00"}

    def __init__(self, total: Decimal) -> None:
        amount = represent_amount(total)
        super().__init__(f"The seats cost {amount} now.", total=amount)


@dataclass(frozen=True)
class PricedSeat:
    """A seat with the ticket type and the price that it is sold at; `type_id` is None on a free show."""

    seat_number: int
    label: str
    category: str
    type_id: int | None
    type_name: str
    price: Decimal

    @property
    def ticket_type(self) -> TicketType | None:
        """The ticket type with only its id and name loaded."""
        if self.type_id is None:
            return None
        return TicketType.from_db(DEFAULT_DB_ALIAS, ["id", "name"], [self.type_id, self.type_name])

    @property
    def columns(self) -> dict[str, Any]:
        """The values of the columns of Booking."""
        return {
            "seat_label": self.label,
            "category": self.category,
            "ticket_type": self.ticket_type,
            "price": self.price,
        }


def price_seats(facts: Facts, request: SeatRequest, seats: Sequence[int]) -> dict[int, PricedSeat]:
    """Return the chosen seats with their ticket types and prices, by seat number. Raises UnknownTicketType."""
    named = _named_types(facts, request, seats)
    sold = _sold_before(facts, request, seats)
    return {number: _price_seat(facts, request, number, named.get(number), sold.get(number)) for number in seats}


def seats_without_price(facts: Facts) -> Collection[int]:
    """Return the seats of categories without a price for an active ticket type."""
    if facts.show.price_list_id is None:
        return ()
    prices, active = prices_of_list(facts.show.price_list_id), facts.active_types
    sold = {code for code, ticket_type in prices if ticket_type in active}
    if facts.hall.categories <= sold:
        return ()
    return [seat.number for seat in facts.hall.seats if seat.category not in sold]


def seats_without_types(facts: Facts, request: SeatRequest) -> Collection[int]:
    """Return the seats of categories that are not sold as each ticket type that the request names for its seats."""
    named = set(request.ticket_types.values())
    if facts.show.price_list_id is None or not named:
        return ()
    sold = {code for code in facts.hall.categories if named.issubset(_types_sold(facts, code))}
    return [seat.number for seat in facts.hall.seats if seat.category not in sold]


def kinds_of_count(facts: Facts, request: SeatRequest) -> Kinds | None:
    """Return the kinds of the seats by the ticket types of a count; seats fit that are sold as a type each.

    None if all seats are of one kind: then each of them is sold as each type, or TotalExpected refuses a type.
    """
    named = request.ticket_types.keys()
    sold = {code: frozenset(named & _types_sold(facts, code)) for code in facts.hall.categories}
    # Categories that are sold as the same types are one kind; the code of one of them is its letter.
    letters = {types: code for code, types in sold.items()}
    if len(letters) == 1:
        return None
    each = _each_type(request)

    def fit(chosen: str) -> bool:
        return len(_match(each, {index: sold[letter] for index, letter in enumerate(chosen)})) == len(chosen)

    return Kinds("".join(letters[sold[seat.category]] for seat in facts.hall.seats), fit)


def are_types_left(facts: Facts, request: SeatRequest, closed: Collection[int]) -> bool:
    """Return whether each ticket type of a count is sold for a seat that is left.

    For accessible seats, one of the types has to be sold for one of them.
    """
    categories = {seat.category for seat in facts.hall.seats if seat.number not in closed}
    sold = {code: request.ticket_types.keys() & _types_sold(facts, code) for code in categories}
    if request.accessible and not any(sold[code] for code in categories & facts.hall.accessible_codes):
        return False
    return set().union(*sold.values()) == request.ticket_types.keys()


def _types_sold(facts: Facts, category: str) -> list[int]:
    """Return the active ticket types that have a price for the category, by position; none for a free show."""
    prices: PriceTable = prices_of_list(facts.show.price_list_id) if facts.show.price_list_id else {}
    return [pk for pk in facts.active_types if (category, pk) in prices]


def _named_types(facts: Facts, request: SeatRequest, seats: Sequence[int]) -> dict[int, int]:
    """Return the ticket types that the request names, by seat number."""
    if not request.count:
        return dict(request.ticket_types)
    positions = {pk: position for position, pk in enumerate(facts.active_types)}
    types = sorted(_each_type(request), key=lambda pk: positions.get(pk, len(positions)))
    sold = {number: _types_sold(facts, facts.hall.seat(number).category) for number in sorted(seats)}
    given = _match(types, sold)
    # Seats that are not sold as any type left get one, too, and are refused.
    rest = [pk for index, pk in enumerate(types) if index not in given.values()]
    left = [seat for seat in sold if seat not in given]
    return {seat: types[index] for seat, index in given.items()} | dict(zip(left, rest, strict=False))


def _each_type(request: SeatRequest) -> list[int]:
    """Return a ticket type for each seat of a count."""
    return [pk for pk, number in request.ticket_types.items() for _ in range(number)]


def _match(types: Sequence[int], sold: Mapping[int, Collection[int]]) -> dict[int, int]:
    """Return the indices of ticket types by seat number, for as many seats as can be sold as one type each.

    `sold` has the types that each seat is sold as. This is a bipartite matching, by augmenting paths.
    """
    given: dict[int, int] = {}

    def give(index: int, tried: set[int]) -> bool:
        # Free seats first, so that the types are in the order of the seats where all seats are sold as all types.
        for seat in sorted(sold, key=given.__contains__):
            if seat not in tried and types[index] in sold[seat]:
                tried.add(seat)
                if seat not in given or give(given[seat], tried):
                    given[seat] = index
                    return True
        return False

    for index in range(len(types)):
        give(index, set())
    return given


def _sold_before(facts: Facts, request: SeatRequest, seats: Sequence[int]) -> dict[int, SeatRow]:
    """Return the rows whose ticket type and price the seats of the request take over, by the seat's number."""
    if request.action == Action.MOVE:
        return {seat: row for row in facts.rows if row.pk == request.booking_id for seat in request.seat_numbers}
    return own_holds(request, facts, seats)


def _price_seat(facts: Facts, request: SeatRequest, number: int, named: int | None, sold: SeatRow | None) -> PricedSeat:
    seat = facts.hall.seat(number)
    if named is None and sold and _category_of(facts, sold) == seat.category:
        return _priced_as(facts, seat, sold.ticket_type_id, sold.price)
    wanted = named or (sold.ticket_type_id if sold else None)
    return _priced_as(facts, seat, *_type_and_price(facts, request, seat, wanted))


def _category_of(facts: Facts, sold: SeatRow) -> str:
    """Return the category of a stored seat; rows of version 1.0 have none."""
    return sold.category or facts.hall.seat(sold.seat_number).category


def _type_and_price(facts: Facts, request: SeatRequest, seat: Seat, wanted: int | None) -> tuple[int | None, Decimal]:
    """Return the wanted ticket type, by default the first that is sold for the seat, and its price now.

    None and 0 where no type is sold: the show is free, or the rules refuse the seat. Raises UnknownTicketType.
    """
    prices: PriceTable = prices_of_list(facts.show.price_list_id) if facts.show.price_list_id else {}
    sold = _types_sold(facts, seat.category)
    if wanted is None:
        return (sold[0], prices[seat.category, sold[0]]) if sold else (None, Decimal(0))
    if wanted not in sold:
        raise UnknownTicketType(wanted, seat.label, request.ticket_type_field(seat.number, wanted))
    return wanted, prices[seat.category, wanted]


def _priced_as(facts: Facts, seat: Seat, ticket_type: int | None, price: Decimal) -> PricedSeat:
    name = next((name for pk, name, _ in facts.ticket_types if pk == ticket_type), "")
    return PricedSeat(seat.number, seat.label, seat.category, ticket_type, name, price)


class ShowPrice(NamedTuple):
    """The price of the seats of a category, for a ticket type."""

    category: str
    type_id: int
    type_name: str
    amount: Decimal


def read_prices(*, show: Show) -> list[ShowPrice]:
    """Return the prices of a show; none for a free show.

    Only categories that its seat plan has, and active ticket types, ordered by their position.
    """
    return _prices(show, _active_types([show]))


def read_prices_of_seats(*, show: Show, seat_numbers: Collection[int]) -> dict[int, list[ShowPrice]]:
    """Return the prices at which each of these seats is sold now, by seat number; none for a seat that is missing.

    As for a sale, a seat has the category of the show's plan, which may be another one than when it was booked.
    """
    prices, hall = read_prices(show=show) if seat_numbers else [], show.hall
    categories = {number: hall.seat(number).category for number in seat_numbers if hall.has_seat(number)}
    return {number: [one for one in prices if one.category == categories.get(number)] for number in seat_numbers}


def read_ticket_types(*, show: Show) -> list[tuple[int, str]]:
    """Return id and name of the active ticket types with a price in the show, by position; none for a free show."""
    types = _active_types([show])
    sold = {price.type_id for price in _prices(show, types)}
    return [(pk, name) for pk, name in types if pk in sold]


@retried
def read_show(*, show_id: int, now: datetime) -> tuple[Show, list[ShowPrice]]:
    """Return a show with its number of available seats and its lowest price, and its prices.

    `now` is UTC. Raises NotFound, and Interrupted.
    """
    shows = Show.objects.select_related("movie", "screen").with_seats_available(now)
    show = first_or_not_found(shows.filter(pk=show_id).order_by())
    attach_lowest_prices(shows=[show])
    return show, read_prices(show=show)


def attach_lowest_prices(*, shows: Sequence[Show]) -> None:
    """Sets `lowest_price` of the shows to the lowest of their prices; None for a free show. Completes their plans."""
    complete_plans(shows=shows)
    types = _active_types(shows)
    for show in shows:
        show.lowest_price = min((price.amount for price in _prices(show, types)), default=None)


def _active_types(shows: Sequence[Show]) -> list[tuple[int, str]]:
    """Return id and name of the active ticket types; none if all the shows are free."""
    if all(show.price_list_id is None for show in shows):
        return []
    return list(TicketType.objects.filter(is_active=True).values_list("pk", "name"))


def _prices(show: Show, types: Sequence[tuple[int, str]]) -> list[ShowPrice]:
    if show.price_list_id is None:
        return []
    prices = prices_of_list(show.price_list_id)
    return [
        ShowPrice(category, pk, name, prices[category, pk])
        for category in sorted(show.hall.categories)
        for pk, name in types
        if (category, pk) in prices
    ]
