"""A provider for trying the service out, with DEBUG on: a local page with the buttons Pay and Decline."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.core import signing
from django.urls import reverse
from django.utils.crypto import constant_time_compare, get_random_string, salted_hmac

from booking.models import Payment, Refund
from booking.services.money.providers.base import Event, EventKind, EventRejected, StartedPayment
from booking.services.refusals import NotFound

SALT = "booking.demo-payment"
SIGNATURE = "Demo-Signature"
MAX_ID_LENGTH = 100


def sign(body: bytes) -> str:
    return salted_hmac(SALT, body, algorithm="sha256").hexdigest()


def make_event(payment: Payment, kind: EventKind) -> bytes:
    """Return the body of a new event about the payment."""
    event = {
        "id": f"demo-{get_random_string(12)}",
        "kind": kind.value,
        "payment": payment.pk,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }
    return json.dumps(event).encode()


def make_demo_event(*, payment: Payment, is_paid: bool) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a new event: the customer has paid, or has not."""
    body = make_event(payment, EventKind.PAID if is_paid else EventKind.FAILED)
    return body, {SIGNATURE: sign(body)}


def read_demo_token(*, token: str) -> dict[str, Any]:
    """Return the id of the payment and the `return_url` in the address of the provider's page. Raises NotFound."""
    try:
        content: dict[str, Any] = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise NotFound from None
    return content


def _read(body: bytes) -> list[Event]:
    event = json.loads(body)
    if event["kind"] not in {kind.value for kind in EventKind}:
        return []
    if not isinstance(event["id"], str) or len(event["id"]) > MAX_ID_LENGTH:
        raise ValueError(event["id"])
    payment = int(event["payment"])
    reported = Event(
        event["id"],
        EventKind(event["kind"]),
        body.decode(),
        payment,
        f"demo-{payment}",
        Decimal(event["amount"]),
        event["currency"],
        event.get("refund"),
        event.get("problem", ""),
    )
    return [reported]


class Demo:
    is_online: ClassVar[bool] = True
    has_page: ClassVar[bool] = True

    def create_payment(self, payment: Payment, return_url: str) -> StartedPayment:
        token = signing.dumps({"payment": payment.pk, "return_url": return_url}, salt=SALT)
        return StartedPayment(f"demo-{payment.pk}", url=reverse("demo-payment", args=[token]))

    def refund(self, refund: Refund) -> str:
        return f"demo-refund-{refund.pk}"

    def has_refund(self, refund: Refund) -> bool:
        """Return False, because this provider has done what it was asked before it answers."""
        return False

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Event]:
        if not constant_time_compare(headers.get(SIGNATURE, ""), sign(body)):
            raise EventRejected
        try:
            return _read(body)
        except (LookupError, TypeError, ValueError, ArithmeticError):
            raise EventRejected from None
