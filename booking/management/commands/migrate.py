"""Django's migrate, one process at a time for each database."""

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

# The key of the advisory lock: any number that no other user of the database takes.
LOCK_KEY = 0x6D6F7669657469
POLL_SECONDS = 0.2


class Command(migrate.Command):
    """Waits for another migration of the same database to finish before it reads which ones are applied.

    The lock belongs to the process: it ends with it, however the process ends.
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
    """An advisory lock on a connection of its own, as migrations commit, and open and close theirs.

    The lock is that of a transaction, so that it also works, and is released, behind a pool in transaction mode.
    READ COMMITTED: an idle transaction then has no snapshot that CREATE INDEX CONCURRENTLY would wait for.
    """
    parameters = connection.get_connection_params()
    for name in ("context", "cursor_factory"):
        parameters.pop(name, None)
    # The command reports a database that is away like every other command.
    with connection.wrap_database_errors:
        session = psycopg.connect(**parameters)
    with closing(session):
        session.isolation_level = psycopg.IsolationLevel.READ_COMMITTED

        def try_lock() -> bool:
            session.rollback()
            session.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            # Without parameters, so that no portal, and with it a snapshot, stays open.
            row = session.execute(sql.SQL("SELECT pg_try_advisory_xact_lock({})").format(LOCK_KEY)).fetchone()
            return bool(row and row[0])

        yield try_lock


@contextmanager
def _sqlite_lock(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A lock on a file beside the database; a database in memory has one process only."""
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
