"""The interface of payment providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Protocol

from booking.models import Payment, Refund
from booking.services.refusals import Kind, Refusal


class ProviderUnavailable(Exception):
    """The provider gave no answer, or one that says that it can't answer now; the call may be repeated."""


class ProviderFailed(ProviderUnavailable):
    """The provider repeats an error of its own for the idempotency key; it would do what is asked for another key."""


class ProviderRefused(Exception):
    """The provider refuses the call, and would refuse it again; the message is for staff.

    `provider_id` is the provider's id of a refund that failed, if it has one.
    """

    def __init__(self, message: str = "", provider_id: str = "") -> None:
        super().__init__(message)
        self.provider_id = provider_id


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
    """An event of a provider.

    `payment_id`, `reference` (of the order) and `refund_id` are ours, which the provider repeats; `provider_id` and
    `provider_refund_id` are its own.
    """

    id: str
    kind: EventKind
    payload: str
    payment_id: int | None
    provider_id: str
    amount: Decimal
    currency: str
    refund_id: int | None = None
    problem: str = ""
    # An account that another installation uses too reports its payments, whose ids may be the same.
    reference: str = ""
    provider_refund_id: str = ""


@dataclass(frozen=True)
class StartedPayment:
    """The provider's id of the payment, and what the client needs to let the customer pay."""

    provider_id: str
    url: str | None = None
    client_secret: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    # The end of a payment that was started before, if it has ended; with the same id each time.
    event: Event | None = None


class Provider(Protocol):
    """Calls to one provider. Each may be repeated and then does nothing more, for which the id of the row is a key.

    All raise ProviderUnavailable and ProviderRefused. A refused payment has failed: the next request of the customer
    starts another one. One whose provider was unavailable is asked for again.
    """

    # Whether customers can pay with it by themselves.
    is_online: ClassVar[bool]
    # Whether they pay on a page of it, whose address `create_payment` returns.
    has_page: ClassVar[bool]

    def create_payment(self, payment: Payment, return_url: str) -> StartedPayment:
        """Asks the provider for a payment; the customer returns to `return_url`.

        It runs in a request, so it ends within DATABASE_SECONDS. A payment that has a `provider_id` exists already;
        tasks ask without a `return_url` how it ended.
        """

    def refund(self, refund: Refund) -> str:
        """Sends the money back and returns the provider's id of the refund, or "" if it is not carried out yet.

        With "", an event reports the end. The idempotency key has `refund.retries`, which counts how often staff asked
        again for a failed refund, and `refund.provider_errors`, which counts how often this method raised
        ProviderFailed. It must not have the time, because two calls with different keys may send the money twice.
        """

    def has_refund(self, refund: Refund) -> bool:
        """Return whether the provider has a refund for this row that has not failed. It runs in a request."""

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Event]:
        """Verifies and reads what the provider sent; no events if it changes nothing. Raises EventRejected.

        The provider of a message without content or signature has to be asked; that takes a place with
        `calling_provider`. An event that was applied before, by its id, is not applied again.
        """
