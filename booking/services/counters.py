"""Counts attempts in the database, so that a limit is one for all workers.

A key's window begins with its first attempt and lasts a fixed time by the database's clock, since workers on several
machines have clocks of their own. If the counts are lost, for example in a crash, every window begins again.
"""

import time
from typing import Any, NamedTuple

from django.db import Error, connection, transaction

from booking.infrastructure.statements import Call, Text, send
from booking.services.transactions import refusal_for, retried
from movieticket.admission import waiting_for_row

IS_SQLITE = connection.vendor == "sqlite"
# How often each process removes the counts that are over.
SWEEP_SECONDS = 600.0

# The seconds since 1970, by the database's clock.
NOW = Text(
    {
        "postgresql": "extract(epoch FROM now())::float8",
        "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    }[connection.vendor]
)
# Counts within the statement that begins the window, so that no two attempts can both be the tenth.
COUNT_ON = Text(
    """
    ON CONFLICT (key) DO UPDATE SET
      number = CASE WHEN booking_tries.ends_at <= {now} THEN 1 ELSE booking_tries.number + 1 END,
      ends_at = CASE WHEN booking_tries.ends_at <= {now} THEN excluded.ends_at ELSE booking_tries.ends_at END
    RETURNING number, ends_at - {now}
    """,
    now=NOW,
)
_count = Text(
    "INSERT INTO booking_tries (key, number, ends_at) VALUES ({window}, 1, {now} + {seconds}) {count_on}",
    now=NOW,
    count_on=COUNT_ON,
)
_remember = Text(
    """
    INSERT INTO booking_tries (key, number, ends_at) VALUES ({window}, 1, {now} + {seconds})
    ON CONFLICT (key) DO UPDATE SET ends_at = excluded.ends_at RETURNING number
    """,
    now=NOW,
)
_is_counting = Text("SELECT EXISTS (SELECT 1 FROM booking_tries WHERE key = {window} AND ends_at > {now})", now=NOW)
# A limited number, so that no request waits long for it. Two sweeps must not wait for each other's rows.
_sweep = Text(
    """
    DELETE FROM booking_tries WHERE key IN (
      SELECT key FROM booking_tries WHERE ends_at <= {now} LIMIT 1000 {skip_locked}
    ) RETURNING key
    """,
    now=NOW,
    skip_locked=Text("FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""),
)


class Count(NamedTuple):
    """How many tries there were in the window, this one included, and the seconds until it is over."""

    number: int
    seconds_left: float


class Pace:
    """Says yes once in so many seconds."""

    def __init__(self, seconds: float, *, at_once: bool) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + (0 if at_once else seconds)

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


_sweeping = Pace(SWEEP_SECONDS, at_once=False)


def count(*, key: str, seconds: int) -> Count:
    """Counts an attempt of `key`, whose window lasts `seconds` from its first. Raises Busy."""
    [row] = count_by(_count.bind(window=key, seconds=float(seconds)), key=key)
    return Count(*row)


@retried
def remember(*, key: str, seconds: int) -> None:
    """Begins a window of `key` now, replacing an earlier one. Raises Busy."""
    _run(_remember.bind(window=key, seconds=float(seconds)))


@retried
def is_counting(*, key: str) -> bool:
    """Whether `key` has been counted and its window is not over. Raises Busy."""
    [(is_counting,)] = _run(_is_counting.bind(window=key))
    return bool(is_counting)


@retried
def count_by(call: Call, *, key: str) -> list[Any]:
    """The rows of a statement that counts an attempt of `key`. Raises Busy and Interrupted."""
    if _sweeping.is_due():
        sweep()
    with waiting_for_row("count", key):
        return _run(call)


def sweep() -> int:
    """Removes up to 1000 windows that are over and returns how many. Raises Busy and Interrupted."""
    return len(_run(_sweep.bind()))


def _run(call: Call) -> list[Any]:
    """The rows of a statement that is a transaction of its own. Raises Busy and Interrupted."""
    try:
        if IS_SQLITE:
            # Its backend queues the writers at the start of a transaction.
            with transaction.atomic():
                return send(call)[0]
        return send(call)[0]
    except Error as error:
        refusal = refusal_for(error)
        if refusal is None:
            raise
        raise refusal from error
