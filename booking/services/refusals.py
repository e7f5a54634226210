"""The base classes of refusals; other refusals are defined where they are raised."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar, TypeVar

from django.db.models import QuerySet

Row = TypeVar("Row")


class Kind(Enum):
    """The kinds of refusals; booking/exception_handler.py maps each one to a status."""

    INVALID = "invalid"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    UNPROCESSABLE = "unprocessable"
    PAYMENT = "payment"
    BUSY = "busy"


class Refusal(Exception):
    """The rules don't allow the request. Nothing was changed."""

    code: ClassVar[str]
    kind: ClassVar[Kind] = Kind.CONFLICT
    # The response body in the OpenAPI document, without the code; its detail is the default detail.
    example: ClassVar[dict[str, Any]] = {}
    # The form field to which the error belongs, if there is one.
    field: str | None = None

    def __init__(self, detail: str = "", **extra: Any) -> None:
        self.detail = detail or str(self.example.get("detail", ""))
        super().__init__(self.detail)
        self.extra = extra


class NotFound(Refusal):
    """The object does not exist, or the caller may not see it."""

    code = "not_found"
    kind = Kind.NOT_FOUND
    example: ClassVar[dict[str, Any]] = {"detail": "Not found."}


def first_or_not_found(rows: QuerySet[Any, Row]) -> Row:
    """Return the first of the rows. Raises NotFound if there is none."""
    row = rows.first()
    if row is None:
        raise NotFound
    return row


class InvalidInput(Refusal):
    """A field has an invalid value; `reasons` lists the errors, and `codes` has the code of each one."""

    code = "invalid"
    kind = Kind.INVALID

    def __init__(self, field: str, reasons: Sequence[str], codes: Sequence[str] = ()) -> None:
        super().__init__(" ".join(reasons))
        self.field = field
        self.reasons = list(reasons)
        self.codes = list(codes) or [self.code] * len(self.reasons)


class Busy(Refusal):
    """Nothing was changed: another request holds the lock, or the database is unavailable."""

    code = "busy"
    kind = Kind.BUSY
    example: ClassVar[dict[str, Any]] = {"detail": "The service is busy, please try again."}

    @classmethod
    def caused_by(cls, error: Exception) -> "Busy":
        busy = cls()
        busy.__cause__ = error
        return busy
