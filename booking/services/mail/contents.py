"""The contents of mail: one class for each kind, with the variables of its templates.

The templates are in booking/templates/booking/mail/, named by the values of Mail; docs/mail.md lists the variables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse

from booking.models import Booking, Order, Payment, Refund, represent_amount
from booking.services.door.files import calendar_entry, ticket_pdf
from booking.services.door.tickets import LOCAL_HOST, ticket_url
from booking.services.mail.links import sign_order, sign_order_to_pay
from booking.services.mail.outbox import Mail
from booking.services.money.amounts import NO_MONEY, OrderMoney
from booking.services.money.providers import has_payment_page
from booking.services.money.refunds import COUNTER
from booking.services.money.settling import REASONS

# Stands for the secret part of links in previews.
PREVIEW = "preview"


def link(name: str, *arguments: str) -> str:
    """Return the address of a page, for mail."""
    return f"{settings.PUBLIC_URL or LOCAL_HOST}{reverse(name, args=arguments)}"


@dataclass(frozen=True)
class Attachment:
    """A file of a mail; `method` is that of a calendar entry (RFC 5546)."""

    name: str
    media_type: str
    content: bytes
    method: str = ""


class Contents:
    """The content of a mail about an order. `details` are those that the change stored with the task."""

    def __init__(
        self, order: Order, bookings: Sequence[Booking], details: dict[str, Any], money: OrderMoney = NO_MONEY
    ) -> None:
        self.order = order
        self.bookings = bookings
        self.booked = [booking for booking in bookings if booking.status == Booking.Status.BOOKED]
        self.details = details
        self.money = money
        # In a preview, no link works.
        self.is_preview = False

    @property
    def is_needed(self) -> bool:
        """Whether the mail contains something new; a later mail may already have contained it."""
        return True

    @property
    def seats(self) -> Sequence[Booking]:
        """The seats that the mail lists."""
        return self.booked

    def own_variables(self) -> dict[str, Any]:
        """Return the variables that only this mail has."""
        return {}

    def attachments(self, now: datetime) -> list[Attachment]:
        """Return the files of the mail, as of `now` (UTC)."""
        return []

    def tickets(self) -> list[Attachment]:
        """Return the PDF with the tickets of the booked seats, of which there is at least one."""
        content = ticket_pdf(bookings=self.booked, due=self.money.due_for_tickets(self.booked))
        return [Attachment(f"tickets-{self.order.reference}.pdf", "application/pdf", content)]

    def calendar(self, now: datetime) -> list[Attachment]:
        """Return the calendar entry of the booked seats; one that removes the entry if no seat is booked."""
        show, reference, is_cancelled = self.order.show, self.order.reference, not self.booked
        content = calendar_entry(show=show, reference=reference, seats=self.booked, now=now, is_cancelled=is_cancelled)
        method = "CANCEL" if is_cancelled else "PUBLISH"
        return [Attachment(f"{reference}.ics", "text/calendar", content, method)]

    def sample_details(self) -> dict[str, Any]:
        """Return details for a preview, real ones as far as the order has them."""
        return {}

    def to_collect(self) -> str:
        """Return the amount that the customer gets back at the counter, or ""."""
        open_refunds = [one for one in self.money.refunds if one.status != Refund.Status.DONE]
        amount = sum((one.amount for one in open_refunds if one.provider == COUNTER), Decimal(0))
        return represent_amount(amount) if amount else ""

    def variables(self) -> dict[str, Any]:
        """Return the variables of the templates."""
        order, show, seats = self.order, self.order.show, self.seats
        return {
            "name": order.name or (order.user.get_full_name() or order.user.username if order.user else ""),
            "reference": order.reference,
            "movie": show.movie.title,
            "screen": show.screen.name,
            "starts_at": show.starts_at,
            "seats": self.represent(seats),
            "booked": self.represent(self.booked),
            "total": represent_amount(sum((seat.price for seat in seats), Decimal(0))),
            "is_free": not any(seat.price for seat in seats),
            "currency": settings.CURRENCY,
            "note": self.details.get("note", ""),
            **self.own_variables(),
        }

    def represent(self, bookings: Sequence[Booking]) -> list[dict[str, str]]:
        """Return what the templates list of seats."""
        return [
            {
                "label": booking.label,
                "ticket_type": booking.ticket_type.name if booking.ticket_type else "",
                "price": represent_amount(booking.price),
                "ticket_url": self._ticket_url(booking) if booking.status == Booking.Status.BOOKED else "",
            }
            for booking in bookings
        ]

    def _ticket_url(self, booking: Booking) -> str:
        return link("ticket", PREVIEW) if self.is_preview else ticket_url(booking=booking)


class WithTickets(Contents):
    """A mail about booked seats, with the tickets, the calendar entry and what is still to pay."""

    @property
    def is_needed(self) -> bool:
        return bool(self.booked) and not self.order.show.is_cancelled

    def attachments(self, now: datetime) -> list[Attachment]:
        return [*self.tickets(), *self.calendar(now)]

    def variables(self) -> dict[str, Any]:
        return {**super().variables(), **self._to_pay()}

    def _to_pay(self) -> dict[str, Any]:
        # Without seats that are only held, which the mail does not list; the page of the link does.
        due = self.money.due_for_tickets(self.bookings)
        if not due:
            return {"due": "", "is_paid": self.money.amounts(self.bookings).paid > 0, "pay_url": ""}
        token = PREVIEW if self.is_preview else sign_order_to_pay(self.order)
        pay_url = link("order_pay", token) if has_payment_page() else ""
        return {"due": represent_amount(due), "is_paid": False, "pay_url": pay_url}


class OrderConfirmed(WithTickets):
    """Sent when seats are booked."""


class PaymentReceived(WithTickets):
    @property
    def is_needed(self) -> bool:
        # The money has arrived, even if the seats are cancelled.
        return True

    def attachments(self, now: datetime) -> list[Attachment]:
        # Tickets that were sent before say that the order is not paid.
        return super().attachments(now) if super().is_needed else []

    def own_variables(self) -> dict[str, Any]:
        return {"amount": self.details["amount"]}

    def sample_details(self) -> dict[str, Any]:
        amounts = [payment.amount for payment in self.money.payments if payment.status == Payment.Status.PAID]
        return {"amount": represent_amount(amounts[-1] if amounts else self.money.amounts(self.bookings).total)}


class OrderCancelled(Contents):
    @property
    def seats(self) -> Sequence[Booking]:
        return [booking for booking in self.bookings if booking.pk in self.details["bookings"]]

    def own_variables(self) -> dict[str, Any]:
        # Only a preview lists seats that are booked.
        left = [booking for booking in self.booked if booking not in self.seats]
        return {
            "booked": self.represent(left),
            "by_staff": self.details["by_staff"],
            "collect": self.to_collect(),
        }

    def sample_details(self) -> dict[str, Any]:
        cancelled = [booking for booking in self.bookings if booking.status == Booking.Status.CANCELLED]
        return {"bookings": [booking.pk for booking in cancelled or self.booked], "by_staff": True}

    def attachments(self, now: datetime) -> list[Attachment]:
        return self.calendar(now)


class PaymentRefunded(Contents):
    def own_variables(self) -> dict[str, Any]:
        return {
            "amount": self.details["amount"],
            "reason": self.details["reason"],
            "at_counter": self.details.get("at_counter", False),
        }

    def sample_details(self) -> dict[str, Any]:
        if not self.money.refunds:
            return {"amount": represent_amount(self.money.amounts(self.bookings).total), "reason": ""}
        refund = self.money.refunds[-1]
        amount, at_counter = represent_amount(refund.amount), refund.provider == COUNTER or refund.till_id is not None
        return {"amount": amount, "reason": refund.reason, "at_counter": at_counter}


class SeatsLost(Contents):
    """Sent when a payment got no seats; PaymentRefunded follows when the money was sent back."""

    def own_variables(self) -> dict[str, Any]:
        return {"amount": self.details["amount"], "reason": self.details["reason"]}

    def sample_details(self) -> dict[str, Any]:
        amount = represent_amount(self.money.amounts(self.bookings).total)
        return {"amount": amount, "reason": REASONS["not_available"]}


class ShowCancelled(Contents):
    @property
    def seats(self) -> Sequence[Booking]:
        cancelled_at = self.order.show.cancelled_at
        if cancelled_at is None:
            return self.booked
        return [booking for booking in self.bookings if booking.cancelled_at == cancelled_at]

    def own_variables(self) -> dict[str, Any]:
        return {"collect": self.to_collect()}

    def attachments(self, now: datetime) -> list[Attachment]:
        return self.calendar(now)


class NewTickets(WithTickets):
    """Sent when a seat was moved or a ticket issued again, which ends earlier tickets."""


class TimeChanged(WithTickets):
    def own_variables(self) -> dict[str, Any]:
        token = PREVIEW if self.is_preview else sign_order(self.order)
        return {
            "old_start": datetime.fromisoformat(self.details["old_start"]),
            "keep_url": link("order_keep", token),
            "cancel_url": link("order_cancel", token),
        }

    def sample_details(self) -> dict[str, Any]:
        return {"old_start": (self.order.show.starts_at - timedelta(hours=1)).isoformat()}


CONTENTS: dict[Mail, type[Contents]] = {
    Mail.CONFIRMED: OrderConfirmed,
    Mail.PAID: PaymentReceived,
    Mail.CANCELLED: OrderCancelled,
    Mail.REFUNDED: PaymentRefunded,
    Mail.SEATS_LOST: SeatsLost,
    Mail.SHOW_CANCELLED: ShowCancelled,
    Mail.TIME_CHANGED: TimeChanged,
    Mail.TICKETS: NewTickets,
}
