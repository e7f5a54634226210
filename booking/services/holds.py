"""Holding seats while their customer makes up his mind.

A hold is over when its time has come; nothing has to run for that. Each statement that asks whether a seat is taken
compares the hold's end with the time it is given.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import F, Min

from booking.models import Booking, Show, User
from booking.services.claims import Claim, Wish, clear_seats, shared_reference
from booking.services.locks import lock_show, retried, write_transaction
from booking.services.receipts import Receipt
from booking.services.refusals import Refusal


class HoldLimitReached(Refusal):
    code = "hold_limit_reached"

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(f"You have held {labels} for as long as one may; book now or choose again.", seats=list(seats))


def hold_seats(
    *,
    user: User,
    show_id: int,
    now: datetime,
    seat_numbers: Sequence[int] = (),
    count: int = 0,
    split: bool = False,
    receipt: Receipt[list[Booking]] | None = None,
) -> list[Booking]:
    """Keeps these seats, or the best `count` seats, for `user` for HOLD_MINUTES, all or none, under one reference.

    Seats held already are held for longer, but none beyond MAX_HOLD_MINUTES from when this user first held it
    in this show. `now` is UTC. Raises what `book_seats` raises, and HoldLimitReached.
    """
    claim = Claim(user, show_id, Wish(seat_numbers, count, split), now, receipt, partial(_held_long_enough, user, now))
    return claim.carry_out_or_offer(partial(_hold, user, now))


def _first_held(user: User, show: Show) -> dict[int, datetime]:
    """When the user first held each seat of the show that he ever held."""
    held = Booking.objects.filter(show=show, user=user, held_since__isnull=False).order_by()
    return dict(held.values_list("seat_number").annotate(Min("held_since")))


def _held_long_enough(user: User, now: datetime, show: Show) -> list[int]:
    longest = timedelta(minutes=settings.MAX_HOLD_MINUTES)
    return [seat for seat, held_since in _first_held(user, show).items() if held_since + longest <= now]


def _hold(user: User, now: datetime, show: Show, seats: list[int], rows: list[Booking]) -> list[Booking]:
    held = {row.seat_number: row for row in rows if row.is_hold_of(user, now)}
    first_held = _first_held(user, show)
    holds = []
    reference = shared_reference(held.values())
    for seat in seats:
        hold = held.get(seat) or Booking(user=user, seat_number=seat, created_at=now, status=Booking.Status.HELD)
        hold.show, hold.reference = show, reference
        hold.held_since = first_held.get(seat, now)
        # Of two renewals that overtake each other, the earlier does not take back what the later gave.
        wanted = max(hold.expires_at or now, now + timedelta(minutes=settings.HOLD_MINUTES))
        longest = hold.held_since + timedelta(minutes=settings.MAX_HOLD_MINUTES)
        hold.expires_at = min(wanted, longest, show.starts_at)
        holds.append(hold)
    over = [hold.seat_number for hold in holds if hold.has_run_out(now)]
    if over:
        raise HoldLimitReached(show, over)
    clear_seats(show, rows, now)
    renewed = [hold for hold in holds if hold.pk]
    Booking.objects.filter(show=show).bulk_update(renewed, ["reference", "held_since", "expires_at"])
    Booking.objects.bulk_create([hold for hold in holds if not hold.pk])
    return holds


def count_holds(*, now: datetime) -> int:
    """How many seats are held at `now` (UTC)."""
    return Booking.objects.filter(status=Booking.Status.HELD, expires_at__gt=now).count()


def release_expired_holds(*, expired_by: datetime, max_shows: int | None = None) -> int:
    """Marks holds that expired at or before `expired_by` (UTC) as cancelled, show by show; returns their number.

    Nothing depends on it: an expired hold takes no seat. `max_shows` limits the number of shows. Raises Busy.
    """
    shows = Booking.objects.run_out(expired_by).order_by("show").values_list("show", flat=True).distinct()
    return sum(_release(show_id, expired_by) for show_id in list(shows[:max_shows]))


@retried
def _release(show_id: int, expired_by: datetime) -> int:
    with write_transaction():
        # Race: a booking of the same seat that clears the same hold.
        show = lock_show(show_id)
        run_out = Booking.objects.run_out(expired_by).filter(show=show)
        return run_out.update(status=Booking.Status.CANCELLED, cancelled_at=F("expires_at"))
