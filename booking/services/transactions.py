"""Transactions, row locks and retries for the services.

Every transaction takes its locks in this order, so that no two of them wait for each other:

1. shows, by id
2. screens by id, an account (including a customer's), a till, or the receipts
3. a price list, or all its versions by id
4. bookings of a locked show, by id

The door locks a single booking, without its show.
"""

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.db import Error, InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from booking.infrastructure.metrics import LOCK_WAITS
from booking.infrastructure.statements import Call, Query, send
from booking.models import Screen, Show, User
from booking.services.refusals import Busy, NotFound, first_or_not_found
from movieticket.admission import NoPlace, availability, waiting_for_row
from movieticket.deadline import seconds_left

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Model)

# The key of an advisory lock: an arbitrary number ("receipt" in ASCII).
RECEIPTS_LOCK = 0x72656365697074

# A service is retried for this time while the database is unavailable.
RETRY_SECONDS = 4.0
RETRY_PAUSE_SECONDS = 0.1

# SQLSTATE codes (PostgreSQL documentation, appendix A).
LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY = "25006"
# A prepared statement whose columns were changed by a migration.
STALE_PLAN = "0A000"
# A prepared statement that does not exist in the session, and one that already exists.
UNKNOWN_STATEMENT = "26000"
DUPLICATE_STATEMENT = "42P05"
# After these errors, the COMMIT has certainly not happened.
OUTDATED_SESSION = {STALE_PLAN, UNKNOWN_STATEMENT, DUPLICATE_STATEMENT}
NOTHING_DONE = {READ_ONLY, *OUTDATED_SESSION}


class LockHeld(Busy):
    """Another transaction held a lock for longer than a request may wait for it."""


class Interrupted(Busy):
    """The database connection broke; with `committing`, the commit may have gone through."""

    def __init__(self, *, committing: bool = False) -> None:
        super().__init__()
        self.committing = committing


class Committed(Exception):
    """Raised to leave `write_transaction` with a commit; any other exception rolls back."""


class WriteTransaction:
    """The open transaction of `write_transaction`."""

    committing = False

    def send_and_commit(self, *calls: Call) -> list[list[Any]]:
        """Sends the last statements together with the COMMIT, in one round trip, and returns their results."""
        self.committing = True
        return send(*calls, commit=True)


@contextmanager
def write_transaction() -> Iterator[WriteTransaction]:
    """Opens a transaction, which may not be nested, for locking and changing rows.

    A Committed commits the transaction and is raised again. Raises Busy if a lock can't be obtained, and Interrupted.
    """
    current, result = WriteTransaction(), None
    try:
        with transaction.atomic(durable=True):
            try:
                yield current
            except Committed as committed:
                result = committed
            current.committing = True
    except Error as error:
        refusal = refusal_for(error, committing=current.committing)
        if refusal is None:
            raise
        raise refusal from error
    if result:
        raise result


def refusal_for(error: Error, *, committing: bool = False) -> Busy | None:
    """Return the refusal for a failed statement, or None for a programming error or a violated constraint."""
    if _state(error) == LOCK_NOT_AVAILABLE:
        return LockHeld()
    if isinstance(error, NoPlace):
        return Busy()
    if connection.vendor == "sqlite" and isinstance(error, OperationalError):
        return Busy()
    if is_transient_error(error=error):
        if _state(error) != DUPLICATE_STATEMENT:
            # The next attempt opens a new connection. After DUPLICATE_STATEMENT this one can be used again.
            connection.close()
        return Interrupted(committing=committing and _state(error) not in NOTHING_DONE)
    return None


def _state(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def is_transient_error(*, error: BaseException) -> bool:
    """Return whether the error comes from the connection or the session rather than from the statement."""
    if _state(error) in OUTDATED_SESSION:
        return True
    if isinstance(error, InternalError):
        # None: psycopg received an unexpected result, because PgBouncer adds its own error to the server's last one.
        return _state(error) in {READ_ONLY, None}
    return isinstance(error, OperationalError | InterfaceError)


def retried(service: Callable[P, T]) -> Callable[P, T]:
    """Retries a service for RETRY_SECONDS if the connection broke before the service changed anything.

    It is not retried if the response to its commit was lost. A service that can detect whether its commit succeeded
    raises Interrupted without `committing` to be retried.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + RETRY_SECONDS
        try:
            while True:
                try:
                    return _call(service, *args, **kwargs)
                except Interrupted as interruption:
                    if interruption.committing or time.monotonic() >= deadline or not _may_retry():
                        raise
                # A random pause, so that requests that failed together are not retried together.
                time.sleep(RETRY_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
        finally:
            availability.end_turn()

    return run


def _may_retry() -> bool:
    """Return whether there is time left. While the database is unavailable, only one request at a time retries."""
    left = seconds_left()
    return left is None or (left > 0 and (not availability.is_down or availability.take_turn()))


def _call(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises Interrupted if a statement outside `write_transaction` fails: it is a read, which is safe to repeat."""
    try:
        return service(*args, **kwargs)
    except Error as error:
        if isinstance(error, NoPlace):
            raise Busy from error
        if not is_transient_error(error=error):
            raise
        connection.close()
        raise Interrupted from error


def show_to_lock(p: Any) -> QuerySet[Show, Any]:
    """Select the id of the show and lock its row.

    The show is read by the next statement, because this one would return movie and screen as they were before the wait.
    """
    return Show.objects.select_for_update(no_key=True).filter(pk=p.show_id).order_by().values_list("pk")


lock_row = Query(show_to_lock)
# Without the movie's description, which is long, and what only lists need.
_UNREAD = ("movie__description", "movie__folded_title", "movie__folded_director")
read_show = Query(
    lambda p: Show.objects.select_related("movie", "screen").defer(*_UNREAD).filter(pk=p.show_id).order_by()
)


def lock_show(show_id: int) -> Show:
    """Locks the show with its bookings until the transaction ends; returns it with movie and screen loaded.

    Raises NotFound, and Busy if another transaction holds the lock.
    """
    with LOCK_WAITS.time(), waiting_for_row("show", show_id):
        _, shows = send(lock_row.bind(show_id=show_id), read_show.bind(show_id=show_id))
    if not shows:
        raise NotFound
    return shows[0]  # type: ignore[no-any-return]


def lock_screen(screen_id: int) -> Screen:
    """Locks the screen with its schedule until the transaction ends. Raises NotFound or Busy."""
    with LOCK_WAITS.time():
        return first_or_not_found(Screen.objects.select_for_update(no_key=True).filter(pk=screen_id))


def lock_receipts() -> None:
    """Serialises the numbering of receipts until the transaction ends; SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        with LOCK_WAITS.time(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RECEIPTS_LOCK])


def lock_account(*, user_id: int) -> User | None:
    """Locks the account, if it exists: no new row can refer to it until the transaction ends. Raises Busy."""
    with LOCK_WAITS.time():
        return User.objects.select_for_update().filter(pk=user_id).first()


def lock_instance(*, instance: M) -> M | None:
    """Locks the row of the instance until the transaction ends and returns it with its current data; None if deleted.

    For forms of the admin, which change rows that have no service of their own. Raises Busy.
    """
    with LOCK_WAITS.time():
        rows: QuerySet[M] = type(instance)._default_manager.select_for_update(no_key=True)
        return rows.filter(pk=instance.pk).first()


def lock_customer(user: User) -> None:
    """Serialises the customer's bookings until the transaction ends; called after a show is locked. Raises Busy."""
    with LOCK_WAITS.time():
        # NO KEY, so that inserts of bookings, which refer to the user, don't wait.
        list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))
