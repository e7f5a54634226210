"""Sales at the counter that are paid in the same transaction: seats and payment are stored together, or neither."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from booking.models import Booking, Payment, User
from booking.services.money.amounts import price_of
from booking.services.money.payments import NothingDue, take_payment
from booking.services.seats.bookings import book_seats
from booking.services.seats.facts import Contact
from booking.services.seats.idempotency import IdempotentRequest


@dataclass(frozen=True)
class PaidSale:
    """The seats that were sold, in the order of the request, and their payment."""

    bookings: list[Booking]
    payment: Payment


def sell_and_take_payment(
    *,
    user: User | None,
    show_id: int,
    seat_numbers: Sequence[int],
    sold_by: User,
    method: str,
    now: datetime,
    given: Decimal | None = None,
    ticket_types: Mapping[int, int] | None = None,
    expected_total: Decimal | None = None,
    contact: Contact | None = None,
    idempotency: IdempotentRequest[PaidSale] | None = None,
) -> PaidSale:
    """Sells the seats and stores that their prices were paid in cash or by card, in the open till of `sold_by`.

    The mail that confirms the seats says that they are paid.

    `given` is the cash that the customer gave. `now` is UTC; for the rest see `book_seats`, whose exceptions it raises,
    and NoOpenTill, NothingDue for free seats, and NotEnoughGiven.
    """
    taken: list[Payment] = []

    def take(bookings: list[Booking]) -> None:
        # Race: the closing of the till.
        show, reference, amount = bookings[0].show, bookings[0].reference, price_of(bookings=bookings)
        if not amount:
            raise NothingDue
        payment = take_payment(
            show=show, reference=reference, method=method, amount=amount, given=given, by=sold_by, now=now
        )
        # The last attempt is the one that was committed.
        taken[:] = [payment]

    def paid(bookings: list[Booking]) -> PaidSale:
        return PaidSale(bookings, taken[0])

    bookings = book_seats(
        user=user,
        show_id=show_id,
        seat_numbers=seat_numbers,
        ticket_types=ticket_types,
        expected_total=expected_total,
        now=now,
        sold_by=sold_by,
        contact=contact,
        in_transaction=take,
        idempotency=idempotency.converting(paid) if idempotency else None,
    )
    return paid(bookings)
