"""Counting tries, once for all workers: in the database, or in Redis where REDIS_URL names one.

A key's window begins with its first try and lasts a fixed time, by the clock of whoever keeps the count: workers on
several machines have clocks of their own. A lost count, after a crash say, lets everybody try again and no more.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import Error, connection, transaction
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from booking.prepared import fetch
from booking.services.locks import refusal_for, retried

T = TypeVar("T")
logger = logging.getLogger(__name__)

IS_SQLITE = connection.vendor == "sqlite"
# How often each process removes the counts that are over.
SWEEP_SECONDS = 600.0
REDIS_TIMEOUT_SECONDS = 0.25
# For so long a process does without a Redis that failed it, so that not every request waits for it in vain.
REDIS_PAUSE_SECONDS = 5.0
REDIS_WARNING_SECONDS = 60.0
REDIS_PREFIX = "movieticket:tries:"

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
    " RETURNING 1"
)
# A script runs whole or not at all: no key is left that never ends.
REDIS_COUNT = """
local number = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {number, redis.call('PTTL', KEYS[1])}
"""


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
_warning = Pace(REDIS_WARNING_SECONDS, at_once=True)
# The monotonic time until which Redis is left alone.
_redis_paused_until = [0.0]


def count(*, key: str, seconds: int) -> Count:
    """Counts a try of `key`, whose window lasts `seconds` from its first. Raises Busy."""
    return _in_redis(lambda redis: _count_in_redis(redis, key, seconds)) or _count_in_database(key, seconds)


def remember(*, key: str, seconds: int) -> None:
    """Begins a window of `key` now, in the place of one that may have begun before. Raises Busy."""
    if not _in_redis(lambda redis: redis.set(REDIS_PREFIX + key, 1, ex=seconds)):
        _remember_in_database(key, seconds)


def is_counting(*, key: str) -> bool:
    """Whether `key` has been counted and its window is not over. Raises Busy."""
    found = _in_redis(lambda redis: bool(redis.exists(REDIS_PREFIX + key)))
    return _is_counting_in_database(key) if found is None else found


# --- The database -----------------------------------------------------------------------------


def _count_in_database(key: str, seconds: int) -> Count:
    [tries] = count_by(COUNT, [key, float(seconds)])
    return Count(*tries)


@retried
def count_by(statement: str, parameters: list[Any]) -> list[Any]:
    """The rows of a statement that counts a try. Raises Busy and Interrupted."""
    sweep_if_due()
    return _run(statement, parameters)


def sweep_if_due() -> None:
    """Removes what is over, once in a while. Raises Busy and Interrupted."""
    if _sweeping.is_due():
        sweep()


def sweep() -> int:
    """Removes a batch of the windows that are over; returns their number. Raises Busy and Interrupted."""
    return len(_run(SWEEP, []))


@retried
def _remember_in_database(key: str, seconds: int) -> None:
    _run(REMEMBER, [key, float(seconds)])


@retried
def _is_counting_in_database(key: str) -> bool:
    [(is_counting,)] = _run(IS_COUNTING, [key])
    return bool(is_counting)


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


# --- Redis ------------------------------------------------------------------------------------


@cache
def _redis(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        # Once more at most: a kept connection may be one that the server has closed meanwhile.
        retry=Retry(NoBackoff(), 1),
    )


def _in_redis(ask: Callable[[Redis], T]) -> T | None:
    """The answer of Redis; None where there is none, or where it is away: booking goes on without it."""
    if not settings.REDIS_URL or time.monotonic() < _redis_paused_until[0]:
        return None
    try:
        return ask(_redis(settings.REDIS_URL))
    except RedisError as error:
        _redis_paused_until[0] = time.monotonic() + REDIS_PAUSE_SECONDS
        if _warning.is_due():
            logger.warning("Redis did not answer, tries are counted in the database: %s", type(error).__name__)
        return None


def _count_in_redis(redis: Redis, key: str, seconds: int) -> Count:
    number, milliseconds = redis.register_script(REDIS_COUNT)(keys=[REDIS_PREFIX + key], args=[seconds * 1000])
    return Count(number, milliseconds / 1000)
