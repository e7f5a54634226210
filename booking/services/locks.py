"""The transaction and the row locks that every decision on shows and bookings runs under.

Order of locks: the count of a customer's tries, the rows of shows by their ids, then a screen's or an account's.
Whoever needs several takes them in that order.
"""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, InterfaceError, InternalError, OperationalError, connection, transaction

from booking.metrics import LOCK_WAITS
from booking.models import Screen, Show, User
from booking.prepared import PreparedQuery
from booking.services.receipts import Replay
from booking.services.refusals import Busy, NotFound
from movieticket.deadline import seconds_left

P = ParamSpec("P")
T = TypeVar("T")

LOCK_TIMEOUT_SECONDS = 2.0
# For those who find the queue full: as long as a lock is held when all is well.
SHORT_LOCK_TIMEOUT_SECONDS = 0.1
# How long what is safe to run again is run again while the database is away.
RETRY_SECONDS = 4.0
RETRY_PAUSE_SECONDS = 0.1

# SQLSTATE, PostgreSQL documentation, appendix A.
LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY = "25006"
# A prepared statement whose columns were changed by a migration.
STALE_PLAN = "0A000"
# One that the server has forgotten.
UNKNOWN_STATEMENT = "26000"
# With these, a transaction that was sent whole has ended before its COMMIT.
NOTHING_DONE = {READ_ONLY, STALE_PLAN, UNKNOWN_STATEMENT}

# For so long a show counts as contested after somebody found its lock held.
CONTENTION_SECONDS = 1.0
MAX_CONTESTED = 1000

# A thread that waits for a lock serves nobody else, so some of a worker's threads never wait long.
_queue = BoundedSemaphore(settings.LOCK_QUEUE)

# The contested shows, as this process saw them, each with the monotonic time until which it counts as that.
_contested: dict[int, float] = {}


class Contested(Exception):
    """Somebody else holds the show's lock."""


class LockHeld(Busy):
    """Somebody else held a lock for longer than one may wait for it."""


class Interrupted(Busy):
    """The database broke off; `committing` says that the commit may have gone through all the same."""

    def __init__(self, *, committing: bool = False) -> None:
        super().__init__()
        self.committing = committing


@contextmanager
def write_transaction(*, sent_whole: bool = False) -> Iterator[None]:
    """A transaction of its own, in which lock_show and lock_screen can be called; or which is `sent_whole`.

    A Replay commits it: who gets an answer again is told that it is done, so the database has to say so. The first
    time it may not have; the lock taken now can't be committed on more machines before what was done under it.

    Raises Busy where a lock stays held, and Interrupted.
    """
    committing, replay = sent_whole, None
    try:
        with transaction.atomic(durable=True):
            try:
                yield
            except Replay as known:
                replay = known
            committing = True
    except Error as error:
        refusal = refusal_for(error, committing=committing)
        if refusal is None:
            raise
        raise refusal from error
    if replay:
        raise replay


def refusal_for(error: Error, *, committing: bool = False) -> Busy | None:
    """What a statement's failure means, where that is neither a mistake of ours nor a constraint's word."""
    if _state(error) == LOCK_NOT_AVAILABLE:
        return LockHeld()
    if connection.vendor == "sqlite" and isinstance(error, OperationalError):
        return Busy()
    if broke_off(error) or _state(error) in {STALE_PLAN, UNKNOWN_STATEMENT}:
        # Whatever is left of this connection, the next attempt makes a new one.
        connection.close()
        return Interrupted(committing=committing and _state(error) not in NOTHING_DONE)
    return None


def _state(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def broke_off(error: BaseException) -> bool:
    """Whether the database is away, or may only be read for now, rather than the statement wrong."""
    if isinstance(error, InternalError):
        # Or psycopg got an answer too many: PgBouncer passes on the server's goodbye and adds one of its own.
        return _state(error) in {READ_ONLY, None}
    return isinstance(error, OperationalError | InterfaceError)


@contextmanager
def place_in_queue(*, patient: bool = True) -> Iterator[int]:
    """The milliseconds that a lock may be waited for: long for the `patient` who find a place there, else a moment."""
    has_place = patient and _queue.acquire(blocking=False)
    try:
        yield round(1000 * (LOCK_TIMEOUT_SECONDS if has_place else SHORT_LOCK_TIMEOUT_SECONDS))
    finally:
        if has_place:
            _queue.release()


@contextmanager
def _waiting() -> Iterator[None]:
    """Lets a lock be waited for."""
    with place_in_queue() as milliseconds:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {milliseconds}")
        with LOCK_WAITS.time():
            yield


def retried(service: Callable[P, T]) -> Callable[P, T]:
    """Runs a service again, for RETRY_SECONDS, when the database broke off before it could have changed anything.

    A commit whose answer got lost may have gone through; then only a service that knows its own earlier
    answer, by a `receipt`, is run again. What knows itself otherwise says so by an Interrupted without `committing`.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return _reading(service, *args, **kwargs)
            except Interrupted as interruption:
                lost = interruption.committing and not kwargs.get("receipt")
                if lost or time.monotonic() >= deadline or seconds_left() == 0:
                    raise
            # All who were thrown out together must not come back together.
            time.sleep(RETRY_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    return run


def _reading(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises Interrupted. What breaks off outside a write_transaction was reading, which is safe to do again."""
    try:
        return service(*args, **kwargs)
    except Error as error:
        if not broke_off(error):
            raise
        connection.close()
        raise Interrupted from error


def _locking(*, skip_locked: bool) -> PreparedQuery:
    shows = Show.objects.select_related("movie", "screen").order_by()
    return PreparedQuery(
        lambda pk: shows.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked).filter(pk=pk), 1
    )


_lock_show = _locking(skip_locked=False)
_lock_show_if_free = _locking(skip_locked=True)


def lock_show(show_id: int) -> Show:
    """The show as it is now, with movie and screen, kept from changing until the transaction ends; its bookings too.

    Raises NotFound, and Busy where somebody else keeps the lock.
    """
    with _waiting():
        # Who waited while staff gave the show another movie or screen gets nothing of the join at first.
        shows: list[Show] = _lock_show(show_id) or _lock_show(show_id)
    if not shows:
        raise NotFound
    return shows[0]


def lock_show_if_free(show_id: int) -> Show:
    """The same without waiting. Raises Contested where somebody else holds the lock, and where there is no such show.

    Skipping the row rather than failing on it (NOWAIT) leaves the server's log quiet.
    """
    shows: list[Show] = _lock_show_if_free(show_id)
    if shows:
        return shows[0]
    mark_contested(show_id)
    raise Contested


def mark_contested(show_id: int) -> None:
    """Has those who come in the next moment look whether there is any hope before they ask for the show's lock."""
    if len(_contested) >= MAX_CONTESTED:
        _contested.clear()
    _contested[show_id] = time.monotonic() + CONTENTION_SECONDS


def is_contested(show_id: int) -> bool:
    """Whether somebody was in somebody else's way there a moment ago."""
    return time.monotonic() < _contested.get(show_id, 0.0)


def lock_screen(screen_id: int) -> Screen:
    """The screen, with its schedule kept from changing until the transaction ends. Raises NotFound or Busy."""
    try:
        with _waiting():
            return Screen.objects.select_for_update(no_key=True).get(pk=screen_id)
    except Screen.DoesNotExist:
        raise NotFound from None


def lock_account(user_id: int) -> User | None:
    """The account, if it is there, which nothing new can refer to until the transaction ends. Raises Busy."""
    with _waiting():
        return User.objects.select_for_update().filter(pk=user_id).first()
