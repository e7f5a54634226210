"""Seats that staff keep from sale: house seats, broken ones."""

from collections.abc import Sequence
from datetime import datetime

from booking.models import Booking, Show
from booking.services.claims import check_free, check_on_sale, check_seats, clear_seats, rows_on_seats
from booking.services.locks import lock_show, retried, write_transaction
from booking.services.refusals import Refusal


class NotBlocked(Refusal):
    code = "not_blocked"

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(f"Not kept from sale: {labels}.", seats=list(seats))


@retried
def block_seats(*, show_id: int, seat_numbers: Sequence[int], reason: str, now: datetime) -> list[Booking]:
    """Takes seats of a show out of sale, all or none.

    `now` is UTC. Raises NotFound, ShowCancelled, ShowStarted, NoSuchSeat, SeatTaken where one is
    booked, held or blocked, SoldOut, or Busy.
    """
    with write_transaction():
        # Race: a buyer of one of the seats.
        show = lock_show(show_id)
        check_on_sale(show, now)
        check_seats(show, seat_numbers)
        rows = rows_on_seats(show, seat_numbers)
        check_free(show, rows, seat_numbers, None, now)
        clear_seats(show, rows, now)
        return Booking.objects.bulk_create(
            Booking(show=show, seat_number=seat, status=Booking.Status.BLOCKED, reason=reason, created_at=now)
            for seat in dict.fromkeys(seat_numbers)
        )


@retried
def unblock_seats(*, show_id: int, seat_numbers: Sequence[int]) -> None:
    """Puts blocked seats of a show on sale again, all or none. Raises NotFound, NotBlocked or Busy."""
    with write_transaction():
        # Race: somebody else putting one back, and a buyer who then has it.
        show = lock_show(show_id)
        blocked = Booking.objects.filter(show=show, seat_number__in=seat_numbers, status=Booking.Status.BLOCKED)
        missing = set(seat_numbers) - set(blocked.values_list("seat_number", flat=True))
        if missing:
            raise NotBlocked(show, sorted(missing))
        blocked.delete()
