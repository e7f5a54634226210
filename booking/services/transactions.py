"""The transaction and the row locks that every decision on shows and bookings runs under.

Order of locks: rows of shows by their ids, then a screen's or an account's (a customer's too).
"""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import Error, InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models import QuerySet

from booking.infrastructure.metrics import LOCK_WAITS
from booking.infrastructure.statements import Call, Query, send
from booking.models import Screen, Show, User
from booking.services.idempotency import Replay
from booking.services.refusals import Busy, NotFound
from movieticket.admission import NoPlace, availability, waiting_for_row
from movieticket.deadline import seconds_left

P = ParamSpec("P")
T = TypeVar("T")

# How long a service that is safe to run again is run again while the database is away.
RETRY_SECONDS = 4.0
RETRY_PAUSE_SECONDS = 0.1

# SQLSTATE, PostgreSQL documentation, appendix A.
LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY = "25006"
# A prepared statement whose columns were changed by a migration.
STALE_PLAN = "0A000"
# One that the session doesn't know, and one that it knows already.
UNKNOWN_STATEMENT = "26000"
DUPLICATE_STATEMENT = "42P05"
# With these a transaction has ended before its COMMIT.
OUTDATED_SESSION = {STALE_PLAN, UNKNOWN_STATEMENT, DUPLICATE_STATEMENT}
NOTHING_DONE = {READ_ONLY, *OUTDATED_SESSION}


class LockHeld(Busy):
    """Another transaction held a lock for longer than a request may wait for it."""


class Interrupted(Busy):
    """The database connection broke; with `committing`, the commit may have gone through."""

    def __init__(self, *, committing: bool = False) -> None:
        super().__init__()
        self.committing = committing


class WriteTransaction:
    """An open transaction, as `write_transaction` gives it."""

    committing = False

    def send_and_commit(self, *calls: Call) -> list[list[Any]]:
        """Sends the last statements together with the COMMIT, in one round trip, and returns their results."""
        self.committing = True
        return send(*calls, commit=True)


@contextmanager
def write_transaction() -> Iterator[WriteTransaction]:
    """A transaction of its own, for locking and changing rows.

    A Replay commits it: the answer says that the request was carried out, so its commit has to be safe. The first time
    it may not have been; the lock that is taken now can't be committed on more machines before that.

    Raises Busy where a lock stays held, and Interrupted.
    """
    current, replay = WriteTransaction(), None
    try:
        with transaction.atomic(durable=True):
            try:
                yield current
            except Replay as known:
                replay = known
            current.committing = True
    except Error as error:
        refusal = refusal_for(error, committing=current.committing)
        if refusal is None:
            raise
        raise refusal from error
    if replay:
        raise replay


def refusal_for(error: Error, *, committing: bool = False) -> Busy | None:
    """The refusal for a failed statement; None for a mistake of ours or a violated constraint."""
    if _state(error) == LOCK_NOT_AVAILABLE:
        return LockHeld()
    if isinstance(error, NoPlace):
        return Busy()
    if connection.vendor == "sqlite" and isinstance(error, OperationalError):
        return Busy()
    if broke_off(error):
        if _state(error) != DUPLICATE_STATEMENT:
            # The next attempt opens a new connection. This one knows the statement now, and a new one would not.
            connection.close()
        return Interrupted(committing=committing and _state(error) not in NOTHING_DONE)
    return None


def _state(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def broke_off(error: BaseException) -> bool:
    """Whether the database is away, read-only for now or in an outdated session, rather than the statement wrong."""
    if _state(error) in OUTDATED_SESSION:
        return True
    if isinstance(error, InternalError):
        # Or psycopg got an answer too many: PgBouncer passes on the server's goodbye and adds one of its own.
        return _state(error) in {READ_ONLY, None}
    return isinstance(error, OperationalError | InterfaceError)


def retried(service: Callable[P, T]) -> Callable[P, T]:
    """Runs a service again, for RETRY_SECONDS, when the connection broke before the service changed anything.

    After a commit whose answer was lost it is not run again; a service that can look up what it did raises
    Interrupted without `committing`.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + RETRY_SECONDS
        try:
            while True:
                try:
                    return _reading(service, *args, **kwargs)
                except Interrupted as interruption:
                    if interruption.committing or time.monotonic() >= deadline or not _may_try_again():
                        raise
                # Requests that failed together must not return together.
                time.sleep(RETRY_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
        finally:
            availability.end_turn()

    return run


def _may_try_again() -> bool:
    """Whether there is time left; of the requests that find the database away, one at a time tries again."""
    left = seconds_left()
    return left is None or (left > 0 and (not availability.is_down or availability.take_turn()))


def _reading(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises Interrupted. What breaks outside a write_transaction is a read, which is safe to repeat."""
    try:
        return service(*args, **kwargs)
    except Error as error:
        if isinstance(error, NoPlace):
            raise Busy from error
        if not broke_off(error):
            raise
        connection.close()
        raise Interrupted from error


def show_to_lock(p: Any) -> QuerySet[Show, Any]:
    """The id of the show, with its lock.

    The show is read by the next statement: this one would return the movie and screen from before it waited.
    """
    return Show.objects.select_for_update(no_key=True).filter(pk=p.show_id).order_by().values_list("pk")


lock_row = Query(show_to_lock)
# Without the movie's description, which is long.
read_show = Query(
    lambda p: Show.objects.select_related("movie", "screen").defer("movie__description").filter(pk=p.show_id).order_by()
)


def lock_show(show_id: int) -> Show:
    """The show as it is now, with movie and screen; it and its bookings can't change until the transaction ends.

    Raises NotFound, and Busy where another transaction keeps the lock.
    """
    with LOCK_WAITS.time(), waiting_for_row("show", show_id):
        _, shows = send(lock_row.bind(show_id=show_id), read_show.bind(show_id=show_id))
    if not shows:
        raise NotFound
    return shows[0]  # type: ignore[no-any-return]


def lock_screen(screen_id: int) -> Screen:
    """The screen; its schedule can't change until the transaction ends. Raises NotFound or Busy."""
    try:
        with LOCK_WAITS.time():
            return Screen.objects.select_for_update(no_key=True).get(pk=screen_id)
    except Screen.DoesNotExist:
        raise NotFound from None


def lock_account(user_id: int) -> User | None:
    """The account, if it exists, to which nothing new can refer until the transaction ends. Raises Busy."""
    with LOCK_WAITS.time():
        return User.objects.select_for_update().filter(pk=user_id).first()


def lock_customer(user: User) -> None:
    """Makes the customer's other bookings wait until the transaction ends; taken after a show's lock. Raises Busy."""
    with LOCK_WAITS.time():
        # Not the key: bookings of this customer refer to it and go on in other shows.
        list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))
