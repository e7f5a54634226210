"""Payments at the counter: staff record them, and pay refunds out themselves."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from booking.models import Payment, Refund
from booking.services.money.providers.base import Event, EventRejected, ProviderRefused, StartedPayment


class Counter:
    is_online: ClassVar[bool] = False
    has_page: ClassVar[bool] = False

    def create_payment(self, payment: Payment, return_url: str) -> StartedPayment:
        raise ProviderRefused("Staff record payments at the counter.")

    def refund(self, refund: Refund) -> str:
        """Return "", because a member of staff has to pay it out."""
        return ""

    def has_refund(self, refund: Refund) -> bool:
        return False

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Event]:
        raise EventRejected("The counter sends no events.")
