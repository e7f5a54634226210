"""Keeps threads of a worker free while the database is slow, frozen or gone.

Whatever a thread waits for, others must go on: probes, reads while commits hang, requests for other shows while one
show stays locked. So each kind of waiting has a Section with fewer places than the worker has threads. All of it is
for requests only; commands wait as long as it takes.
"""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.db.utils import OperationalError

from movieticket.deadline import seconds_left

# How long a request waits for a place before it is refused; many times what a booking takes.
PATIENCE_SECONDS = 0.25


class NoPlace(OperationalError):
    """The request was refused before anything was sent to the database; nothing has to be repeated or looked up."""


class Section:
    """At most `places` threads at a time are inside. The others wait for PATIENCE_SECONDS and are refused.

    After a refusal the next ones are refused at once, until a thread leaves.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.Semaphore(max(1, places))
        self._is_stalled = False

    def enter(self) -> None:
        """Takes a place. Raises NoPlace."""
        if self._places.acquire(blocking=False):
            return
        if not self._is_stalled and self._places.acquire(timeout=PATIENCE_SECONDS):
            return
        self._is_stalled = True
        raise NoPlace("All threads that may wait for the database are waiting.")

    def leave(self) -> None:
        self._is_stalled = False
        self._places.release()


# The last thread answers probes, and refuses the rest.
database_work = Section(settings.THREADS - 1)
# A transaction may hang in its commit or in front of SQLite's write lock; reads go on beside it.
transactions = Section(settings.THREADS - 2)


class Places(threading.local):
    """The places that this thread has taken."""

    def __init__(self) -> None:
        self._taken: list[Section] = []

    def enter(self, *, in_transaction: bool) -> None:
        """Takes places until `leave`, if the thread serves a request and has none yet. Raises NoPlace."""
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
    """At most one thread of the worker waits for the lock of this row. Raises NoPlace."""
    if seconds_left() is None:
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
    """Whether the database is known to be away; one thread at a time tries to reach it then."""

    def __init__(self) -> None:
        self.is_away = False
        self._trying = threading.Lock()
        self._owner: int | None = None

    def take_turn(self) -> bool:
        """Whether this thread is the one that may try, until `end_turn`."""
        if self._owner == threading.get_ident():
            return True
        if not self._trying.acquire(blocking=False):
            return False
        self._owner = threading.get_ident()
        return True

    def end_turn(self) -> None:
        """Lets another thread try, if it was this thread's turn."""
        if self._owner == threading.get_ident():
            self._owner = None
            self._trying.release()

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Notes whether the database is there. Raises NoPlace where it is away and another thread tries already."""
        had_turn = self._owner == threading.get_ident()
        if self.is_away and seconds_left() is not None and not self.take_turn():
            raise NoPlace("The database is away, and another request tries to reach it.")
        is_connected = False
        try:
            yield
            is_connected = True
        finally:
            self.is_away = not is_connected
            if not had_turn:
                self.end_turn()


availability = Availability()
