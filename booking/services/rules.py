"""The rules for all requests for seats: bookings, holds, moves, blocks and sales by staff.

To add a rule, write a class with its refusal and add it to RULES. A rule reads Facts, which were read under the show's
lock. SeatRule is for rules about particular seats; the best available seats are chosen among the seats that no SeatRule
closes. A rule that depends on several shows overrides `locks_customer`: the show's lock does not serialise a customer's
requests for other shows, but the lock of the customer's row does. Its `check` may run queries; if the first call was
made without the locks, it is called again under the locks.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings

from booking.models import Booking, Show
from booking.services.facts import Action, Facts, SeatRequest, SeatRow, read_all
from booking.services.prices import PriceChanged, UnknownTicketType, seats_without_price, tickets_for
from booking.services.refusals import Kind, Refusal
from booking.services.seating import best_seats, largest_block


class Rule(ABC):
    """A condition that a request for seats has to meet."""

    # The refusals that `check` may raise, for the OpenAPI document.
    refusals: ClassVar[Sequence[type[Refusal]]]
    actions: ClassVar[Collection[Action]] = tuple(Action)

    def locks_customer(self, request: SeatRequest) -> bool:
        """Return whether the rule depends on the customer's other shows; the lock takes one more round trip."""
        return False

    @abstractmethod
    def check(self, facts: Facts, request: SeatRequest) -> None:
        """Raises one of `refusals`. For a count, the seats are not chosen yet."""

    def check_chosen(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> None:  # noqa: B027
        """Raises one of `refusals`, now that the seats are chosen; most rules need not wait for that."""


class SeatRule(Rule):
    """A condition on each seat."""

    @abstractmethod
    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        """Return the seats that this customer can't get, among the facts' rows or all seats of the show."""

    @abstractmethod
    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        """Return the refusal for these seats."""

    def check(self, facts: Facts, request: SeatRequest) -> None:
        if not request.seat_numbers:
            return
        closed = set(self.closed_seats(facts, request))
        # Moving a booking to its own seat is allowed.
        closed -= {row.seat_number for row in facts.rows if row.pk == request.booking_id}
        seats = sorted(closed.intersection(request.seat_numbers))
        if seats:
            raise self.refusal(facts, request, seats)


# --- A booking can be moved -------------------------------------------------------------------


class AlreadyCancelled(Refusal):
    code = "already_cancelled"
    example: ClassVar[dict[str, Any]] = {"detail": "This booking is already cancelled."}


class NotBooked(Refusal):
    code = "not_booked"
    example: ClassVar[dict[str, Any]] = {"detail": "This seat is only held; hold or book the other seat instead."}


class Movable(Rule):
    refusals = (AlreadyCancelled, NotBooked)
    actions = (Action.MOVE,)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        active = [row for row in facts.active_rows(request.now) if row.pk == request.booking_id]
        if not active:
            raise AlreadyCancelled
        if active[0].status != Booking.Status.BOOKED:
            raise NotBooked


# --- The show is on sale ----------------------------------------------------------------------


class ShowStarted(Refusal):
    code = "show_started"
    example: ClassVar[dict[str, Any]] = {"detail": "This show has already started."}


class ShowCancelled(Refusal):
    code = "show_cancelled"
    example: ClassVar[dict[str, Any]] = {"detail": "This show has been cancelled."}


class OnSale(Rule):
    refusals = (ShowCancelled, ShowStarted)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        if facts.show.is_cancelled:
            raise ShowCancelled
        if facts.show.has_started(request.now):
            raise ShowStarted


# --- The seats exist --------------------------------------------------------------------------


class NoSuchSeat(Refusal):
    code = "no_such_seat"
    kind = Kind.INVALID
    example: ClassVar[dict[str, Any]] = {"detail": "This show has seats 1 to 96."}

    def __init__(self, show: Show, field: str) -> None:
        super().__init__(f"This show has seats 1 to {show.total_seats}.")
        self.field = field


class SeatsExist(Rule):
    refusals = (NoSuchSeat,)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        for seat in request.seat_numbers:
            if not facts.show.has_seat(seat):
                raise NoSuchSeat(facts.show, request.seat_field(seat))


# --- The seats are free -----------------------------------------------------------------------


class SeatTaken(Refusal):
    code = "seat_taken"
    field = "seat_number"
    example: ClassVar[dict[str, Any]] = {
        "detail": "Seat A5 is already taken.",
        "seats": [5],
        "mine": True,
        "booking": 42,
    }

    def __init__(self, show: Show, seats: Sequence[int], own_bookings: Sequence[int] = ()) -> None:
        """`own_bookings` are the ids of the customer's own bookings, if all the seats are theirs."""
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(
            f"Seat {labels} is already taken." if len(seats) == 1 else f"Seats {labels} are already taken.",
            seats=list(seats),
        )
        if own_bookings:
            self.extra["mine"] = True
            self.extra |= {"booking": own_bookings[0]} if len(seats) == 1 else {"bookings": list(own_bookings)}
        self.show = show


class SoldOut(Refusal):
    code = "sold_out"
    example: ClassVar[dict[str, Any]] = {"detail": "This show is sold out."}


class SeatsFree(SeatRule):
    """A seat that the customer holds is free for them, except that a count chooses other seats."""

    refusals = (SeatTaken, SoldOut)

    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        # A count does not choose seats that the customer already holds.
        user = None if request.count else request.user
        return [row.seat_number for row in facts.rows if row.is_taken_for(user, request.now)]

    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        own = {row.seat_number: row.pk for row in facts.rows if row.user_id == request.user_id and request.user}
        if own.keys() >= set(seats):
            return SeatTaken(facts.show, seats, [own[seat] for seat in seats])
        # A customer who holds a seat can still book that one.
        holds_seat = any(row.is_hold_of(request.user, request.now) for row in facts.rows)
        return SoldOut() if facts.is_sold_out and not holds_seat else SeatTaken(facts.show, seats)


# --- The number of seats per customer ---------------------------------------------------------


class SeatLimitReached(Refusal):
    code = "seat_limit_reached"
    example: ClassVar[dict[str, Any]] = {"detail": "One customer may have 10 seats in a show."}

    def __init__(self) -> None:
        super().__init__(f"One customer may have {settings.MAX_SEATS_PER_USER} seats in a show.")


class SeatLimit(Rule):
    refusals = (SeatLimitReached,)
    # A move keeps the number of seats, and blocked seats are no customer's.
    actions = (Action.BOOK, Action.HOLD)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        # Staff see in the hall that the limit is exceeded.
        if request.staff:
            return
        others = [
            row
            for row in facts.active_rows(request.now)
            if row.user_id == request.user_id and row.seat_number not in request.seat_numbers
        ]
        if len(others) + request.number_of_seats > settings.MAX_SEATS_PER_USER:
            raise SeatLimitReached


# --- The duration of holds --------------------------------------------------------------------


class HoldLimitReached(Refusal):
    code = "hold_limit_reached"
    example: ClassVar[dict[str, Any]] = {
        "detail": "You have held A5 for the longest time allowed; book it now or choose another seat.",
        "seats": [5],
    }

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(
            f"You have held {labels} for the longest time allowed; book it now or choose another seat.",
            seats=list(seats),
        )


def continuous_hold_began_at(row: SeatRow, request: SeatRequest) -> datetime | None:
    """Return when the customer began to hold the row's seat, or None if they don't hold it.

    A hold that expired less than HOLD_MINUTES ago and was not released counts as continued.
    """
    is_own_hold = row.status == Booking.Status.HELD and row.user_id == request.user_id and row.expires_at is not None
    if not is_own_hold or row.expires_at + timedelta(minutes=settings.HOLD_MINUTES) <= request.now:  # type: ignore[operator]
        return None
    return row.held_since


def longest_hold_ends_at(began_at: datetime) -> datetime:
    return began_at + timedelta(minutes=settings.MAX_HOLD_MINUTES)


class HoldLimit(SeatRule):
    refusals = (HoldLimitReached,)
    actions = (Action.HOLD,)

    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        began = ((row.seat_number, continuous_hold_began_at(row, request)) for row in facts.rows)
        return [seat for seat, since in began if since and longest_hold_ends_at(since) <= request.now]

    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        return HoldLimitReached(facts.show, seats)


# --- Sofas for two ----------------------------------------------------------------------------


class SofaForTwo(Refusal):
    code = "sofa_for_two"
    example: ClassVar[dict[str, Any]] = {
        "detail": "Seat C5 is half of a sofa for two; take both seats or another one.",
        "seats": [5],
    }

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        label = show.seat_label(seats[0])
        super().__init__(f"Seat {label} is half of a sofa for two; take both seats or another one.", seats=list(seats))


class WholeSofas(Rule):
    """One half of a sofa is not sold while its other half and seats of other kinds are free."""

    refusals = (SofaForTwo,)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        hall, own = facts.hall, {row.seat_number for row in facts.active_rows(request.now)}
        halves = [
            seat
            for seat in request.seat_numbers
            if hall.partners.get(seat, seat) not in own.union(request.seat_numbers) and seat not in own
        ]
        if not halves or request.staff:
            return
        taken = {row.seat_number for row in read_all(facts.show).active_rows(request.now)}
        single = [seat for seat in halves if hall.partners[seat] not in taken]
        others = set(range(1, hall.total_seats + 1)) - taken - hall.partners.keys() - hall.accessible
        if single and others:
            raise SofaForTwo(facts.show, single)


# --- The seats have prices --------------------------------------------------------------------


class NotForSale(Refusal):
    code = "not_for_sale"
    example: ClassVar[dict[str, Any]] = {"detail": "Seat A5 is not for sale in this show.", "seats": [5]}

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        verb = "Seat {} is" if len(seats) == 1 else "Seats {} are"
        super().__init__(f"{verb.format(labels)} not for sale in this show.", seats=list(seats))


class Priced(SeatRule):
    """On a show with a price list, a seat is sold only if its category has a price for an active ticket type."""

    refusals = (NotForSale,)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        return seats_without_price(facts)

    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        return NotForSale(facts.show, seats)


class TotalExpected(Rule):
    """The ticket types have prices, and the sum is the one that the customer was shown."""

    refusals = (UnknownTicketType, PriceChanged)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        """The prices depend on the seats."""

    def check_chosen(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> None:
        total = sum((ticket.price for ticket in tickets_for(facts, request, seats).values()), Decimal(0))
        if request.expected_total is not None and request.expected_total != total:
            raise PriceChanged(total)


# --- All rules --------------------------------------------------------------------------------

RULES: list[Rule] = [
    Movable(),
    OnSale(),
    SeatsExist(),
    SeatsFree(),
    SeatLimit(),
    HoldLimit(),
    WholeSofas(),
    Priced(),
    TotalExpected(),
]


class NoBlock(Refusal):
    code = "no_block"
    example: ClassVar[dict[str, Any]] = {"detail": "There are no 4 seats side by side.", "largest_block": 3}

    def __init__(self, count: int, largest: int, *, split: bool) -> None:
        left = f"Fewer than {count} seats are left." if split else f"There are no {count} seats side by side."
        super().__init__(left, largest_block=largest)


class NoAccessibleSeat(Refusal):
    code = "no_accessible_seat"
    example: ClassVar[dict[str, Any]] = {"detail": "No accessible seat is available."}


def rules_for(action: Action) -> list[Rule]:
    return [rule for rule in RULES if action in rule.actions]


def refusals_for(action: Action, *, several: bool = False) -> list[type[Refusal]]:
    """Return the refusals of `choose_seats` for the OpenAPI document; some are only for `several` seats."""
    refusals = [refusal for rule in rules_for(action) for refusal in rule.refusals]
    return [*refusals, NoBlock, NoAccessibleSeat] if several else refusals


def need_customer_lock(request: SeatRequest) -> bool:
    """Return whether a rule for this request depends on several shows."""
    return any(rule.locks_customer(request) for rule in rules_for(request.action))


def closed_seats(facts: Facts, request: SeatRequest) -> set[int]:
    """Return the seats that the request can't get, among the facts' rows or all seats of the show."""
    rules = [rule for rule in rules_for(request.action) if isinstance(rule, SeatRule)]
    return {seat for rule in rules for seat in rule.closed_seats(facts, request)}


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
    closed = closed_seats(facts, request)
    seats = best_seats(facts.hall, closed, request.count, split=request.split, accessible=request.accessible)
    if seats is not None:
        return seats
    if request.accessible and facts.hall.accessible <= closed:
        raise NoAccessibleSeat
    largest = largest_block(facts.hall, closed)
    raise NoBlock(request.count, largest, split=request.split) if largest else SoldOut
