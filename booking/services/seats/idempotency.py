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
from booking.services.transactions import Committed

T = TypeVar("T")
Result = TypeVar("Result")

# A key: 1 to 255 printable ASCII characters.
KEY_PATTERN = "[ -~]{1,255}"


class IdempotencyKeyReused(Refusal):
    code = "idempotency_key_reused"
    kind = Kind.UNPROCESSABLE
    example: ClassVar[dict[str, Any]] = {"detail": "This Idempotency-Key was used for another request."}


class Replay(Committed):
    """The request was carried out before; `response` is the body of its response.

    The response says that the first request was committed. Once a synchronous replica has confirmed the commit of the
    replay, it has the first commit too.
    """

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__()
        self.response = response


def records(p: Any) -> Any:
    """Select the record of an account's key for a show, if it has not expired."""
    return IdempotencyKey.objects.filter(show=p.show_id, user=p.key_user_id, key=p.key, created_at__gt=p.records_since)


read_records = Query(lambda p: records(p).values_list("request", "response"))
_insert = Insert(IdempotencyKey, replace_where_equal=("show", "user", "key"))


@dataclass(frozen=True)
class IdempotentRequest(Generic[T]):
    """A request with an Idempotency-Key, which is unique per user and show.

    `user` is the account that sent the request: the customer, or the member of staff who sells to one. The record is
    written in the same transaction as the request's changes. It expires after IDEMPOTENCY_HOURS. `represent` converts
    the service's result to the body of the response.
    """

    user: User
    key: str
    endpoint: str
    body: dict[str, Any]
    represent: Callable[[T], dict[str, Any]]

    def converting(self, convert: Callable[[Result], T]) -> "IdempotentRequest[Result]":
        """Return the same request for a service whose result is not yet the one that `represent` takes."""
        represent = self.represent
        return IdempotentRequest(
            self.user, self.key, self.endpoint, self.body, lambda result: represent(convert(result))
        )

    @property
    def digest(self) -> str:
        """A hash of the endpoint and the body."""
        text = json.dumps([self.endpoint, self.body], cls=DjangoJSONEncoder, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def values(self, now: datetime) -> dict[str, Any]:
        """Return the parameters of `records` besides show_id. `now` is UTC."""
        since = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
        return {"key_user_id": self.user.pk, "key": self.key, "records_since": since}

    def check(self, rows: Sequence[tuple[str, str]]) -> None:
        """Raises Replay if this request was carried out before, IdempotencyKeyReused if the key's request differs."""
        for digest, response in rows:
            if digest != self.digest:
                raise IdempotencyKeyReused
            raise Replay(json.loads(response))

    def record(self, show: Show, result: T, now: datetime) -> Call:
        """Return the statement that stores the response. The caller holds the show's lock and has called `check`."""
        # As text, because PostgreSQL's jsonb does not keep the order of the fields.
        response = json.dumps(self.represent(result), cls=DjangoJSONEncoder)
        return _insert.of(
            IdempotencyKey(
                user=self.user,
                show=show,
                key=self.key,
                request=self.digest,
                response=response,
                created_at=now,
            )
        )
