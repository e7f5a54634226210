"""Stripe's PaymentIntents: the client confirms them with Stripe's library, so no card data reaches the service.

STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET switch it on. requirements-stripe.txt has the package.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

import stripe
from django.conf import settings

from booking.models import Payment, Refund
from booking.services.money.providers.base import (
    Event,
    EventKind,
    EventRejected,
    ProviderFailed,
    ProviderRefused,
    ProviderUnavailable,
    StartedPayment,
)

logger = logging.getLogger(__name__)

# Telemetry would write a file into the home directory and report the machine's platform.
stripe.enable_telemetry = False

# https://docs.stripe.com/currencies#zero-decimal without UGX, which has two decimals under #special-cases. They are
# Stripe's own: ISK, for example, has no decimals, and Stripe wants two zeros.
ZERO_DECIMALS = re.compile("BIF|CLP|DJF|GNF|JPY|KMF|KRW|MGA|PYG|RWF|VND|VUV|XAF|XOF|XPF")
# https://docs.stripe.com/currencies#three-decimal; Stripe refuses amounts whose last decimal is not 0.
THREE_DECIMALS = re.compile("BHD|JOD|KWD|OMR|TND")

# Shares of DATABASE_SECONDS, which the whole request has: for connecting, and for each wait for the answer.
CONNECT_SHARE, ANSWER_SHARE = 0.2, 0.6

SIGNATURE = "Stripe-Signature"
SUCCEEDED = "payment_intent.succeeded"
PAYMENT_KINDS = {
    SUCCEEDED: EventKind.PAID,
    "payment_intent.payment_failed": EventKind.FAILED,
    "payment_intent.canceled": EventKind.FAILED,
}
REFUND_EVENTS = {"refund.created", "refund.updated", "refund.failed"}
REFUND_KINDS = {
    "succeeded": EventKind.REFUNDED,
    "failed": EventKind.REFUND_FAILED,
    "canceled": EventKind.REFUND_FAILED,
}
PAYLOAD_FIELDS = ("id", "status", "amount", "currency", "metadata", "failure_reason")
# The header of an answer that Stripe repeats for an idempotency key.
REPEATED = "Idempotent-Replayed"
# These answers would be the same again.
REFUSALS = (stripe.InvalidRequestError, stripe.CardError, stripe.IdempotencyError)


def _decimals(currency: str) -> int:
    if ZERO_DECIMALS.fullmatch(currency):
        return 0
    return 3 if THREE_DECIMALS.fullmatch(currency) else 2


def minor_units(amount: Decimal, currency: str) -> int:
    """Return the amount as the whole number that Stripe takes. Raises ProviderRefused."""
    units = amount.scaleb(_decimals(currency))
    if units != units.to_integral_value():
        raise ProviderRefused(f"Stripe does not accept {amount.normalize()} {currency}.")
    return int(units)


def major_units(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-_decimals(currency))


class Stripe:
    is_online: ClassVar[bool] = True
    has_page: ClassVar[bool] = False

    def create_payment(self, payment: Payment, return_url: str) -> StartedPayment:
        """Creates a PaymentIntent. The client passes `return_url` to Stripe's library itself."""
        with _calling(saves_failures=not payment.provider_id):
            if payment.provider_id:
                # Stripe forgets the idempotency key after a day; the payment may be older.
                intent = _client().v1.payment_intents.retrieve(payment.provider_id)
            else:
                intent = self._create_intent(payment)
            status, event = intent["status"], None
            if status == "succeeded":
                # Stripe's own event about it was lost, or is still on its way.
                paid = {"id": f"read-{intent['id']}", "type": SUCCEEDED, "data": {"object": intent.to_dict()}}
                event = _read_event(paid)
            started = StartedPayment(intent["id"], client_secret=intent["client_secret"], event=event)
        if status == "canceled":
            raise ProviderRefused("The payment was cancelled at Stripe.")
        return started

    def _create_intent(self, payment: Payment) -> stripe.PaymentIntent:
        return _client().v1.payment_intents.create(
            {
                "amount": minor_units(payment.amount, payment.currency),
                "currency": payment.currency.lower(),
                "metadata": {"order": payment.reference, "payment": str(payment.pk)},
            },
            {"idempotency_key": f"payment-{payment.reference}-{payment.pk}"},
        )

    def refund(self, refund: Refund) -> str:
        with _calling():
            made = self._find_refund(refund) or self._create_refund(refund)
            status, provider_id = made["status"], made["id"]
        if REFUND_KINDS.get(status) == EventKind.REFUND_FAILED:
            raise ProviderRefused(_problem_of(made.to_dict()), provider_id)
        # An event reports the end of a pending one.
        return provider_id if status == "succeeded" else ""

    def has_refund(self, refund: Refund) -> bool:
        with _calling():
            return self._find_refund(refund) is not None

    def _find_refund(self, refund: Refund) -> stripe.Refund | None:
        """Return the refund that an earlier call made, however long ago, and that has not failed."""
        made = _client().v1.refunds.list({"payment_intent": refund.payment.provider_id, "limit": 100})
        for one in made.auto_paging_iter():
            metadata = one.to_dict().get("metadata") or {}
            if metadata.get("refund") == str(refund.pk) and one["status"] not in {"failed", "canceled"}:
                return one
        return None

    def _create_refund(self, refund: Refund) -> stripe.Refund:
        # Stripe repeats its answer to a key for a day, a failure too. So the key changes once Stripe has repeated a
        # failure, and not before: then Stripe makes no refund for the earlier key any more.
        attempt = f"{refund.retries}-{refund.provider_errors}"
        return _client().v1.refunds.create(
            {
                "payment_intent": refund.payment.provider_id,
                "amount": minor_units(refund.amount, refund.currency),
                "metadata": {
                    "order": refund.reference,
                    "payment": str(refund.payment_id),
                    "refund": str(refund.pk),
                },
            },
            {"idempotency_key": f"refund-{refund.reference}-{refund.pk}-{attempt}"},
        )

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Event]:
        try:
            stripe.WebhookSignature.verify_header(
                body, headers.get(SIGNATURE), settings.STRIPE_WEBHOOK_SECRET, stripe.Webhook.DEFAULT_TOLERANCE
            )
            # A signature of other characters than ASCII is a TypeError, a body that is not UTF-8 a ValueError.
        except (stripe.SignatureVerificationError, TypeError, ValueError) as error:
            raise EventRejected from error
        try:
            event = _read_event(json.loads(body))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise EventRejected("The event can't be read.") from error
        return [event] if event else []


def _read_event(event: dict[str, Any]) -> Event | None:
    reported = event["data"]["object"]
    metadata = reported.get("metadata") or {}
    if "order" not in metadata or not str(metadata.get("payment")).isdecimal():
        # Of another application that uses the account.
        return None
    currency = reported["currency"].upper()
    common = {
        "id": event["id"],
        # Not as a whole: it may have the client's secret and the customer's address.
        "payload": json.dumps({"type": event["type"]} | {name: reported.get(name) for name in PAYLOAD_FIELDS}),
        "payment_id": int(metadata["payment"]),
        "reference": metadata["order"],
        "currency": currency,
    }
    if kind := PAYMENT_KINDS.get(event["type"]):
        received = reported["amount_received"] if kind == EventKind.PAID else reported["amount"]
        amount = major_units(received, currency)
        return Event(**common, kind=kind, amount=amount, provider_id=reported["id"])
    kind = REFUND_KINDS.get(reported.get("status", "")) if event["type"] in REFUND_EVENTS else None
    if kind is None:
        return None
    return Event(
        **common,
        kind=kind,
        amount=major_units(reported["amount"], currency),
        provider_id=reported["payment_intent"],
        refund_id=int(metadata["refund"]),
        provider_refund_id=reported["id"],
        problem=_problem_of(reported) if kind == EventKind.REFUND_FAILED else "",
    )


def _problem_of(refund: Mapping[str, Any]) -> str:
    return f"Stripe: {refund.get('failure_reason') or refund['status']}"


@lru_cache
def _client_for(key: str, base: str, seconds: float) -> stripe.StripeClient:
    timeouts = (CONNECT_SHARE * seconds, ANSWER_SHARE * seconds)
    # It has a session for each thread. The package's own retries would sleep in the request.
    client = stripe.RequestsClient(timeout=timeouts)
    return stripe.StripeClient(key, base_addresses={"api": base}, http_client=client, max_network_retries=0)


def _client() -> stripe.StripeClient:
    return _client_for(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, settings.DATABASE_SECONDS)


@contextmanager
def _calling(*, saves_failures: bool = False) -> Iterator[None]:
    """Raises ProviderUnavailable and ProviderRefused for Stripe's errors, and logs them without Stripe's own text.

    With `saves_failures`, a failure of Stripe is a refusal, because Stripe repeats it for the same idempotency key.
    """
    try:
        yield
    except stripe.StripeError as error:
        status = error.http_status or 0
        answer = f"{type(error).__name__}, status {status}, code {error.code}, request {error.request_id}"
        logger.warning("The request to Stripe failed: %s", answer)
        if isinstance(error, REFUSALS) or (saves_failures and status >= 500):
            raise ProviderRefused(f"Stripe: {error.user_message}") from None
        if status >= 500 and REPEATED in (error.headers or {}):
            raise ProviderFailed(answer) from None
        raise ProviderUnavailable(answer) from None
    except (AttributeError, KeyError, TypeError) as error:
        logger.warning("Stripe's answer can't be read: %s", type(error).__name__)
        raise ProviderUnavailable("Stripe's answer can't be read.") from None
