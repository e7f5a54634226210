"""Which reads may go to the replica that REPLICA_URL names: those made within `reading_from` it, and no others.

A booking decides on the primary alone, and so does all that a user has to see at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS

REPLICA = "replica"

_source: ContextVar[str] = ContextVar("source", default=DEFAULT_DB_ALIAS)


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    """Has the ORM read from this database for the moment. What is written goes to the primary all the same."""
    token = _source.set(alias)
    try:
        yield
    finally:
        _source.reset(token)


class CatalogueRouter:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _source.get()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool:
        """They are rows of one database, by whichever server they were read."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Tables reach a replica as rows do, from the primary."""
        return db == DEFAULT_DB_ALIAS
