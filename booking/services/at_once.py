"""Selling a seat in one round trip to the database.

Most bookings are of one seat, and nothing is in their way. PostgreSQL is sent their whole transaction, so that the
show's lock is held for as long as the server works, and not while this process thinks between its answers; and a trip
costs more than most of what is done in it. The rules are not here but in claims.py: the insert asks for more than they
do, writes nothing where that isn't so, and then the rules are asked, who may still allow it.
"""

import logging
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import QuerySet

from booking.metrics import LOCK_WAITS
from booking.models import Booking, CatalogueVersion, Show, User, new_reference
from booking.prepared import PreparedInsertSelect, PreparedQuery, PreparedText, PreparedTransaction, mark_saved
from booking.services.claims import LARGEST_SEAT_NUMBER
from booking.services.kept_shows import find_show, keep_show, kept_show, read_show
from booking.services.locks import (
    Contested,
    Interrupted,
    LockHeld,
    mark_contested,
    place_in_queue,
    retried,
    write_transaction,
)

logger = logging.getLogger(__name__)

# SQLite is asked without a trip, and has no lock of a row.
CAN_SELL_AT_ONCE = connection.vendor == "postgresql"


def _unhindered(
    user: int, show: int, seat_number: int, most: int, now: datetime, reference: str
) -> tuple[Booking, QuerySet[Any, Any]]:
    """The booking, and the show if it can surely be made."""
    booking = Booking(user_id=user, show_id=show, seat_number=seat_number, reference=reference, created_at=now)
    shows = Show.objects.to_come(now).where_free(seat_number).where_on_fewer_seats(user, most)
    return booking, shows.filter(pk=show)


# How long the lock was waited for is what PostgreSQL knows best.
_insert = PreparedInsertSelect(
    Booking,
    _unhindered,
    f"RETURNING id, extract(epoch FROM clock_timestamp() - now())::float8, {CatalogueVersion.SUM}",
    4,
    times=1,
    texts=1,
)
# By itself: of a join, whoever waited for the lock would get nothing where the show has moved to another screen.
_lock = PreparedQuery(
    lambda pk: Show.objects.select_for_update(no_key=True).filter(pk=pk).order_by().values_list("pk"), 1
)


@lru_cache
def _transaction(milliseconds: int, *, reads_show: bool = False) -> PreparedTransaction:
    """The sale where the lock is waited for so long; it may read the show, for the answer.

    What comes after the lock sees what was committed before it was got: each statement has a snapshot of its own.
    """
    timeout = PreparedText(f"SET LOCAL lock_timeout = {milliseconds}")
    return PreparedTransaction(timeout, _lock, _insert, *([read_show] if reads_show else []))


def sell_at_once(*, user: User, show_id: int, seat_number: int, now: datetime, patient: bool) -> list[Booking]:
    """Books the seat where nothing is in the way, and returns the booking; else an empty list.

    `now` is UTC. Raises Busy and Interrupted; Contested where somebody else holds the lock, and it is not to be
    `patient`.
    """
    if not 1 <= seat_number <= LARGEST_SEAT_NUMBER:
        return []
    show, reference = kept_show(show_id), new_reference()
    sale = (user.pk, show_id, seat_number, settings.MAX_SEATS_PER_USER, now, reference)
    try:
        # Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show.
        with write_transaction(sent_whole=True), place_in_queue(patient=patient) as milliseconds:
            if show:
                _, _, sold = _transaction(milliseconds)([], [show_id], sale)
            else:
                _, _, sold, shows = _transaction(milliseconds, reads_show=True)([], [show_id], sale, [show_id])
    except LockHeld:
        LOCK_WAITS.observe(milliseconds / 1000)
        if patient:
            raise
        mark_contested(show_id)
        raise Contested from None
    if not sold:
        return []
    [(pk, waited, version)] = sold
    LOCK_WAITS.observe(waited)
    if show:
        show = _as_sold(show, version)
    else:
        [show] = shows
        keep_show(show, version)
    booking = Booking(pk=pk, user_id=user.pk, show=show, seat_number=seat_number, reference=reference, created_at=now)
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
