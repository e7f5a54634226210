"""What all refusals share; each one stands where it is raised."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar


class Kind(Enum):
    """Why a request is refused; booking/exception_handler.py maps each kind to a status."""

    INVALID = "invalid"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    UNPROCESSABLE = "unprocessable"
    BUSY = "busy"


class Refusal(Exception):
    """A request that the rules don't allow. Nothing was changed."""

    code: ClassVar[str]
    kind: ClassVar[Kind] = Kind.CONFLICT
    # An answer's body as the API's document shows it, without its code; its sentence is the default one.
    example: ClassVar[dict[str, Any]] = {}
    # The input that a form should mark, where it is a single one.
    field: str | None = None

    def __init__(self, detail: str = "", **extra: Any) -> None:
        self.detail = detail or str(self.example.get("detail", ""))
        super().__init__(self.detail)
        self.extra = extra


class NotFound(Refusal):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"
    kind = Kind.NOT_FOUND
    example: ClassVar[dict[str, Any]] = {"detail": "Not found."}


class InvalidInput(Refusal):
    """A value that can't be used, with every reason."""

    code = "invalid"
    kind = Kind.INVALID

    def __init__(self, field: str, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.field = field
        self.reasons = list(reasons)


class Busy(Refusal):
    """Nothing was decided: another request holds the lock, or the database is away."""

    code = "busy"
    kind = Kind.BUSY
    example: ClassVar[dict[str, Any]] = {"detail": "The service is busy, please try again."}

    @classmethod
    def caused_by(cls, error: Exception) -> "Busy":
        busy = cls()
        busy.__cause__ = error
        return busy
