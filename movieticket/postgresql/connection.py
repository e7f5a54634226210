"""A connection that sends several statements in one round trip and stops waiting at the request's deadline.

This is the only module that uses psycopg's lower layers (its generators and Transformer): psycopg's cursors take more
CPU, and its pipeline mode waits for BEGIN and COMMIT separately. tests/movieticket/test_postgresql.py tests the details
it needs.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.errors import Diagnostic
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.string import TextLoader

from movieticket.admission import availability, places
from movieticket.deadline import seconds_left

logger = logging.getLogger(__name__)

# A statement with placeholders $1, $2, …, and the parameters.
Call = tuple[str, Sequence[Any]]
# A call as it is sent: the statement's name or its text, and the encoded values.
Command = tuple[bytes, Any]
# A statement after a lock has to read everything that was committed before the lock was granted.
BEGIN: Call = ("BEGIN ISOLATION LEVEL READ COMMITTED", ())
COMMIT: Call = ("COMMIT", ())

# Settings of each session; they override the server's defaults.
SESSION_SETTINGS = {
    "lock_timeout": "2s",
    # A worker that is frozen within a transaction, or whose machine is gone, holds its locks for at most 10 seconds.
    "idle_in_transaction_session_timeout": "8s",
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
}
# Behind a pool, where sessions are shared, each transaction sets these itself.
TRANSACTION_SETTINGS = ("lock_timeout", "idle_in_transaction_session_timeout")

# The server's function in which a commit waits for its replica; it warns if it stops waiting early.
WAIT_FOR_REPLICA = "SyncRepWaitForLSN"

POOL_FOUND = (
    "DATABASE_URL goes through a connection pool, so statements are not prepared. Set DATABASE_POOLED=true if the pool "
    "is in transaction mode, DATABASE_POOLED=false if it is in session mode or supports prepared statements."
)


class Connection(psycopg.Connection[Any]):
    # Whether the connection leads to a pool in transaction mode, where each transaction may run in another session.
    is_pooled = False
    _is_configured = False

    def configure(self, pooled: bool | None) -> None:
        """Sets up a new connection. If `pooled` is None, the connection detects whether it leads to a pool."""
        if self._is_configured:
            return
        # Otherwise these statements would begin a transaction; Django sets autocommit later.
        self.autocommit = True
        self.is_pooled = self._is_through_a_pool() if pooled is None else pooled
        if self.is_pooled:
            self.prepare_threshold = None
        else:
            values = [text for setting in SESSION_SETTINGS.items() for text in setting]
            calls = ", ".join(["set_config(%s, %s, false)"] * len(SESSION_SETTINGS))
            self.execute(f"SELECT {calls}", values)
        self._is_configured = True

    def _is_through_a_pool(self) -> bool:
        """A pool such as PgBouncer reports a different process id to the client than the server process has."""
        row = self.execute("SELECT pg_backend_pid()").fetchone()
        found = row is not None and row[0] != self.pgconn.backend_pid
        if found:
            logger.warning(POOL_FOUND)
        return found

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Like psycopg's method, but raises OperationalError at the request's deadline.

        Until the transaction ends, the thread holds a place of admission.py. Raises NoPlace if none is left.

        At the deadline the connection is closed and the statement is not cancelled. A COMMIT that waits for a replica
        is already stored on the primary: cancelling it would make changes visible that may still be lost. Without a
        cancel, it keeps waiting in the server, with its changes invisible and its locks held, until a replica confirms.
        """
        places.enter(in_transaction=not self.autocommit)
        try:
            return super().wait(gen, interval, seconds_left() if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
                availability.is_down = True
            raise
        finally:
            if self.pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
                places.leave()

    def close(self) -> None:
        super().close()
        places.leave()

    def set_autocommit(self, value: bool) -> None:
        """Like psycopg's method, but without its lock and wait if no transaction is open."""
        if self._is_idle:
            self._autocommit = bool(value)
        else:
            super().set_autocommit(value)

    def commit(self) -> None:
        """Also raises OperationalError if the server stopped waiting for its synchronous replica."""
        if self._is_idle:
            # `run` has already sent the COMMIT.
            return
        self._warnings_from.clear()
        super().commit()
        self._check_replica_was_waited_for()

    def rollback(self) -> None:
        """Like psycopg's method, but without its wait if no transaction is open."""
        if not self._is_idle:
            super().rollback()

    def run(self, calls: Sequence[Call], *, commit: bool = False) -> list[list[tuple[Any, ...]]]:
        """Sends the calls in one round trip and returns the rows of each.

        A pending BEGIN is sent with them, and with `commit` the COMMIT. After a failed statement the server skips the
        rest. Raises psycopg's exceptions.
        """
        begin = () if self.autocommit or not self._is_idle else self._begin
        if not begin and not calls:
            return []
        commands = self._commands([*begin, *calls, COMMIT] if commit else [*begin, *calls])
        if commit:
            self._warnings_from.clear()
        results = self._send(commands)
        if commit:
            self._check_replica_was_waited_for()
        return [self._rows(result) for result in results[len(begin) : len(begin) + len(calls)]]

    @property
    def _is_idle(self) -> bool:
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    @cached_property
    def _begin(self) -> Sequence[Call]:
        names = TRANSACTION_SETTINGS if self.is_pooled else ()
        return [BEGIN, *((f"SET LOCAL {name} = '{SESSION_SETTINGS[name]}'", ()) for name in names)]

    def _rows(self, result: Any) -> list[tuple[Any, ...]]:
        if not result.ntuples:
            return []
        self._transformer.set_pgresult(result)
        rows: list[tuple[Any, ...]] = self._transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _check_replica_was_waited_for(self) -> None:
        """Raises OperationalError if the server committed without waiting for its replica.

        The server reports this in a warning. Its text is localised, but the name of its source function is not.
        """
        if WAIT_FOR_REPLICA in self._warnings_from:
            raise psycopg.OperationalError("The server did not wait until a replica had stored the commit.")

    @cached_property
    def _warnings_from(self) -> set[str | None]:
        sources: set[str | None] = set()

        def note(warning: Diagnostic) -> None:
            # psycopg clears the warning after this call.
            sources.add(warning.source_function)

        self.add_notice_handler(note)
        return sources

    def _commands(self, calls: Sequence[Call]) -> list[Command]:
        parameters = [parameter for _, own in calls for parameter in own]
        # As text, so that the server takes the types from the statement. psycopg chooses a number's type by its size,
        # and each type would get a separate plan.
        values = self._transformer.dump_sequence(parameters, [PyFormat.TEXT] * len(parameters))
        is_prepared, names = self.prepare_threshold is not None, self._names
        commands, begin = [], 0
        for text, own in calls:
            end = begin + len(own)
            statement = names.get(text) or self._prepare(text) if is_prepared else text.encode()
            commands.append((statement, values[begin:end]))
            begin = end
        return commands

    def _prepare(self, text: str) -> bytes:
        """Return the name of the prepared statement; prepares it on its first use.

        The name is a digest of the text, so that a statement which another client of a pool prepared under this name in
        the same session has the same text.
        """
        statement = text.encode()
        name = b"movieticket_" + sha256(statement).hexdigest()[:32].encode()
        try:
            self._send([(name, statement)], self.pgconn.send_prepare)
        except errors.DuplicatePreparedStatement:
            if not self._is_idle:
                # The transaction has failed; when it is run again, the name is used without preparing.
                self._names[text] = name
                raise
        self._names[text] = name
        return name

    @cached_property
    def _names(self) -> dict[str, bytes]:
        return {}

    def _send(self, commands: Sequence[Command], send: Callable[..., None] | None = None) -> list[Any]:
        if send is None:
            prepared = self.prepare_threshold is not None
            send = self.pgconn.send_query_prepared if prepared else self.pgconn.send_query_params
        with self.lock:
            results: list[Any] = self.wait(self._exchange(send, commands))
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                error = errors.error_from_result(result, encoding=self.info.encoding)
                if isinstance(error, errors.FeatureNotSupported | errors.InvalidSqlStatementName):
                    # A migration has invalidated the plan, or the server has dropped the statement.
                    self._names.clear()
                raise error
        return results

    def _exchange(self, send: Callable[..., None], commands: Sequence[Command]) -> Any:
        """Sends the commands and returns their results; a generator for psycopg's `wait`."""
        pgconn = self.pgconn
        if len(commands) == 1:
            send(*commands[0])
            return (yield from generators.execute(pgconn))
        pgconn.enter_pipeline_mode()
        try:
            for command in commands:
                send(*command)
            pgconn.pipeline_sync()
            yield from generators.send(pgconn)
            results = []
            for _ in commands:
                results += yield from generators.fetch_many(pgconn)
            # The response to the sync.
            yield from generators.fetch_many(pgconn)
            pgconn.exit_pipeline_mode()
        except BaseException:
            # The state of the pipeline is unknown, so the connection can't be used again.
            pgconn.finish()
            raise
        return results

    @cached_property
    def _transformer(self) -> Any:
        # With psycopg's loaders, which are written in C; Django's loaders are written in Python. Its JSONField expects
        # text.
        adapters = AdaptersMap(psycopg.adapters)
        for json_type in ("json", "jsonb"):
            adapters.register_loader(json_type, TextLoader)
        return Transformer(SimpleNamespace(adapters=adapters, connection=self))
