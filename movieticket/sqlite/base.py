"""Django's SQLite backend with one queue for the write transactions of a process.

SQLite allows one writer at a time. A connection that finds the database locked polls with growing
pauses, so under load a thread may starve until its timeout. Here threads queue on a lock of the
process, which takes a fraction of the time. SQLite's own `timeout` still applies between processes.
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

# One per database file.
_write_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class DatabaseWrapper(base.DatabaseWrapper):
    """Holds the write lock of its database file from the start of a transaction to its end."""

    _holds_write_lock = False

    def send(self, calls: Sequence[tuple[str, Sequence[Any]]], *, commit: bool = False) -> list[list[Any]]:
        """Runs statements one by one and returns the rows of each. `commit` is ignored: `atomic()` commits."""
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
            # SQLite's own wait for other processes also ends at the request's deadline.
            self.cursor().execute(f"PRAGMA busy_timeout = {round(1000 * self._lock_timeout)}")
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._release_write_lock()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        # Django calls this after each commit and rollback.
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
        if not self._write_lock.acquire(timeout=self._lock_timeout):
            places.leave()
            raise OperationalError("database is locked")
        self._holds_write_lock = True

    @property
    def _lock_timeout(self) -> float:
        """The number of seconds for which a transaction may wait for the write lock."""
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
