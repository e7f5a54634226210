"""A fake payment provider that records all money and fails on request, and functions that pay with it."""

import json
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

    # The amounts that customers paid, by payment, and that were sent back, by refund and its number of retries.
    received: ClassVar[dict[int, Decimal]] = {}
    sent: ClassVar[dict[tuple[int, int], Decimal]] = {}
    # The fate of refunds: "works", "unavailable", "refuses", "later" (an event reports the end), "loses answer",
    # "killed before" and "killed after" it has sent the money.
    mode: ClassVar[str] = "works"

    @classmethod
    def open(cls):
        cls.received.clear()
        cls.sent.clear()
        cls.mode = "works"

    def refund(self, refund):
        if self.mode == "killed before":
            raise Killed
        if self.mode == "unavailable":
            raise ProviderUnavailable
        key = key_of(refund)
        if self.mode == "refuses" and key not in self.sent:
            raise ProviderRefused("The card was closed.")
        if self.mode == "later" and key not in self.sent:
            return ""
        self.send(refund)
        if self.mode == "killed after":
            raise Killed
        if self.mode == "loses answer":
            raise ProviderUnavailable
        return id_of(refund)

    def has_refund(self, refund):
        if self.mode == "unavailable":
            raise ProviderUnavailable
        return key_of(refund) in self.sent

    def parse_event(self, body, headers):
        refund_id = json.loads(body).get("refund_id", "")
        return [replace(event, provider_refund_id=refund_id) for event in super().parse_event(body, headers)]

    @classmethod
    def send(cls, refund):
        """Send the money once for an idempotency key; the service must not use a second key for it."""
        assert {key for key in cls.sent if key[0] == refund.pk} <= {key_of(refund)}
        cls.sent[key_of(refund)] = refund.amount

    @classmethod
    def pay(cls, payment):
        """Take the customer's money, once for each payment."""
        cls.received.setdefault(payment, Payment.objects.get(pk=payment).amount)


def key_of(refund):
    return refund.pk, refund.retries


def id_of(refund):
    return f"refund-{refund.pk}-{refund.retries}"


def report_refund(refund, kind, *, now, problem="", number=None):
    """Send an event of the bank about a refund; another number is another event."""
    about = {"refund": refund.pk, "refund_id": id_of(refund), "amount": str(refund.amount), "problem": problem}
    report(refund.payment_id, kind, now=now, number=number or id_of(refund), **about)


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
