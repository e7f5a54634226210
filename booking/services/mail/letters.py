"""The texts of mail: templates with the data of an order, as it is when the mail is written."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.urls import reverse

from booking.models import Booking, Order, represent_amount
from booking.services.mail.links import sign_order
from booking.services.mail.outbox import Mail
from booking.services.money.amounts import amount_owed
from booking.services.seats.orders import read_bookings

# Locally, with neither PUBLIC_URL nor a request.
LOCAL_URL = "http://127.0.0.1:8000"
SUBJECT = "Subject: "


class TemplateBroken(Exception):
    """A template in MAIL_TEMPLATES_DIR can't be used."""


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str


def write_letter(*, mail: Mail, order: Order, details: dict[str, Any], now: datetime) -> Letter | None:
    """Return the mail about the order, or None if there is nothing left to tell. `now` is UTC. Raises TemplateBroken.

    The first line of the text template is the subject.
    """
    [bookings] = read_bookings(orders=[order], now=now)
    context = _context(mail, order, bookings, details)
    if context is None:
        return None
    head, _, text = _render("text", f"{mail.value}.txt", context).partition("\n")
    if not head.startswith(SUBJECT):
        raise TemplateBroken(f'The first line of {mail.value}.txt must begin with "{SUBJECT.strip()}".')
    subject = " ".join(head.removeprefix(SUBJECT).split())
    return Letter(subject, text.strip() + "\n", _render("html", f"{mail.value}.html", context | {"subject": subject}))


def _render(kind: str, name: str, context: dict[str, Any]) -> str:
    try:
        return engines[f"mail_{kind}"].get_template(name).render(context)
    except (TemplateSyntaxError, TemplateDoesNotExist) as error:
        raise TemplateBroken(f"The template {name} can't be used: {error}") from error


def _context(mail: Mail, order: Order, bookings: list[Booking], details: dict[str, Any]) -> dict[str, Any] | None:
    """Return the variables of the templates; docs/operations.md lists them."""
    show, booked = order.show, [booking for booking in bookings if booking.status == Booking.Status.BOOKED]
    seats = booked
    if mail == Mail.CANCELLED:
        seats = [booking for booking in bookings if booking.pk in details["bookings"]]
    elif mail == Mail.SHOW_CANCELLED:
        seats = [booking for booking in bookings if booking.cancelled_at == show.cancelled_at]
    elif mail in (Mail.CONFIRMED, Mail.TIME_CHANGED) and (show.is_cancelled or not booked):
        # Cancelled meanwhile, and another mail says so.
        return None
    token = sign_order(order)
    return {
        "name": order.name or (order.user.username if order.user else ""),
        "reference": order.reference,
        "movie": show.movie.title,
        "screen": show.screen.name,
        "starts_at": show.starts_at,
        "seats": [_seat(booking) for booking in seats],
        "booked": [_seat(booking) for booking in booked],
        "total": represent_amount(amount_owed(bookings=seats) or sum((seat.price for seat in seats), Decimal(0))),
        "is_free": not any(seat.price for seat in seats),
        "currency": settings.CURRENCY,
        "by_staff": details.get("by_staff", False),
        "note": details.get("note", ""),
        "reason": details.get("reason", ""),
        "amount": details.get("amount", ""),
        "old_start": datetime.fromisoformat(details["old_start"]) if "old_start" in details else None,
        "keep_url": link("order_keep", token),
        "cancel_url": link("order_cancel", token),
    }


def _seat(booking: Booking) -> dict[str, str]:
    return {
        "label": booking.label,
        "ticket_type": booking.ticket_type.name if booking.ticket_type else "",
        "price": represent_amount(booking.price),
    }


def link(name: str, *arguments: str) -> str:
    """Return the address of a page, for mail."""
    return f"{settings.PUBLIC_URL or LOCAL_URL}{reverse(name, args=arguments)}"


def preview_letter(*, mail: Mail, order: Order, now: datetime) -> Letter | None:
    """Return the mail as it would be written now, with made-up details. Raises TemplateBroken."""
    [bookings] = read_bookings(orders=[order], now=now)
    cancelled = [booking.pk for booking in bookings]
    details = {
        "bookings": cancelled,
        "note": "This is where the sentence of the staff stands." if mail != Mail.CANCELLED else "",
        "old_start": order.show.starts_at.isoformat(),
        "amount": represent_amount(amount_owed(bookings=bookings)),
    }
    return write_letter(mail=mail, order=order, details=details, now=now)
