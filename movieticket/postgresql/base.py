"""Django's PostgreSQL backend for a server that may be one of several, and may be gone at any moment.

Its migrations lock no table for longer than a moment (django-pg-zero-downtime-migrations): indexes are built
concurrently, constraints checked after they are made, and nothing is undone by a transaction; what broke off is
started again.

Before a kept connection serves another request, Django asks the server `SELECT 1`: a round trip for each
request. A server that ended the connection has closed its socket, and the kernel knows; only then, or where
something else came in unasked, is the server asked. A peer that vanished without a word is found by TCP keepalives.

No request waits on a server beyond its deadline (connection.py), and a commit that is on one machine alone where it
should be on two is not taken for one.
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

# The libraries' own migrations have such steps, on tables that are still empty then;
# tests/models/test_migrations.py holds ours to having none.
warnings.filterwarnings("ignore", category=UnsafeOperationWarning)


class Driver:
    """psycopg as Django's backend uses it, with connections of our class."""

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
            # A cursor in the server would outlive its transaction, and so its session.
            self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        return connection

    def literal(self, value: Any) -> str:
        """The value as SQL, without a connection, which quoting by Django's operations would open."""
        return psycopg.sql.quote(value.value if isinstance(value, Enum) else value)

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()

    def create_cursor(self, name: str | None = None) -> Any:
        if self.connection.is_pooled:
            # The BEGIN that is due brings the session's settings; psycopg's own BEGIN would not.
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
