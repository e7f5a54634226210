"""Counts attempts in the database, so that a limit is one for all workers.

A key's window begins with its first attempt and lasts a fixed time by the database's clock, since workers on several
machines have clocks of their own. If the counts are lost, for example in a crash, every window begins again.
"""

import time
from typing import Any, NamedTuple

from django.db import Error, connection, transaction

from booking.prepared import fetch
from booking.services.locks import refusal_for, retried

IS_SQLITE = connection.vendor == "sqlite"
# How often each process removes the counts that are over.
SWEEP_SECONDS = 600.0

# The seconds since 1970, as the database's clock has them.
NOW = {
    "postgresql": "extract(epoch FROM now())::float8",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}[connection.vendor]
# Counts within the statement that would begin to, so that no two tries can both be the tenth.
COUNT_ON = f"""
ON CONFLICT (key) DO UPDATE SET
  number = CASE WHEN booking_tries.ends_at <= {NOW} THEN 1 ELSE booking_tries.number + 1 END,
  ends_at = CASE WHEN booking_tries.ends_at <= {NOW} THEN excluded.ends_at ELSE booking_tries.ends_at END
RETURNING number, ends_at - {NOW}
"""
COUNT = f"INSERT INTO booking_tries (key, number, ends_at) VALUES (%s, 1, {NOW} + %s) {COUNT_ON}"  # noqa: S608
REMEMBER = f"""
INSERT INTO booking_tries AS tries (key, number, ends_at) VALUES (%s, 1, {NOW} + %s)
ON CONFLICT (key) DO UPDATE SET ends_at = excluded.ends_at
"""  # noqa: S608
IS_COUNTING = f"SELECT EXISTS (SELECT 1 FROM booking_tries WHERE key = %s AND ends_at > {NOW})"  # noqa: S608
# So many at once that no request is long about it. Two sweeps must not wait for each other's rows.
SWEEP = (
    f"DELETE FROM booking_tries WHERE key IN (SELECT key FROM booking_tries WHERE ends_at <= {NOW} LIMIT 1000"  # noqa: S608
    f"{' FOR UPDATE SKIP LOCKED' if connection.features.has_select_for_update_skip_locked else ''})"
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
    [row] = count_by(COUNT, [key, float(seconds)])
    return Count(*row)


@retried
def remember(*, key: str, seconds: int) -> None:
    """Begins a window of `key` now, replacing an earlier one. Raises Busy."""
    _run(REMEMBER, [key, float(seconds)])


@retried
def is_counting(*, key: str) -> bool:
    """Whether `key` has been counted and its window is not over. Raises Busy."""
    [(is_counting,)] = _run(IS_COUNTING, [key])
    return bool(is_counting)


@retried
def count_by(statement: str, parameters: list[Any]) -> list[Any]:
    """The rows of a statement that counts a try. Raises Busy and Interrupted."""
    sweep_if_due()
    return _run(statement, parameters)


def sweep_if_due() -> None:
    """Removes what is over, once in a while. Raises Busy and Interrupted."""
    if _sweeping.is_due():
        _run(SWEEP, [])


def _run(statement: str, parameters: list[Any]) -> list[Any]:
    """The rows of a statement that is a transaction of its own. Raises Busy and Interrupted."""
    try:
        if IS_SQLITE:
            # Its backend has the writers queue for a transaction.
            with transaction.atomic():
                return fetch(statement, parameters)
        return fetch(statement, parameters)
    except Error as error:
        refusal = refusal_for(error)
        if refusal is None:
            raise
        raise refusal from error
