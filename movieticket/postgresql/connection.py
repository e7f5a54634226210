"""A connection that a request doesn't wait on for ever, and that makes few trips to the server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from itertools import count, islice
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import Diagnostic
from psycopg.pq import ExecStatus, TransactionStatus

from movieticket.deadline import seconds_left

# A statement with %s for each of its parameters, and the parameters.
Call = tuple[str, Sequence[Any]]
# Whatever the server's default: what comes after a lock has to see what was committed before it was got.
BEGIN: Call = ("BEGIN ISOLATION LEVEL READ COMMITTED", ())
COMMIT: Call = ("COMMIT", ())

# The server's function that a commit waits in for its replica; it warns where it was told to wait no longer.
WAIT_FOR_REPLICA = "SyncRepWaitForLSN"


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

    def commit(self) -> None:
        """Raises OperationalError too where a replica should have the transaction and may not have it."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            # `run` has committed already, as a rule.
            return
        with self._replica_waited_for():
            super().commit()

    def run(self, calls: Sequence[Call], *, commit: bool = False) -> list[Any]:
        """The results of statements that the server parses and plans once a connection, all from one trip.

        The BEGIN that is due goes with them, and on demand the COMMIT: the server then carries out the transaction
        from begin to end without waiting for anybody here. One that has begun before goes on. After a statement that
        failed nothing more is done. Raises what psycopg does.

        psycopg's own cursors take more CPU, and its pipeline waits for BEGIN and COMMIT apart.
        """
        begins = not self.autocommit and self.pgconn.transaction_status == TransactionStatus.IDLE
        commits = begins and commit
        all_calls = [*[BEGIN] * begins, *calls, *[COMMIT] * commits]
        commands = self._commands(all_calls)
        if not commits:
            return self._sent(commands)[begins:]
        with self._replica_waited_for():
            return self._sent(commands)[1:-1]

    def rows(self, result: Any) -> list[tuple[Any, ...]]:
        """The rows of a result of `run`."""
        if not result.ntuples:
            return []
        self._transformer.set_pgresult(result)
        rows: list[tuple[Any, ...]] = self._transformer.load_rows(0, result.ntuples, tuple)
        return rows

    @contextmanager
    def _replica_waited_for(self) -> Iterator[None]:
        """The server says by a warning, in its language, that it didn't; what can be relied on is where it is from."""
        self._sources.clear()
        yield
        if WAIT_FOR_REPLICA in self._sources:
            raise psycopg.OperationalError("The commit was not waited for until a replica had it.")

    def _commands(self, calls: Sequence[Call]) -> list[Any]:
        parameters = [parameter for _, own in calls for parameter in own]
        # As text, so that the server finds their types in the statement: by its size, psycopg would take a number for
        # one type or another, each with a plan of its own.
        values = iter(self._transformer.dump_sequence(parameters, [PyFormat.TEXT] * len(parameters)))
        return [self._command(_numbered(text, len(own)), list(islice(values, len(own)))) for text, own in calls]

    def _command(self, statement: bytes, values: Sequence[Any]) -> Any:
        if self.prepare_threshold is None:
            return partial(self.pgconn.send_query_params, statement, values)
        return partial(self.pgconn.send_query_prepared, self._name(statement), values)

    def _name(self, statement: bytes) -> bytes:
        """The name by which the server knows it."""
        if statement not in self._names:
            # Never one again, as the server may know it still.
            name = b"movieticket_%d" % next(self._numbers)
            self._sent([partial(self.pgconn.send_prepare, name, statement)])
            self._names[statement] = name
        return self._names[statement]

    def _sent(self, commands: Sequence[Any]) -> list[Any]:
        with self.lock:
            results: list[Any] = self.wait(self._exchange(commands))
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                error = errors.error_from_result(result, encoding=self.info.encoding)
                if isinstance(error, errors.FeatureNotSupported | errors.InvalidSqlStatementName):
                    # A migration has outdated its plan, or the server has forgotten it. A pool may keep the connection.
                    self._names.clear()
                raise error
        return results

    def _exchange(self, commands: Sequence[Any]) -> Any:
        """Sends them and gives their results, in the way of psycopg's generators."""
        pgconn = self.pgconn
        if len(commands) == 1:
            commands[0]()
            return (yield from generators.execute(pgconn))
        pgconn.enter_pipeline_mode()
        try:
            for command in commands:
                command()
            pgconn.pipeline_sync()
            yield from generators.send(pgconn)
            results = []
            for _ in commands:
                results += yield from generators.fetch_many(pgconn)
            # The answer to the sync.
            yield from generators.fetch_many(pgconn)
            pgconn.exit_pipeline_mode()
        except BaseException:
            # Nobody knows what else is under way on it.
            pgconn.finish()
            raise
        return results

    @cached_property
    def _sources(self) -> set[str | None]:
        """The functions of the server that warned of something."""
        sources: set[str | None] = set()

        def note(warning: Diagnostic) -> None:
            # Now: later there is nothing left to read in it.
            sources.add(warning.source_function)

        self.add_notice_handler(note)
        return sources

    @cached_property
    def _names(self) -> dict[bytes, bytes]:
        return {}

    @cached_property
    def _numbers(self) -> Iterator[int]:
        return count()

    @cached_property
    def _transformer(self) -> Any:
        return Transformer(self)


@lru_cache(maxsize=1000)
def _numbered(text: str, parameters: int) -> bytes:
    """The statement as the server wants it, with $1 for the first parameter."""
    return (text % tuple(f"${n}" for n in range(1, parameters + 1))).encode()
