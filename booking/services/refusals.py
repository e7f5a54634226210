"""What all refusals share; each one stands where it is raised."""

from collections.abc import Sequence
from typing import Any, ClassVar


class Refusal(Exception):
    """A request that the rules don't allow. Nothing was changed."""

    code: ClassVar[str]
    # The input that a form should mark, where it is a single one.
    field: str | None = None

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class NotFound(Refusal):
    """There is no such thing, or it is not the caller's to know of."""

    code = "not_found"

    def __init__(self, detail: str = "Not found.") -> None:
        super().__init__(detail)


class InvalidInput(Refusal):
    """A value that can't be taken, with every reason."""

    code = "invalid"

    def __init__(self, field: str, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.field = field
        self.reasons = list(reasons)


class Busy(Refusal):
    """Nothing was decided: another request holds the lock, or the database is away."""

    code = "busy"

    def __init__(self, detail: str = "The service is busy, please try again.") -> None:
        super().__init__(detail)

    @classmethod
    def caused_by(cls, error: Exception) -> "Busy":
        busy = cls()
        busy.__cause__ = error
        return busy
