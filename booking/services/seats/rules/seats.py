"""The seats exist and are free, and sofas are sold whole."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from booking.models import Show
from booking.services.refusals import Kind, Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest, read_all
from booking.services.seats.rules.base import Rule, SeatRule


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
    """One half of a sofa is not sold while its other half is free, and seats that split no sofa are for sale."""

    refusals = (SofaForTwo,)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def __init__(self, closed_seats: Callable[[Facts, SeatRequest], Collection[int]]) -> None:
        """`closed_seats` returns the seats that the rules close; another seat is for sale if none of them closes it."""
        self._closed_seats = closed_seats

    def check(self, facts: Facts, request: SeatRequest) -> None:
        hall, own = facts.hall, {row.seat_number for row in facts.active_rows(request.now)}
        halves = [
            seat
            for seat in request.seat_numbers
            if hall.partners.get(seat, seat) not in own.union(request.seat_numbers) and seat not in own
        ]
        if not halves or request.staff:
            return
        of_show = read_all(facts.show)
        taken = {row.seat_number for row in of_show.active_rows(request.now)}
        single = [seat for seat in halves if hall.partners[seat] not in taken]
        whole = {seat for seat, partner in hall.partners.items() if partner not in taken}
        others = set(range(1, hall.total_seats + 1)) - taken - whole - hall.accessible
        if single and others.difference(self._closed_seats(of_show, request)):
            raise SofaForTwo(facts.show, single)
