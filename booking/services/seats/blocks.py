"""Blocked seats: seats that staff take off sale, for example because they are broken."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from booking.models import Booking, Show
from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, Facts, SeatRequest
from booking.services.seats.sales import Change, Sale, release_expired
from booking.services.seats.seen_seats import SeatsChanged, SeenSeat
from booking.services.transactions import lock_show, retried, write_transaction


class NotBlocked(Refusal):
    code = "not_blocked"
    example: ClassVar[dict[str, Any]] = {"detail": "Not blocked: A5.", "seats": [5]}

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(f"Not blocked: {labels}.", seats=list(seats))


def block_seats(*, show_id: int, seat_numbers: Sequence[int], reason: str, now: datetime) -> list[Booking]:
    """Blocks seats of a show, all or none.

    `now` is UTC. Raises NotFound, the refusals of the rules, or Busy.
    """
    seats = list(dict.fromkeys(seat_numbers))
    return Sale(SeatRequest(Action.BLOCK, show_id, None, now, seats), partial(_block, reason)).carry_out()


def _block(reason: str, request: SeatRequest, facts: Facts, seats: list[int]) -> Change:
    blocked = {"show": facts.show, "status": Booking.Status.BLOCKED, "reason": reason, "created_at": request.now}
    bookings = [Booking.build(seat_number=seat, seat_label=facts.hall.label(seat), **blocked) for seat in seats]
    return Change(bookings, release_expired(facts, seats, request.now))


@retried
def unblock_seats(*, show_id: int, seat_numbers: Sequence[int], seen: Sequence[SeenSeat] = ()) -> None:
    """Unblocks seats of a show, all or none. With `seen`, only blocks that a page showed are removed.

    Raises NotFound, NotBlocked, SeatsChanged or Busy.
    """
    with write_transaction():
        # Race: somebody else unblocks a seat, and a customer then books it.
        show = lock_show(show_id)
        blocked = Booking.objects.filter(show=show, seat_number__in=seat_numbers, status=Booking.Status.BLOCKED)
        block_ids = dict(blocked.values_list("seat_number", "pk"))
        if missing := set(seat_numbers) - block_ids.keys():
            raise NotBlocked(show, sorted(missing))
        if changed := [one.seat_number for one in seen if block_ids.get(one.seat_number) != one.booking_id]:
            raise SeatsChanged([f"{show.seat_label(seat)} has been blocked again." for seat in changed])
        blocked.delete()
