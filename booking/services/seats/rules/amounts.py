"""The seats have prices, and the customer knows their sum."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings

from booking.models import Show
from booking.services.refusals import Kind, Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.prices import PriceChanged, UnknownTicketType, price_seats, seats_without_price
from booking.services.seats.rules.base import Rule, SeatRule


class NotForSale(Refusal):
    code = "not_for_sale"
    example: ClassVar[dict[str, Any]] = {"detail": "Seat A5 is not for sale in this show.", "seats": [5]}

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        verb = "Seat {} is" if len(seats) == 1 else "Seats {} are"
        super().__init__(f"{verb.format(labels)} not for sale in this show.", seats=list(seats))


def total_price(facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Decimal:
    """Raises UnknownTicketType."""
    return sum((seat.price for seat in price_seats(facts, request, seats).values()), Decimal(0))


class Priced(SeatRule):
    """On a show with a price list, a seat is sold only if its category has a price for an active ticket type."""

    refusals = (NotForSale,)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE)

    def closed_seats(self, facts: Facts, request: SeatRequest) -> Collection[int]:
        return seats_without_price(facts)

    def refusal(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> Refusal:
        return NotForSale(facts.show, seats)


class PaymentRequired(Refusal):
    code = "payment_required"
    kind = Kind.PAYMENT
    example: ClassVar[dict[str, Any]] = {"detail": "These seats have to be paid: hold them, then pay the order."}


class PaidFirst(Rule):
    """Without PAY_LATER, customers book seats that cost something by holding them and paying."""

    refusals = (PaymentRequired,)
    actions = (Action.BOOK, Action.MOVE)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        """The prices depend on the seats."""

    def check_chosen(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> None:
        if settings.PAY_LATER or request.staff:
            return
        price_before = sum((row.price for row in facts.rows if row.pk == request.booking_id), Decimal(0))
        if total_price(facts, request, seats) > price_before:
            raise PaymentRequired


class TotalExpected(Rule):
    """The ticket types have prices, and the sum is the one that the customer was shown."""

    refusals = (UnknownTicketType, PriceChanged)
    actions = (Action.BOOK, Action.HOLD, Action.MOVE, Action.CHANGE_TYPES)

    def check(self, facts: Facts, request: SeatRequest) -> None:
        """The prices depend on the seats."""

    def check_chosen(self, facts: Facts, request: SeatRequest, seats: Sequence[int]) -> None:
        total = total_price(facts, request, seats)
        if request.expected_total is not None and request.expected_total != total:
            raise PriceChanged(total)
