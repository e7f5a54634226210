"""Django's SQLite backend with one queue for the write transactions of a process.

SQLite has one writer at a time, and a connection that finds it busy polls with growing pauses, so
that under load an unlucky thread starves until its time-out. Threads that queue on a lock of the
process instead are served in a fraction of the time; SQLite's own `timeout` remains for other
processes on the same file.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from movieticket.admission import places
from movieticket.deadline import seconds_left

# One for each database file of the process.
_write_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class DatabaseWrapper(base.DatabaseWrapper):
    """Holds its file's write lock from the start of a transaction to its end."""

    _holds_write_lock = False

    def send(self, calls: Sequence[tuple[str, Sequence[Any]]], *, commit: bool = False) -> list[list[Any]]:
        """Runs statements one by one and returns the rows of each; the transaction commits at its end."""
        rows = []
        adapt = self.ops.adapt_datetimefield_value
        for text, parameters in calls:
            with self.cursor() as cursor:
                cursor.execute(text, [adapt(value) if isinstance(value, datetime) else value for value in parameters])
                rows.append(cursor.fetchall())
        return rows

    def _start_transaction_under_autocommit(self) -> None:
        self._take_write_lock()
        try:
            # For other processes: SQLite's own pauses end with the request's deadline too.
            self.cursor().execute(f"PRAGMA busy_timeout = {round(1000 * self._patience)}")
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._release_write_lock()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        # Where Django ends a transaction, after a commit as after a rollback.
        try:
            super()._set_autocommit(autocommit)  # type: ignore[misc]
        finally:
            self._release_write_lock()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._release_write_lock()

    def _take_write_lock(self) -> None:
        places.enter(in_transaction=True)
        if not self._write_lock.acquire(timeout=self._patience):
            places.leave()
            raise OperationalError("database is locked")
        self._holds_write_lock = True

    @property
    def _patience(self) -> float:
        """How many seconds a transaction may wait for its turn."""
        timeout: float = self.settings_dict["OPTIONS"].get("timeout", 5)
        left = seconds_left()
        return timeout if left is None else min(timeout, left)

    def _release_write_lock(self) -> None:
        if self._holds_write_lock:
            self._holds_write_lock = False
            self._write_lock.release()
            places.leave()

    @property
    def _write_lock(self) -> threading.Lock:
        return _write_locks[str(self.settings_dict["NAME"])]
