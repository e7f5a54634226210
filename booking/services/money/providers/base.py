"""The interface of payment providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Protocol

from booking.models import Payment, Refund
from booking.services.refusals import Kind, Refusal


class ProviderUnavailable(Exception):
    """The provider gave no answer, or one that says that it can't answer now; the call may be repeated."""


class ProviderRefused(Exception):
    """The provider refuses the call, and would refuse it again; the message is for staff."""


class EventRejected(Refusal):
    """The event is not signed by the provider, or can't be read."""

    code = "event_rejected"
    kind = Kind.INVALID
    field = ""
    example: ClassVar[dict[str, Any]] = {"detail": "The event is not signed by the provider."}


class EventKind(Enum):
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"


@dataclass(frozen=True)
class Event:
    """What a provider reports. `payment_id` and `refund_id` are the ids of our rows, which the provider repeats."""

    id: str
    kind: EventKind
    payload: str
    payment_id: int | None
    provider_id: str
    amount: Decimal
    currency: str
    refund_id: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class StartedPayment:
    """The provider's id of the payment, and what the client needs to let the customer pay."""

    provider_id: str
    url: str | None = None
    client_secret: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """Calls to one provider. Each may be repeated: the id of the row is the provider's idempotency key.

    All raise ProviderUnavailable and ProviderRefused.
    """

    # Whether customers can pay with it by themselves.
    is_online: ClassVar[bool]

    def create_payment(self, payment: Payment, return_url: str) -> StartedPayment:
        """Asks the provider for a payment; the customer returns to `return_url`."""

    def refund(self, refund: Refund) -> str:
        """Sends the money back and returns the provider's id of the refund, or "" if it is not carried out yet."""

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Event | None:
        """Verifies and reads an event; None for an event that changes nothing. Raises EventRejected."""
