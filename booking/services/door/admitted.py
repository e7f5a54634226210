"""Seats whose customers are in: customers can't cancel or move them any more, and staff are warned.

If a show moves so far that its doors open after its old end, the admissions are undone.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from booking.infrastructure.metrics import LOCK_WAITS
from booking.infrastructure.statements import send
from booking.models import Booking, CheckIn, Show, User
from booking.services.door.check_ins import undo_of_move
from booking.services.door.facts import count_admissions, lock_booking
from booking.services.door.starts import ends_admissions, show_at
from booking.services.refusals import Refusal


class SeatAdmitted(Refusal):
    """The customer has been admitted, so that only staff may cancel or move the booking."""

    code = "seat_admitted"
    example: ClassVar[dict[str, Any]] = {
        "detail": "C7 was admitted, so it can't be cancelled or moved any more. The box office helps."
    }

    def __init__(self, bookings: Iterable[Booking]) -> None:
        labels = [booking.label for booking in bookings]
        were, they = ("was", "it") if len(labels) == 1 else ("were", "they")
        listed = ", ".join(labels)
        super().__init__(
            f"{listed} {were} admitted, so {they} can't be cancelled or moved any more. The box office helps."
        )


def admitted_bookings(*, bookings: Iterable[Booking]) -> list[Booking]:
    """Return those of the bookings that are admitted, in one query."""
    given = list(bookings)
    scans = CheckIn.objects.filter(
        show__in={booking.show_id for booking in given}, booking_id__in=[booking.pk for booking in given]
    )
    pks = set(scans.admitted().values_list("booking_id", flat=True))
    return [booking for booking in given if booking.pk in pks]


def lock_admitted(*, show: Show, booking_ids: Iterable[int]) -> list[Booking]:
    """Locks these bookings of a locked show until the transaction ends, and returns those that are admitted.

    Somebody may be admitted before the doors open: the start was moved later, or a device was offline.
    """
    # Race: the door admits one of them.
    values = [{"show_id": show.pk, "booking_id": pk} for pk in sorted(booking_ids)]
    with LOCK_WAITS.time():
        results = send(*map(lock_booking.choose, values), *map(count_admissions.choose, values))
    locked, counts = results[: len(values)], results[len(values) :]
    admitted = [booking for [booking], numbers in zip(locked, counts, strict=True) if sum(n for (n,) in numbers) > 0]
    for booking in admitted:
        booking.show = show
    return admitted


def refuse_admitted(*, show: Show, booking_ids: Iterable[int]) -> None:
    """Raises SeatAdmitted if one of these bookings of a locked show is admitted."""
    if admitted := lock_admitted(show=show, booking_ids=booking_ids):
        raise SeatAdmitted(admitted)


def outdated_admissions(*, show: Show, old_start: datetime) -> dict[int, int]:
    """Return the admissions to undo because the show moves from its `old_start` (UTC): their numbers by booking."""
    if not ends_admissions(old=show_at(show=show, starts_at=old_start), new=show):
        return {}
    booked = Booking.objects.sold().filter(show=show).order_by().values("pk")
    admitted = CheckIn.objects.filter(show=show, booking_id__in=booked).admitted()
    return dict(admitted.order_by("booking_id").values_list("booking_id", "number"))


def undo_outdated_admissions(*, show: Show, old_start: datetime, by: User, now: datetime) -> None:
    """Undoes the `outdated_admissions` of a locked show that moves at `now` (UTC); `by` is the member of staff."""
    # Race: the door admits one of them at the old time.
    with LOCK_WAITS.time():
        booked = Booking.objects.select_for_update(no_key=True, of=("self",)).sold().filter(show=show)
        list(booked.order_by("pk").values_list("pk"))
    CheckIn.objects.bulk_create(
        undo_of_move(show=show, booking_id=pk, by=by, now=now)
        for pk, number in outdated_admissions(show=show, old_start=old_start).items()
        for _ in range(number)
    )
