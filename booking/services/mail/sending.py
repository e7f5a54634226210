"""Sending mail, in a task."""

import smtplib
from contextlib import suppress
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from booking.infrastructure.tasks import GivenUp
from booking.models import Order
from booking.services.mail.letters import write_letter
from booking.services.mail.outbox import Mail


class AddressRefused(GivenUp):
    """The mail server says that the customer's address does not exist or takes no mail."""


def send_order_mail(
    *, mail: str, show_id: int, reference: str, details: dict[str, Any], message_id: str, now: datetime
) -> None:
    """Mails the customer of an order, if it still has an address. `now` is UTC.

    Raises AddressRefused, and the exceptions of the mail server. A mail that is sent again after a crash has the same
    `message_id`, by which mail programs recognise it.
    """
    orders = Order.objects.select_related("user", "show__movie", "show__screen")
    order = orders.filter(show=show_id, reference=reference).first()
    address = address_of(order) if order else ""
    if not order or not address:
        return
    letter = write_letter(mail=Mail(mail), order=order, details=details, now=now)
    if letter is None:
        return
    send_mail(address=address, subject=letter.subject, text=letter.text, html=letter.html, message_id=message_id)


def address_of(order: Order) -> str:
    """Return the address of the order's customer, or nothing."""
    if order.email:
        return order.email
    return order.user.email if order.user and order.user.is_active else ""


def send_mail(*, address: str, subject: str, text: str, message_id: str, html: str = "") -> None:
    """Sends a mail. Raises AddressRefused, and the exceptions of the mail server."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2]
    headers = {"Message-ID": f"<{message_id}@{domain}>", "Auto-Submitted": "auto-generated"}
    message = EmailMultiAlternatives(subject, text, to=[address], headers=headers)
    if html:
        message.attach_alternative(html, "text/html")
    connection = get_connection()
    try:
        connection.open()
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as refusal:
        [(code, reason)] = refusal.recipients.values()
        if code < 500:
            # For the time being, such as a full mailbox.
            raise
        # The reason is stored for longer than the address may be.
        raise AddressRefused(f"{code} {reason.decode(errors='replace').replace(address, 'the address')}") from None
    finally:
        # The mail has been accepted or not; saying goodbye changes nothing.
        with suppress(Exception):
            connection.close()
