"""Holding seats while a customer decides.

A hold expires by itself: every query for taken seats compares `expires_at` with the current time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from booking.infrastructure.statements import Update
from booking.models import Booking, User
from booking.services.seats.bookings import carry_out_or_suggest
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.idempotency import IdempotentRequest
from booking.services.seats.orders import own_holds, remove_empty_orders, shared_reference, write_order
from booking.services.seats.prices import price_seats
from booking.services.seats.rules.limits import continuous_hold_began_at, longest_hold_ends_at
from booking.services.seats.sales import Change, Sale, release_expired
from booking.services.transactions import lock_show, retried, write_transaction

_renew = Update(
    lambda p: (
        Booking.objects.filter(show=p.show_id, pk=p.booking_id),
        {
            "reference": p.reference,
            "expires_at": p.expires_at,
            "ticket_type": p.ticket_type_id,
            "price": p.price,
        },
    )
)


def hold_seats(
    *,
    user: User,
    show_id: int,
    now: datetime,
    seat_numbers: Sequence[int] = (),
    count: int = 0,
    split: bool = False,
    accessible: bool = False,
    ticket_types: Mapping[int, int] | None = None,
    expected_total: Decimal | None = None,
    idempotency: IdempotentRequest[list[Booking]] | None = None,
) -> list[Booking]:
    """Holds the given seats, or the best `count` seats, for `user`, all or none, under one reference.

    Holds last HOLD_MINUTES. Holding a seat again renews the hold, up to MAX_HOLD_MINUTES without a break. `now` is UTC.
    Raises the exceptions of `book_seats`, and HoldLimitReached.
    """
    request = SeatRequest(
        Action.HOLD,
        show_id,
        user,
        now,
        seat_numbers,
        count,
        split,
        accessible,
        ticket_types or {},
        expected_total=expected_total,
        idempotency=idempotency,
    )
    return carry_out_or_suggest(request, Sale(request, _hold))


def _hold(request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
    show, now = facts.show, request.now
    own, priced = own_holds(request, facts, seats), price_seats(facts, request, seats)
    reference = shared_reference(request, own)
    began = {row.seat_number: continuous_hold_began_at(row, request) for row in facts.rows}
    bookings, renewed = [], []
    for seat in seats:
        hold = own.get(seat)
        began_at = began.get(seat) or now
        # Race: two renewals in the wrong order; a renewal never shortens a hold.
        wanted = max(
            hold.expires_at if hold and hold.expires_at else now, now + timedelta(minutes=settings.HOLD_MINUTES)
        )
        booking = Booking.build(
            id=hold.pk if hold else None,
            user=request.user,
            show=show,
            seat_number=seat,
            status=Booking.Status.HELD,
            reference=reference,
            created_at=hold.created_at if hold else now,
            held_since=began_at,
            expires_at=min(wanted, longest_hold_ends_at(began_at), show.starts_at),
            **priced[seat].columns,
        )
        bookings.append(booking)
        if hold:
            renewed.append(
                _renew.bind(
                    show_id=show.pk,
                    booking_id=hold.pk,
                    reference=reference,
                    expires_at=booking.expires_at,
                    ticket_type_id=booking.ticket_type_id,
                    price=booking.price,
                )
            )
    before = [
        *release_expired(facts, seats, now),
        *write_order(request, facts, own),
        *renewed,
        *remove_empty_orders(facts, own, reference),
    ]
    return Change(bookings, before)


def count_holds(*, now: datetime) -> int:
    """Return the number of seats that are held at `now` (UTC)."""
    return Booking.objects.filter(status=Booking.Status.HELD, expires_at__gt=now).count()


def release_expired_holds(*, expired_by: datetime, max_shows: int | None = None) -> int:
    """Cancels holds that expired at or before `expired_by` (UTC), show by show, and returns their number.

    No other code depends on it: an expired hold takes no seat. `max_shows` limits the number of shows. Raises Busy.
    """
    shows = Booking.objects.expired(expired_by).order_by("show").values_list("show", flat=True).distinct()
    return sum(_release(show_id, expired_by) for show_id in list(shows[:max_shows]))


@retried
def _release(show_id: int, expired_by: datetime) -> int:
    with write_transaction():
        # Race: a booking of the same seat releases the same hold.
        show = lock_show(show_id)
        return Booking.objects.expired(expired_by).filter(show=show).release()
