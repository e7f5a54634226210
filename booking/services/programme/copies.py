"""Copying the shows of a day or a week to other days, with a preview of the copies that are refused."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from booking.models import Show
from booking.services.programme.local_time import day_bounds, offset_of, read_local_time
from booking.services.programme.shows import check_start, copy_at, put_on_schedule
from booking.services.refusals import Refusal
from booking.services.transactions import lock_screen, retried, write_transaction

# The most shows that are copied in one transaction, which locks their screens.
MAX_COPIES = 500


class CopiesChanged(Refusal):
    code = "copies_changed"

    def __init__(self) -> None:
        super().__init__("The shows have changed since they were listed. Look at the list again.")


class TooManyCopies(Refusal):
    code = "too_many_copies"

    def __init__(self, count: int) -> None:
        super().__init__(f"These would be {count} shows. Copy {MAX_COPIES} at a time at most.")


@dataclass(frozen=True)
class Copy:
    """A copy of a show to another day, at the same local time; `refusal` says why it can't be added."""

    original: Show
    local_start: datetime
    refusal: Refusal | None = None

    @property
    def key(self) -> str:
        """Identifies the copy; it is another one if the original show moves."""
        return f"{self.original.pk}-{self.local_start:%Y%m%d%H%M%S}"

    def add(self, now: datetime) -> Show:
        """Saves the copy, with the original's length and prices and the screen's current seats. Raises Refusal."""
        original = self.original
        # If the local time exists twice, the copy has the original's offset.
        starts_at = read_local_time(local=self.local_start, offset=offset_of(moment=original.starts_at))
        check_start(starts_at, now)
        show = copy_at(original, starts_at)
        put_on_schedule(show)
        return show


@retried
def preview_copies(*, first_day: date, days: int, to: date, rounds: int, now: datetime) -> list[Copy]:
    """Return the copies of the shows of `days` days, with their refusals; nothing is saved.

    The copies of the first round are `to - first_day` later, those of each further round another `days` days. They are
    added in a transaction that is rolled back, so the preview follows the same rules. Raises TooManyCopies or Busy.
    """
    with write_transaction():
        copies = _read_copies(first_day, days, to, rounds)
        previewed = [replace(copy, refusal=_refusal_of(copy, now)) for copy in copies]
        transaction.set_rollback(True)
    return previewed


@retried
def add_copies(
    *, first_day: date, days: int, to: date, rounds: int, keys: Collection[str], now: datetime
) -> list[Show]:
    """Adds the copies of a preview that have these keys, all or none.

    Raises CopiesChanged if there is no copy with a key, the refusals of `copy_show`, NoSuchLocalTime, LocalTimeTwice or
    TooManyCopies.
    """
    with write_transaction():
        copies = {copy.key: copy for copy in _read_copies(first_day, days, to, rounds)}
        if set(keys) - copies.keys():
            raise CopiesChanged
        return [copy.add(now) for key, copy in copies.items() if key in set(keys)]


def _read_copies(first_day: date, days: int, to: date, rounds: int) -> list[Copy]:
    """Return the copies in the order of their start. Locks the screens, in the order of their ids."""
    period = day_bounds(first=first_day, last=first_day + timedelta(days=days - 1))
    originals = Show.objects.scheduled().starting_between(*period)
    for screen_id in sorted(set(originals.order_by().values_list("screen_id", flat=True))):
        lock_screen(screen_id)
    shows = list(originals.select_related("movie", "screen").order_by("starts_at", "pk"))
    if len(shows) * rounds > MAX_COPIES:
        raise TooManyCopies(len(shows) * rounds)
    shifts = [to - first_day + n * timedelta(days=days) for n in range(rounds)]
    return [Copy(show, timezone.make_naive(show.starts_at) + shift) for shift in shifts for show in shows]


def _refusal_of(copy: Copy, now: datetime) -> Refusal | None:
    try:
        copy.add(now)
    except Refusal as refusal:
        return refusal
    return None
