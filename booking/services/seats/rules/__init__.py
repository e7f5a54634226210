"""The rules for all requests for seats: bookings, holds, moves, blocks and sales by staff, and changes of orders.

To add a rule, write a class with its refusal in one of these modules and add it to RULES. A rule reads Facts, which
were read under the show's lock. SeatRule is for rules about particular seats; the best available seats are chosen among
the seats that no SeatRule closes. A rule that depends on several shows overrides `locks_customer`: the show's lock does
not serialise a customer's requests for other shows, but the lock of the customer's row does. Its `check` may run
queries; if the first call was made without the locks, it is called again under the locks.
"""

from typing import Any, ClassVar

from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.prices import are_types_left, kinds_of_count
from booking.services.seats.rules.amounts import PaidFirst, Priced, TotalExpected
from booking.services.seats.rules.base import Rule, SeatRule
from booking.services.seats.rules.limits import HoldLimit, SeatLimit
from booking.services.seats.rules.orders import SeatsOfOrder, SomeSeatsStay
from booking.services.seats.rules.sale import Movable, NotAdmitted, OnSale
from booking.services.seats.rules.seats import SeatsExist, SeatsFree, SoldOut, WholeSofas
from booking.services.seats.seating import best_seats, largest_block


class NoBlock(Refusal):
    code = "no_block"
    example: ClassVar[dict[str, Any]] = {"detail": "There are no 4 seats side by side.", "largest_block": 3}

    def __init__(self, count: int, largest: int, *, split: bool, of_types: bool = False) -> None:
        left = f"Fewer than {count} seats are left" if split else f"There are no {count} seats side by side"
        super().__init__(f"{left} for these ticket types." if of_types else f"{left}.", largest_block=largest)


class NoAccessibleSeat(Refusal):
    code = "no_accessible_seat"
    example: ClassVar[dict[str, Any]] = {"detail": "No accessible seat is available."}


def closed_seats(facts: Facts, request: SeatRequest) -> set[int]:
    """Return the seats that the request can't get, among the facts' rows or all seats of the show."""
    rules = [rule for rule in rules_for(request.action) if isinstance(rule, SeatRule)]
    return {seat for rule in rules for seat in rule.closed_seats(facts, request)}


RULES: list[Rule] = [
    Movable(),
    SeatsOfOrder(),
    OnSale(),
    NotAdmitted(),
    SomeSeatsStay(),
    SeatsExist(),
    SeatsFree(),
    SeatLimit(),
    HoldLimit(),
    WholeSofas(closed_seats),
    Priced(),
    TotalExpected(),
    PaidFirst(),
]


def rules_for(action: Action) -> list[Rule]:
    return [rule for rule in RULES if action in rule.actions]


def refusals_for(*, action: Action, several: bool = False) -> list[type[Refusal]]:
    """Return the refusals of `choose_seats` for the OpenAPI document; some are only for `several` seats."""
    refusals = [refusal for rule in rules_for(action) for refusal in rule.refusals]
    return [*refusals, NoBlock, NoAccessibleSeat] if several else refusals


def need_customer_lock(request: SeatRequest) -> bool:
    """Return whether a rule for this request depends on several shows."""
    return any(rule.locks_customer(request) for rule in rules_for(request.action))


def choose_seats(facts: Facts, request: SeatRequest) -> list[int]:
    """Return the seats for the request: its seat numbers, or for a count the best seats that no rule closes.

    Raises the refusals of RULES, and for a count NoBlock, NoAccessibleSeat and SoldOut.
    """
    rules = rules_for(request.action)
    for rule in rules:
        rule.check(facts, request)
    seats = _best_seats(facts, request) if request.count else list(request.seat_numbers)
    for rule in rules:
        rule.check_chosen(facts, request, seats)
    return seats


def _best_seats(facts: Facts, request: SeatRequest) -> list[int]:
    hall, closed = facts.hall, closed_seats(facts, request)
    kinds = kinds_of_count(facts, request)
    if kinds and not are_types_left(facts, request, closed):
        # TotalExpected refuses a type that no seat left is sold as.
        kinds = None
    seats = best_seats(hall, closed, request.count, split=request.split, accessible=request.accessible, kinds=kinds)
    if seats is not None:
        return seats
    if request.accessible and hall.accessible <= closed:
        raise NoAccessibleSeat
    largest = largest_block(hall, closed, kinds)
    if not largest:
        raise SoldOut
    raise NoBlock(request.count, largest, split=request.split, of_types=bool(request.ticket_types))
