"""A connection that sends several statements in one round trip and never outlives the request's deadline.

This is the only module that uses psycopg's lower layers (its generators and Transformer): its cursors take more CPU,
and its pipeline waits for BEGIN and COMMIT apart. tests/movieticket/test_postgresql.py says what it relies on.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import Diagnostic
from psycopg.pq import ExecStatus, TransactionStatus

from movieticket.admission import availability, places
from movieticket.deadline import seconds_left

logger = logging.getLogger(__name__)

# A statement with $1, $2, … for its parameters, and the parameters.
Call = tuple[str, Sequence[Any]]
# What is sent of a call: the statement's name, or its text, and the values.
Command = tuple[bytes, Any]
# Whatever the server's default: a statement after a lock has to see what was committed before the lock was granted.
BEGIN: Call = ("BEGIN ISOLATION LEVEL READ COMMITTED", ())
COMMIT: Call = ("COMMIT", ())

# What holds for each of our sessions, whatever the server's defaults.
SESSION_SETTINGS = {
    "lock_timeout": "2s",
    # A worker that froze within a transaction, or whose machine vanished, keeps its locks for at most 10 seconds.
    "idle_in_transaction_session_timeout": "8s",
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
}
# What of it a transaction sets for itself behind a pool, where it shares its session with others.
TRANSACTION_SETTINGS = ("lock_timeout", "idle_in_transaction_session_timeout")

# The server's function that a commit waits in for its replica; it warns when it stops waiting early.
WAIT_FOR_REPLICA = "SyncRepWaitForLSN"

POOL_FOUND = (
    "DATABASE_URL goes through a connection pool, so statements are not prepared. Set DATABASE_POOLED=true if the pool "
    "is in transaction mode, DATABASE_POOLED=false if it is in session mode or keeps prepared statements."
)


class Connection(psycopg.Connection[Any]):
    # Whether it leads to a pool in transaction mode, where each transaction may be in another session.
    is_pooled = False
    _is_configured = False

    def configure(self, pooled: bool | None) -> None:
        """Prepares a new connection; with `pooled` None it finds out whether it leads to a pool."""
        if self._is_configured:
            return
        # Django sets it afterwards; without it these statements would begin a transaction.
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
        """A pool such as PgBouncer gives each client a process id of its own, not that of the server's process."""
        row = self.execute("SELECT pg_backend_pid()").fetchone()
        found = row is not None and row[0] != self.pgconn.backend_pid
        if found:
            logger.warning(POOL_FOUND)
        return found

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, but no longer than the request may still take. Raises OperationalError then.

        Until the transaction ends, the thread has a place among those that may wait. Raises NoPlace where none is free.

        It closes the connection rather than cancel the statement. A COMMIT that waits for a replica has happened on
        the primary already: cancelled, it would let everybody see what may still be lost. Left alone, it goes on
        waiting in the server, and keeps its changes and locks to itself, until a replica has them too.
        """
        places.enter(in_transaction=not self.autocommit)
        try:
            return super().wait(gen, interval, seconds_left() if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
                availability.is_away = True
            raise
        finally:
            if self.pgconn.transaction_status in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
                places.leave()

    def close(self) -> None:
        super().close()
        places.leave()

    def set_autocommit(self, value: bool) -> None:
        """As psycopg's, which takes a lock and waits for nothing where no transaction is open."""
        if self._is_idle:
            self._autocommit = bool(value)
        else:
            super().set_autocommit(value)

    def commit(self) -> None:
        """Raises OperationalError too where a replica should have the transaction and may not have it."""
        if self._is_idle:
            # `run` has sent the COMMIT already.
            return
        self._warnings_from.clear()
        super().commit()
        self._check_replica_was_waited_for()

    def rollback(self) -> None:
        """As psycopg's, which waits for nothing where no transaction is open."""
        if not self._is_idle:
            super().rollback()

    def run(self, calls: Sequence[Call], *, commit: bool = False) -> list[list[tuple[Any, ...]]]:
        """Sends the calls in one round trip and returns the rows of each.

        The BEGIN that is due goes with them, and with `commit` the COMMIT. After a statement that failed the server
        carries out nothing more. Raises what psycopg raises.
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
        """Raises OperationalError where the server committed without waiting for its replica.

        It says so in a warning, in its own language; the function that the warning comes from is the same in all.
        """
        if WAIT_FOR_REPLICA in self._warnings_from:
            raise psycopg.OperationalError("The commit was not waited for until a replica had it.")

    @cached_property
    def _warnings_from(self) -> set[str | None]:
        sources: set[str | None] = set()

        def note(warning: Diagnostic) -> None:
            # Now, because psycopg clears the warning afterwards.
            sources.add(warning.source_function)

        self.add_notice_handler(note)
        return sources

    def _commands(self, calls: Sequence[Call]) -> list[Command]:
        parameters = [parameter for _, own in calls for parameter in own]
        # As text, so that the server takes their types from the statement: psycopg would choose a number's type by
        # its size, and each choice would have a plan of its own.
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
        """The name under which the server knows the statement, prepared on its first use.

        The name is a digest of the text: through a pool, a session may know statements that other clients prepared,
        but never another text under this name.
        """
        statement = text.encode()
        name = b"movieticket_" + sha256(statement).hexdigest()[:32].encode()
        try:
            self._send([(name, statement)], self.pgconn.send_prepare)
        except errors.DuplicatePreparedStatement:
            if not self._is_idle:
                # The transaction has failed; when it is run again the name is known.
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
                    # A migration has outdated the plan, or the server has forgotten the statement.
                    self._names.clear()
                raise error
        return results

    def _exchange(self, send: Callable[..., None], commands: Sequence[Command]) -> Any:
        """Sends the commands and returns their results, as one of psycopg's generators."""
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
            # The answer to the sync.
            yield from generators.fetch_many(pgconn)
            pgconn.exit_pipeline_mode()
        except BaseException:
            # It is unknown what else is under way on the connection.
            pgconn.finish()
            raise
        return results

    @cached_property
    def _transformer(self) -> Any:
        # With psycopg's own loaders, which are written in C; Django's are in Python.
        return Transformer(SimpleNamespace(adapters=psycopg.adapters, connection=self))
