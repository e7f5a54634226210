"""Django's migrate with a lock, so that only one process at a time migrates a database."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import psycopg
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

# The key of the advisory lock: an arbitrary number ("movieti" in ASCII).
LOCK_KEY = 0x6D6F7669657469
POLL_SECONDS = 0.2


class Command(migrate.Command):
    """Waits until no other process migrates the database, then reads which migrations are applied.

    The lock is released when the process ends, even after a crash.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check_unapplied"] or options["plan"]:
            super().handle(*args, **options)
            return
        with self._lock(connections[options["database"]]):
            super().handle(*args, **options)

    @contextmanager
    def _lock(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        lock = _postgresql_lock if connection.vendor == "postgresql" else _sqlite_lock
        with lock(connection) as try_lock:
            if not try_lock():
                self.stderr.write("Waiting for another migration to finish.")
                while not try_lock():
                    sleep(POLL_SECONDS)
            yield


@contextmanager
def _postgresql_lock(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """An advisory lock on a separate connection, because migrations commit and may close their own.

    It is a transaction-level lock, which also works behind a pool in transaction mode.
    READ COMMITTED: an idle transaction then has no snapshot that CREATE INDEX CONCURRENTLY would wait for.
    """
    parameters = connection.get_connection_params()
    for name in ("context", "cursor_factory"):
        parameters.pop(name, None)
    # Convert psycopg's errors to Django's, which manage.py reports.
    with connection.wrap_database_errors:
        session = psycopg.connect(**parameters)
    with closing(session):
        session.isolation_level = psycopg.IsolationLevel.READ_COMMITTED

        def try_lock() -> bool:
            session.rollback()
            session.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            # Without parameters, so that no portal with a snapshot stays open.
            row = session.execute(sql.SQL("SELECT pg_try_advisory_xact_lock({})").format(LOCK_KEY)).fetchone()
            return bool(row and row[0])

        yield try_lock


@contextmanager
def _sqlite_lock(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A lock on a file next to the database; a database in memory needs no lock."""
    name = str(connection.settings_dict["NAME"])
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        yield lambda: True
        return
    try:
        file = Path(f"{name}.migrate.lock").open("w")  # noqa: SIM115
    except OSError as error:
        raise OperationalError(f"unable to open database file: {error}") from error
    with file:

        def try_lock() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield try_lock
