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
from typing import Any

from django.db.backends.postgresql import base
from django_zero_downtime_migrations.backends.postgres.schema import DatabaseSchemaEditor, UnsafeOperationWarning

from movieticket.postgresql.connection import Connection
from movieticket.postgresql.cursor import PreparedCursor, PreparedCursorWrapper

# The libraries' own migrations have such steps, on tables that are still empty then; tests/test_migrations.py holds
# ours to having none.
warnings.filterwarnings("ignore", category=UnsafeOperationWarning)


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        # Django has no say in the class, with a pool and without.
        connection.__class__ = Connection
        return connection

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0) or super().is_usable()

    def prepared_cursor(self) -> Any:
        """A cursor whose statements the server parses and plans once a connection rather than each time.

        Django's own cursors write the parameters into the text, as the ORM's SQL needs it in places.
        """
        self.ensure_connection()
        self.validate_thread_sharing()
        cursor: Any = PreparedCursor(self.connection)
        return self.make_debug_cursor(cursor) if self.queries_logged else PreparedCursorWrapper(cursor, self)
