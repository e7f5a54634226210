"""Django's PostgreSQL backend for a server that may fail over to a replica or become unavailable at any time.

Migrations hold locks on tables only briefly (django-pg-zero-downtime-migrations): indexes are built concurrently and
constraints are validated after they are created. Migrations don't run in a transaction; a failed one is run again.

Before a persistent connection serves another request, Django sends `SELECT 1`, which costs a round trip. This backend
polls the socket instead and sends `SELECT 1` only if the socket is closed or has unexpected data. TCP keepalives detect
a lost peer.

No request waits for the server beyond its deadline (connection.py), and a commit that should be on two machines but is
only on one raises an error.
"""

import select
import warnings
from collections.abc import Sequence
from enum import Enum
from functools import partial
from time import monotonic
from typing import Any

import psycopg
import psycopg.sql
from django.db.backends.postgresql import base
from django_zero_downtime_migrations.backends.postgres.schema import DatabaseSchemaEditor, UnsafeOperationWarning

from movieticket.admission import availability, places
from movieticket.deadline import seconds_left
from movieticket.postgresql.connection import Call, Connection

# Migrations of third-party apps contain such operations, on tables that are still empty;
# tests/models/test_migrations.py checks that this project's migrations contain none.
warnings.filterwarnings("ignore", category=UnsafeOperationWarning)


class Driver:
    """The psycopg module as Django's backend uses it, with this package's Connection class."""

    connect = staticmethod(Connection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
    Database: Any = Driver()

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(settings_dict, *args, **kwargs)
        options = self.settings_dict["OPTIONS"]
        if options.get("pool") is True:
            options["pool"] = {"connection_class": Connection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        left = seconds_left()
        if left is not None:
            conn_params["connect_timeout"] = max(1, min(int(conn_params["connect_timeout"]), int(left)))
        places.enter(in_transaction=False)
        try:
            with availability.connecting():
                connection = super().get_new_connection(conn_params)
        finally:
            places.leave()
        connection.configure(self.settings_dict["POOLED"])
        if connection.is_pooled:
            # Django's server-side cursors outlive their transaction, and so their session of the pool.
            self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        return connection

    def literal(self, value: Any) -> str:
        """Return the value as an SQL literal. Unlike Django's quoting, this does not open a connection."""
        return psycopg.sql.quote(value.value if isinstance(value, Enum) else value)

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()

    def create_cursor(self, name: str | None = None) -> Any:
        if self.connection.is_pooled:
            # The pending BEGIN is sent with the session's settings, which psycopg's own BEGIN does not send.
            self.connection.run([])
        return super().create_cursor(name)

    def send(self, calls: Sequence[Call], *, commit: bool = False) -> list[list[tuple[Any, ...]]]:
        """Sends statements in one round trip and returns the rows of each; see Connection.run.

        `commit` ends the transaction of `atomic()`, but not within a savepoint.
        """
        if self.connection is None or not self.health_check_done:  # type: ignore[attr-defined]
            self.close_if_health_check_failed()
            self.ensure_connection()
        self.validate_no_broken_transaction()
        commits = commit and self.in_atomic_block and not self.savepoint_ids
        text = ";\n".join([text for text, _ in calls])
        execute: Any = partial(self._run, calls, commits)
        for wrapper in reversed(self.execute_wrappers):
            execute = partial(wrapper, execute)
        if not self.queries_logged:
            return execute(text, None, False, {"connection": self, "cursor": None})  # type: ignore[no-any-return]
        begin = monotonic()
        try:
            return execute(text, None, False, {"connection": self, "cursor": None})  # type: ignore[no-any-return]
        finally:
            self.queries_log.append({"sql": text, "time": f"{monotonic() - begin:.3f}"})

    def _run(self, calls: Sequence[Call], commit: bool, *_: Any) -> list[list[tuple[Any, ...]]]:
        with self.wrap_database_errors:
            rows: list[list[tuple[Any, ...]]] = self.connection.run(calls, commit=commit)
            return rows
