"""What Django asks of a cursor, for statements that are prepared."""

from collections.abc import Sequence
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from django.db.backends.utils import CursorWrapper

from movieticket.postgresql.connection import Call, Connection


class Transaction(str):
    """Statements that make a whole transaction, from its BEGIN to its COMMIT."""

    _statements: list[tuple[str, slice]]

    def __new__(cls, *statements: str) -> "Transaction":
        self = super().__new__(cls, ";\n".join(statements))
        ends = [0, *accumulate(statement.replace("%%", "").count("%s") for statement in statements)]
        self._statements = list(zip(statements, map(slice, ends, ends[1:]), strict=True))
        return self

    def calls(self, parameters: Sequence[Any]) -> list[Call]:
        """Each statement with those of the parameters that are its own."""
        return [(statement, parameters[own]) for statement, own in self._statements]


class PreparedCursorWrapper(CursorWrapper):
    """Django's, which would ask the cursor what it can do, and the database for rows that are here."""

    cursor: "PreparedCursor"

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.cursor.fetchall()

    def fetch_each(self) -> list[list[tuple[Any, ...]]]:
        return self.cursor.fetch_each()

    def __exit__(self, *_: object) -> None:
        self.cursor.close()


class PreparedCursor:
    """Gives the rows of one statement after another."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._text = ""
        self._rows: list[list[tuple[Any, ...]]] = []

    def execute(self, text: str, parameters: Sequence[Any]) -> None:
        """Runs a statement, or a Transaction, whose parameters stand one after another, and reads its rows."""
        self._text = text
        if isinstance(text, Transaction):
            results = self._connection.run(text.calls(parameters), commit=True)
        else:
            results = self._connection.run([(text, parameters)])
        self._rows = [self._connection.rows(result) for result in results]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows[0]

    def fetch_each(self) -> list[list[tuple[Any, ...]]]:
        """The rows of each statement of a Transaction."""
        return self._rows

    @property
    def _query(self) -> Any:
        """Where Django looks for the text when it keeps a log of what was executed."""
        return SimpleNamespace(query=self._text.encode())

    def close(self) -> None:
        self._rows = []
