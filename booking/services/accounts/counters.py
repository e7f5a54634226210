"""Counts attempts in the database, so that all workers share one limit.

A key's window begins with its first attempt and lasts a fixed time by the database's clock, because the clocks of
several machines differ. If the counts are lost, for example in a crash, every window begins again.
"""

import time
from typing import Any, NamedTuple

from django.db import Error, connection, transaction

from booking.infrastructure.statements import Call, Text, send
from booking.services.transactions import refusal_for, retried
from movieticket.admission import waiting_for_row

IS_SQLITE = connection.vendor == "sqlite"
# The interval at which each process removes windows that have ended.
SWEEP_SECONDS = 600.0

# The database's clock, in seconds since 1970.
NOW = Text(
    {
        "postgresql": "extract(epoch FROM now())::float8",
        "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    }[connection.vendor]
)
# Counting in the statement that begins the window is atomic: two attempts never get the same number.
COUNT_ON = Text(
    """
    ON CONFLICT (key) DO UPDATE SET
      number = CASE WHEN counted.ends_at <= {now} THEN 1 ELSE counted.number + 1 END,
      ends_at = CASE WHEN counted.ends_at <= {now} THEN excluded.ends_at ELSE counted.ends_at END
    RETURNING number, ends_at - {now}
    """,
    now=NOW,
)
_count = Text(
    """
    INSERT INTO booking_ratelimitwindow AS counted (key, number, ends_at)
    VALUES ({window}, 1, {now} + {seconds}) {count_on}
    """,
    now=NOW,
    count_on=COUNT_ON,
)
_start_window = Text(
    """
    INSERT INTO booking_ratelimitwindow AS counted (key, number, ends_at) VALUES ({window}, 1, {now} + {seconds})
    ON CONFLICT (key) DO UPDATE SET ends_at = excluded.ends_at RETURNING number
    """,
    now=NOW,
)
_is_window_open = Text(
    "SELECT EXISTS (SELECT 1 FROM booking_ratelimitwindow WHERE key = {window} AND ends_at > {now})", now=NOW
)
# Limited to 1000 rows, so that no request waits long. Two sweeps must not wait for each other's rows.
_sweep = Text(
    """
    DELETE FROM booking_ratelimitwindow WHERE key IN (
      SELECT key FROM booking_ratelimitwindow WHERE ends_at <= {now} LIMIT 1000 {skip_locked}
    ) RETURNING key
    """,
    now=NOW,
    skip_locked=Text("FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""),
)


class Count(NamedTuple):
    """The number of attempts in the window, including this one, and the seconds until the window ends."""

    number: int
    seconds_left: float


class Interval:
    """Is due once per interval."""

    def __init__(self, seconds: float, *, immediately: bool) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + (0 if immediately else seconds)

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


_sweeping = Interval(SWEEP_SECONDS, immediately=False)


def count(*, key: str, seconds: int) -> Count:
    """Counts an attempt of `key`, whose window lasts `seconds` from its first attempt. Raises Busy."""
    [row] = count_with(_count.bind(window=key, seconds=float(seconds)), key=key)
    return Count(*row)


@retried
def start_window(*, key: str, seconds: int) -> None:
    """Begins a window of `key` now, replacing an earlier one. Raises Busy."""
    _run(_start_window.bind(window=key, seconds=float(seconds)))


@retried
def is_window_open(*, key: str) -> bool:
    """Return whether `key` has a window that has not ended. Raises Busy."""
    [(is_open,)] = _run(_is_window_open.bind(window=key))
    return bool(is_open)


@retried
def count_with(call: Call, *, key: str) -> list[Any]:
    """Runs a statement that counts an attempt of `key` and returns its rows. Raises Busy and Interrupted."""
    if _sweeping.is_due():
        sweep()
    with waiting_for_row("count", key):
        return _run(call)


def sweep() -> int:
    """Removes up to 1000 windows that have ended and returns their number. Raises Busy and Interrupted."""
    return len(_run(_sweep.bind()))


def _run(call: Call) -> list[Any]:
    """Runs a statement in its own transaction and returns its rows. Raises Busy and Interrupted."""
    try:
        if IS_SQLITE:
            # The SQLite backend queues writers when a transaction begins.
            with transaction.atomic():
                return send(call)[0]
        return send(call)[0]
    except Error as error:
        refusal = refusal_for(error)
        if refusal is None:
            raise
        raise refusal from error
