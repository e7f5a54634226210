"""Keeps threads of a worker free while the database or a payment provider is slow, frozen or gone.

When threads wait for them, other threads must still serve probes, reads while commits hang, and requests for
other shows while one show is locked. So each kind of waiting has a Section with fewer places than the worker has
threads. This applies to requests only; management commands wait without a limit.
"""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.db.utils import OperationalError

from movieticket.deadline import seconds_left

# A request waits this long for a place before it is refused. A booking takes a small fraction of this time.
MAX_WAIT_SECONDS = 0.25
IS_SQLITE = settings.DATABASES["default"]["ENGINE"] == "movieticket.sqlite"


class NoPlace(OperationalError):
    """The request was refused before anything was sent to the database or the payment provider."""


class Section:
    """Admits at most `places` threads at a time. Other threads wait for MAX_WAIT_SECONDS and are then refused.

    After a refusal, further threads are refused immediately until a thread leaves.
    """

    def __init__(self, places: int) -> None:
        # A lock is a semaphore for one that takes less time to create; each locked row has one.
        self._places = threading.Semaphore(places) if places > 1 else threading.Lock()
        self._is_stalled = False

    def enter(self) -> None:
        """Takes a place. Raises NoPlace."""
        if self._places.acquire(blocking=False):
            return
        if not self._is_stalled and self._places.acquire(timeout=MAX_WAIT_SECONDS):
            return
        self._is_stalled = True
        raise NoPlace("The maximum number of threads is already waiting.")

    def leave(self) -> None:
        self._is_stalled = False
        self._places.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Takes a place for a while. Raises NoPlace."""
        self.enter()
        try:
            yield
        finally:
            self.leave()


# One thread stays free to answer probes and to refuse other requests. Calls to a payment provider take a place here,
# too: otherwise they and work in the database could take all threads.
database_work = Section(settings.THREADS - 1)
# A transaction may hang in its commit or wait for SQLite's write lock; one more thread stays free for reads.
transactions = Section(settings.THREADS - 2)


# A payment provider may be as slow as a database; other threads then go on with the database.
provider_calls = Section((settings.THREADS - 1) // 2)


@contextmanager
def calling_provider() -> Iterator[None]:
    """Takes places for a request to a payment provider. Raises NoPlace."""
    with provider_calls.place(), database_work.place():
        yield


class Places(threading.local):
    """The places that the current thread holds."""

    def __init__(self) -> None:
        self._taken: list[Section] = []

    def enter(self, *, in_transaction: bool) -> None:
        """Takes places until `leave`, if the thread serves a request and holds none yet. Raises NoPlace."""
        if self._taken or seconds_left() is None:
            return
        for section in [transactions, database_work] if in_transaction else [database_work]:
            try:
                section.enter()
            except NoPlace:
                self.leave()
                raise
            self._taken.append(section)

    def leave(self) -> None:
        while self._taken:
            self._taken.pop().leave()


places = Places()


@dataclass
class _Row:
    section: Section = field(default_factory=lambda: Section(1))
    users: int = 0


_rows: dict[Hashable, _Row] = {}
_rows_lock = threading.Lock()


@contextmanager
def waiting_for_row(*key: Hashable) -> Iterator[None]:
    """Lets only one thread of the worker wait for the lock of this row. Raises NoPlace.

    On SQLite this does nothing, because SQLite has no row locks.
    """
    if seconds_left() is None or IS_SQLITE:
        yield
        return
    with _rows_lock:
        row = _rows.setdefault(key, _Row())
        row.users += 1
    try:
        row.section.enter()
        try:
            yield
        finally:
            row.section.leave()
    finally:
        with _rows_lock:
            row.users -= 1
            if not row.users:
                del _rows[key]


class Availability:
    """Records whether the database is unavailable. While it is, one thread at a time tries to connect."""

    def __init__(self) -> None:
        self.is_down = False
        self._trying = threading.Lock()
        self._owner: int | None = None

    def take_turn(self) -> bool:
        """Return whether this thread may try to connect; it may until it calls `end_turn`."""
        if self._owner == threading.get_ident():
            return True
        if not self._trying.acquire(blocking=False):
            return False
        self._owner = threading.get_ident()
        return True

    def end_turn(self) -> None:
        """Lets another thread try to connect, if it is this thread's turn."""
        if self._owner == threading.get_ident():
            self._owner = None
            self._trying.release()

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Records whether connecting succeeds. Raises NoPlace if another thread already tries to connect."""
        had_turn = self._owner == threading.get_ident()
        if self.is_down and seconds_left() is not None and not self.take_turn():
            raise NoPlace("The database is unavailable, and another request is already trying to connect.")
        is_connected = False
        try:
            yield
            is_connected = True
        finally:
            self.is_down = not is_connected
            if not had_turn:
                self.end_turn()


availability = Availability()
