"""Selling a seat in one round trip to the database.

Most bookings are of one seat, and nothing is in their way. PostgreSQL is sent their whole transaction, so that the
show's lock is held for as long as the server works, and not while this process thinks between its answers; and a trip
costs more than most of what is done in it. The rules are not here but in claims.py: the insert asks for more than they
do, writes nothing where that isn't so, and then the rules are asked, who may still allow it.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from booking.metrics import LOCK_WAITS
from booking.models import Booking, CatalogueVersion, Show, User, new_reference
from booking.prepared import (
    Argument,
    PreparedInsertSelect,
    PreparedQuery,
    PreparedText,
    PreparedTransaction,
    mark_saved,
)
from booking.services.counters import Count, sweep_if_due
from booking.services.kept_shows import find_show, keep_show, kept_show, read_show
from booking.services.limits import Claims, counting
from booking.services.locks import (
    Contested,
    Interrupted,
    LockHeld,
    mark_contested,
    place_in_queue,
    retried,
    write_transaction,
)
from booking.services.looks import LARGEST_SEAT_NUMBER

logger = logging.getLogger(__name__)

# SQLite is asked without a trip, and has no lock of a row.
CAN_SELL_AT_ONCE = connection.vendor == "postgresql"


def _unhindered(
    user: int, show: int, seat_number: int, most: int, now: datetime, reference: str
) -> tuple[Booking, QuerySet[Show]]:
    """The booking, and the show if it can surely be made."""
    booking = Booking(user_id=user, show_id=show, seat_number=seat_number, reference=reference, created_at=now)
    shows = Show.objects.to_come(now).where_free(seat_number).where_on_fewer_seats(user, most)
    return booking, shows.filter(pk=show)


def _counted(tries: int, key: str) -> RawSQL:
    """Whether this very transaction has counted a try of the key, and it is not one too many.

    No other one can change that any more; so what is locked and what is inserted hang by the same.
    """
    counted = "xmin = pg_current_xact_id_if_assigned()::xid"
    condition = f"EXISTS (SELECT FROM booking_tries WHERE key = %s AND number <= %s AND {counted})"
    return RawSQL(condition, [key, tries], output_field=BooleanField())  # noqa: S611


def _unhindered_and_counted(
    user: int, show: int, seat_number: int, most: int, tries: int, now: datetime, reference: str, key: str
) -> tuple[Booking, QuerySet[Show]]:
    booking, shows = _unhindered(user, show, seat_number, most, now, reference)
    return booking, shows.filter(_counted(tries, key))


# How long the lock was waited for is what PostgreSQL knows best; of a count it may be part.
GIVEN = f"RETURNING id, extract(epoch FROM clock_timestamp() - now())::float8, {CatalogueVersion.SUM}"
_insert = PreparedInsertSelect(Booking, _unhindered, GIVEN, 4, times=1, texts=1)
_insert_if_counted = PreparedInsertSelect(Booking, _unhindered_and_counted, GIVEN, 5, times=1, texts=2)
# By itself: of a join, whoever waited for the lock would get nothing where the show has moved to another screen.
_locked = Show.objects.select_for_update(no_key=True).order_by().values_list("pk")
_lock = PreparedQuery(lambda pk: _locked.filter(pk=pk), 1)
_lock_if_counted = PreparedQuery(lambda pk, tries, key: _locked.filter(_counted(tries, key), pk=pk), 2, texts=1)


@lru_cache
def _transaction(milliseconds: int, *statements: PreparedQuery) -> PreparedTransaction:
    """The sale where locks are waited for so long.

    What comes after the lock sees what was committed before it was got: each statement has a snapshot of its own.
    """
    return PreparedTransaction(PreparedText(f"SET LOCAL lock_timeout = {milliseconds}"), *statements)


def sell_at_once(*, user: User, show_id: int, seat_number: int, now: datetime, patient: bool) -> list[Booking]:
    """Books the seat where nothing is in the way, and returns the booking; else an empty list.

    `now` is UTC. Raises Busy and Interrupted; Contested where somebody else holds the lock, and it is not to be
    `patient`.
    """
    if not 1 <= seat_number <= LARGEST_SEAT_NUMBER:
        return []
    sale = _Sale(user.pk, show_id, seat_number, now)
    _, sold = sale.carry_out({_lock: [show_id], _insert: sale.columns()}, patient=patient)
    return sale.bookings(sold)


def count_and_sell_at_once(
    *, limit: str, claims: Claims, show_id: int, seat_number: int, now: datetime
) -> tuple[list[Count], list[Booking]]:
    """The same for the account of a token, not patient, in the trip that finds it and counts its try.

    The show is not locked for who is not to have a seat: there is no Count where the account isn't found, and no
    booking where the try is one too many. Raises Busy, Interrupted, Contested, and IntegrityError where somebody else
    is on the seat in spite of the lock, or the account was deleted at this very moment.
    """
    sweep_if_due()
    sale = _Sale(claims.user_id, show_id, seat_number, now)
    count = counting(limit, claims)
    statements: dict[PreparedQuery, Sequence[Argument]] = {
        count.query: count.arguments,
        _lock_if_counted: [show_id, count.most, count.key],
        _insert_if_counted: [*sale.columns(count.most), count.key],
    }
    found, _, sold = sale.carry_out(statements, patient=False)
    return [Count(*row) for row in found], sale.bookings(sold)


class _Sale:
    def __init__(self, user_id: int, show_id: int, seat_number: int, now: datetime) -> None:
        self._user_id, self._show_id, self._seat_number, self._now = user_id, show_id, seat_number, now
        self._show = kept_show(show_id)
        self._reference = new_reference()

    def columns(self, *tries: int) -> list[Argument]:
        """What the insert is of."""
        seats = (self._user_id, self._show_id, self._seat_number, settings.MAX_SEATS_PER_USER)
        return [*seats, *tries, self._now, self._reference]

    def carry_out(self, statements: dict[PreparedQuery, Sequence[Argument]], *, patient: bool) -> list[Any]:
        """What the statements of the sale give, each with its arguments; the show is read too if it isn't known."""
        if self._show is None:
            statements = statements | {read_show: [self._show_id]}
        try:
            # Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show.
            with write_transaction(sent_whole=True), place_in_queue(patient=patient) as milliseconds:
                _, *given = _transaction(milliseconds, *statements)([], *statements.values())
        except LockHeld:
            LOCK_WAITS.observe(milliseconds / 1000)
            if patient:
                raise
            mark_contested(self._show_id)
            raise Contested from None
        if self._show is None:
            *given, self._shows = given
        return given

    def bookings(self, sold: Sequence[tuple[int, float, int]]) -> list[Booking]:
        """What was sold, by what the insert gave."""
        if not sold:
            return []
        [(pk, waited, version)] = sold
        LOCK_WAITS.observe(waited)
        if self._show:
            show = _as_sold(self._show, version)
        else:
            [show] = self._shows
            keep_show(show, version)
        own = {"seat_number": self._seat_number, "reference": self._reference, "created_at": self._now}
        booking = Booking(pk=pk, user_id=self._user_id, show=show, **own)
        mark_saved(booking)
        return [booking]


_find_show = retried(find_show)


def _as_sold(known: Show, version: int) -> Show:
    """The show as it is now, or else as it was known: the booking is made, and its customer is to be told."""
    try:
        return _find_show(known.pk, version) or known
    except (Error, Interrupted):
        logger.exception("A show could not be read again after a sale")
        return known
