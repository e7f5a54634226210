"""What Django asks of a cursor, for statements that are prepared."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from movieticket.postgresql.connection import Connection


class Transaction(str):
    """Statements that make a whole transaction, from its BEGIN to its COMMIT."""

    statements: tuple[str, ...]

    def __new__(cls, *statements: str) -> "Transaction":
        self = super().__new__(cls, ";\n".join(statements))
        self.statements = statements
        return self


class PreparedCursor:
    """Gives the rows of one statement after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._text = ""
        self._results: list[Any] = []

    def execute(self, text: str, parameters: Sequence[Any]) -> None:
        """Runs a statement, or a Transaction, whose parameters stand one after another."""
        self._text = text
        if not isinstance(text, Transaction):
            self._results = self._connection.run([(text, parameters)])
            return
        left = list(parameters)
        calls = []
        for statement in text.statements:
            number = statement.replace("%%", "").count("%s")
            calls.append((statement, left[:number]))
            left = left[number:]
        self._results = self._connection.run(calls, commit=True)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._connection.rows(self._results[0])

    def fetchone(self) -> tuple[Any, ...] | None:
        rows = self.fetchall()
        return rows[0] if rows else None

    def nextset(self) -> bool:
        self._results = self._results[1:]
        return bool(self._results)

    @property
    def _query(self) -> Any:
        """Where Django looks for the text when it keeps a log of what was executed."""
        return SimpleNamespace(query=self._text.encode())

    def close(self) -> None:
        self._results = []
