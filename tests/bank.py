"""A fake payment provider that records all money and fails on request, and functions that pay with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from booking.models import Booking, Payment, Refund
from booking.services import book_seats, hold_seats, pay_order, receive_event
from booking.services.money.providers.base import ProviderRefused, ProviderUnavailable
from booking.services.money.providers.demo import SIGNATURE, Demo, sign
from tests.factories import NOW, make_price_list, make_show, make_ticket_type


class Killed(BaseException):
    """Stands for the end of the process."""


class Bank(Demo):
    """A provider that tests configure as `demo`."""

    # The amounts that customers paid, by payment.
    received: ClassVar[dict[int, Decimal]] = {}
    # The amounts that were sent back, and that it is going to send, by refund and its number of retries.
    sent: ClassVar[dict[tuple[int, int], Decimal]] = {}
    accepted: ClassVar[dict[tuple[int, int], Decimal]] = {}
    # Attempts to refund that have failed, and the modes of those that are just being refused.
    failed: ClassVar[set[tuple[int, int]]] = set()
    refused: ClassVar[dict[tuple[int, int], str]] = {}
    # The fate of refunds: "works", "unavailable", "refuses", "fails" (a refusal with the id of the attempt), "later"
    # (an event reports the end), "loses answer", "killed before" and "killed after" it has sent the money.
    mode: ClassVar[str] = "works"
    # Is called once, before a refund is answered.
    meanwhile: ClassVar[Callable[[Refund], None] | None] = None

    @classmethod
    def open(cls):
        for rows in (cls.received, cls.sent, cls.accepted, cls.failed, cls.refused):
            rows.clear()
        cls.mode, cls.meanwhile = "works", None

    def refund(self, refund):
        mode, key = self.mode, key_of(refund)
        if mode == "killed before":
            raise Killed
        if mode == "unavailable":
            raise ProviderUnavailable
        # Two calls with one key get the same answer.
        mode = self.refused.get(key, mode)
        if mode in {"refuses", "fails"} and key not in self.sent | self.accepted:
            return self._refuse(refund, mode)
        if mode in {"refuses", "fails", "later"} and key not in self.sent:
            self.accepted[key] = refund.amount
            self._wait(refund)
            return ""
        self.send(refund)
        self._wait(refund)
        if mode == "killed after":
            raise Killed
        if mode == "loses answer":
            raise ProviderUnavailable
        return id_of(refund)

    def _refuse(self, refund, mode):
        key = key_of(refund)
        self.refused[key] = mode
        self._wait(refund)
        self.refused.pop(key, None)
        if mode == "refuses":
            raise ProviderRefused("The card was closed.")
        self.failed.add(key)
        raise ProviderRefused("The card was closed.", id_of(refund))

    def has_refund(self, refund):
        if self.mode == "unavailable":
            raise ProviderUnavailable
        self._wait(refund)
        return key_of(refund) in self.sent | self.accepted

    @classmethod
    def _wait(cls, refund):
        meanwhile, cls.meanwhile = cls.meanwhile, None
        if meanwhile:
            meanwhile(refund)

    def parse_event(self, body, headers):
        refund_id = json.loads(body).get("refund_id", "")
        return [replace(event, provider_refund_id=refund_id) for event in super().parse_event(body, headers)]

    @classmethod
    def send(cls, refund):
        """Send the money, once for an idempotency key."""
        cls.accepted.pop(key_of(refund), None)
        cls.sent[key_of(refund)] = refund.amount

    @classmethod
    def take_back(cls, refund):
        """The customer's bank does not take the money."""
        cls.accepted.pop(key_of(refund), None)
        cls.sent.pop(key_of(refund), None)
        cls.failed.add(key_of(refund))

    @classmethod
    def attempts(cls, refund_id):
        """Return the amounts of the attempts that have sent the money of a refund, or are going to."""
        return {key: amount for key, amount in (cls.sent | cls.accepted).items() if key[0] == refund_id}

    @classmethod
    def pay(cls, payment):
        """Take the customer's money, once for each payment."""
        cls.received.setdefault(payment, Payment.objects.get(pk=payment).amount)


def key_of(refund):
    return refund.pk, refund.retries


def id_of(refund):
    return f"refund-{refund.pk}-{refund.retries}"


def report_refund(refund, kind, *, now, problem="", number=None, **changes):
    """Send an event of the bank about a refund; another number is another event."""
    about = {"refund": refund.pk, "refund_id": id_of(refund), "amount": str(refund.amount), "problem": problem}
    report(refund.payment_id, kind, now=now, number=number or id_of(refund), **(about | changes))


def report(payment_id, kind="paid", *, now, number=0, **changes):
    """Send an event of the bank; the same number is the same event."""
    payment = Payment.objects.get(pk=payment_id)
    event = {
        "id": f"{kind}-{payment_id}-{number}",
        "kind": kind,
        "payment": payment_id,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }
    body = json.dumps(event | changes).encode()
    receive_event(provider="demo", body=body, headers={SIGNATURE: sign(body)}, now=now)


def make_paid_show(**fields):
    """Create a show with Standard seats 1 to 10 for 12.00 and Premium seats 11 to 20 for 15.00."""
    adult = make_ticket_type(name="Adult")
    prices = make_price_list({("S", adult): 12, ("P", adult): 15})
    return make_show(layout="A SSSSSSSSSS\nB PPPPPPPPPP", price_list=prices, **fields)


def hold(user, show, *seats, now=NOW):
    return hold_seats(user=user, show_id=show.pk, seat_numbers=seats, now=now)[0].reference


def book(user, show, *seats, now=NOW):
    return book_seats(user=user, show_id=show.pk, seat_numbers=seats, now=now)[0].reference


def ask(user, reference, now=NOW):
    """Start a payment and return its id."""
    return pay_order(user=user, reference=reference, return_url="http://testserver/", now=now).payment.pk


def pay(user, reference, now=NOW):
    """Pay the amount due, and send the bank's event."""
    payment = ask(user, reference, now)
    report(payment, now=now)
    return payment


def refunds():
    """Return the amounts and the states of the refunds."""
    return [(refund.amount, str(refund.status)) for refund in Refund.objects.order_by("pk")]


def balance():
    """Return the received money without refunds, and the prices of the booked seats."""
    received = sum((payment.amount for payment in Payment.objects.received()), Decimal(0))
    back = sum((refund.amount for refund in Refund.objects.all()), Decimal(0))
    return received - back, sum((booking.price for booking in Booking.objects.sold()), Decimal(0))
