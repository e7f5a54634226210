"""Requests that are safe to send again."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.serializers.json import DjangoJSONEncoder

from booking.models import IdempotencyKey, Show, User
from booking.services.refusals import Refusal

T = TypeVar("T")


class IdempotencyKeyReused(Refusal):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request.")


class Replay(Exception):
    """The request was carried out before; `answer` is what it was answered then."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True)
class Receipt(Generic[T]):
    """Ties a request to the key its sender gave it, within one user and show.

    It is kept in the transaction of what the request does, so that either both are there or neither.
    `shape` makes the answer of the result.
    """

    key: str
    action: str
    body: dict[str, Any]
    shape: Callable[[T], dict[str, Any]]

    @property
    def request(self) -> str:
        """A digest by which another request under the same key is told apart."""
        return hashlib.sha256(json.dumps([self.action, self.body], sort_keys=True).encode()).hexdigest()

    def is_known(self, user: User, show_id: int) -> bool:
        """Whether a request was carried out under the key."""
        return IdempotencyKey.objects.filter(user=user, show=show_id, key=self.key).exists()

    def look_up(self, user: User, show: Show) -> None:
        """Raises Replay where this very request was carried out, IdempotencyKeyReused where another one was.

        In a write_transaction, which sees to it that what was done is not told too early.
        """
        kept = IdempotencyKey.objects.filter(user=user, show=show, key=self.key).first()
        if kept is None:
            return
        if kept.request != self.request:
            raise IdempotencyKeyReused
        raise Replay(json.loads(kept.answer))

    def keep(self, user: User, show: Show, result: T) -> None:
        """Remembers the answer; the caller holds the show's lock and has looked it up."""
        # As text: PostgreSQL's JSON would give the fields back in another order.
        answer = json.dumps(self.shape(result), cls=DjangoJSONEncoder)
        IdempotencyKey.objects.create(user=user, show=show, key=self.key, request=self.request, answer=answer)
