"""Requests that are safe to send again under the same Idempotency-Key."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from booking.infrastructure.statements import Call, Insert, Query
from booking.models import IdempotencyKey, Show, User
from booking.services.refusals import Kind, Refusal

T = TypeVar("T")


class IdempotencyKeyReused(Refusal):
    code = "idempotency_key_reused"
    kind = Kind.UNPROCESSABLE
    example: ClassVar[dict[str, Any]] = {"detail": "This Idempotency-Key was used for another request."}


class Replay(Exception):
    """The request was carried out before; `answer` is its answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


def records(p: Any) -> Any:
    """The record of a user's key in a show, if it has not expired."""
    return IdempotencyKey.objects.filter(show=p.show_id, user=p.user_id, key=p.key, created_at__gt=p.records_since)


read_records = Query(lambda p: records(p).values_list("request", "answer"))
_insert = Insert(IdempotencyKey, replace_where_equal=("show", "user", "key"))


@dataclass(frozen=True)
class IdempotentRequest(Generic[T]):
    """A request with the key that its sender gave it, unique within one user and show.

    Its record is written in the transaction of what the request does, so both are stored or neither. It expires after
    IDEMPOTENCY_HOURS. `represent` makes the answer from the service's result.
    """

    key: str
    endpoint: str
    body: dict[str, Any]
    represent: Callable[[T], dict[str, Any]]

    @property
    def digest(self) -> str:
        """Differs between two requests that are not the same."""
        return hashlib.sha256(json.dumps([self.endpoint, self.body], sort_keys=True).encode()).hexdigest()

    def values(self, now: datetime) -> dict[str, Any]:
        """The values, besides show_id and user_id, by which `records` finds the request's record at `now` (UTC)."""
        return {"key": self.key, "records_since": now - timedelta(hours=settings.IDEMPOTENCY_HOURS)}

    def check(self, rows: Sequence[tuple[str, str]]) -> None:
        """Raises Replay where this request was carried out, IdempotencyKeyReused where another one was."""
        for digest, answer in rows:
            if digest != self.digest:
                raise IdempotencyKeyReused
            raise Replay(json.loads(answer))

    def record(self, user: User, show: Show, result: T, now: datetime) -> Call:
        """The statement that stores the answer; the caller holds the show's lock and has called `check`."""
        # As text: PostgreSQL's JSON would return the fields in another order.
        answer = json.dumps(self.represent(result), cls=DjangoJSONEncoder)
        return _insert.of(
            IdempotencyKey(user=user, show=show, key=self.key, request=self.digest, answer=answer, created_at=now)
        )
