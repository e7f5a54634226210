"""A connection that a request doesn't wait on for ever."""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from movieticket.deadline import seconds_left


class Connection(psycopg.Connection[Any]):
    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, but no longer than the request at hand may wait. Raises OperationalError then.

        The connection is closed then rather than the statement cancelled. A COMMIT that waits for a replica has
        happened on the primary already: cancelled, it would let everybody see what may still be lost. Left alone, it
        goes on waiting in the server, keeping what it did and its locks to itself, until a replica has it too.
        """
        try:
            return super().wait(gen, interval, seconds_left() if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
