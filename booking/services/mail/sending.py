"""Sending mail, in a task."""

import re
import smtplib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from booking.infrastructure.tasks import GivenUp
from booking.models import Order
from booking.services.mail.contents import Attachment
from booking.services.mail.letters import write_letter
from booking.services.mail.outbox import Mail, address_for

# The mail server's time limit for accepting a mail once it has answered. A mail that it accepts later is sent again,
# so this is as long as the time limit of tasks allows.
ACCEPT_SECONDS = 45.0


class AddressRefused(GivenUp):
    """The mail server says that the customer's address does not exist or takes no mail."""


class MailNotAccepted(Exception):
    """The mail server does not accept the mail for the time being, for example because the mailbox is full."""


def send_order_mail(
    *, mail: str, show_id: int, reference: str, details: dict[str, Any], message_id: str, now: datetime
) -> None:
    """Mails the customer of an order, if it still has an address. `now` is UTC.

    Raises AddressRefused, MailNotAccepted and OSError. A mail that is sent again after a crash has the same
    `message_id`, by which mail programs recognise it.
    """
    order = Order.objects.for_mail().filter(show=show_id, reference=reference).first()
    address = address_of(order=order) if order else ""
    if not order or not address:
        return
    letter = write_letter(mail=Mail(mail), order=order, details=details, now=now)
    if letter is None:
        return
    send_mail(
        address=address,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        message_id=message_id,
        attachments=letter.attachments,
    )


def address_of(*, order: Order) -> str:
    """Return the address of the order's customer, or nothing."""
    return address_for(email=order.email, user=order.user)


def send_mail(
    *,
    address: str,
    subject: str,
    text: str,
    message_id: str,
    html: str = "",
    attachments: Iterable[Attachment] = (),
) -> None:
    """Sends a mail. Raises AddressRefused, MailNotAccepted and OSError, which don't contain the address."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2]
    headers = {"Message-ID": f"<{message_id}@{domain}>", "Auto-Submitted": "auto-generated"}
    message = EmailMultiAlternatives(subject, text, to=[address], headers=headers)
    if html:
        message.attach_alternative(html, "text/html")
    for attachment in attachments:
        message.attach(_part_of(attachment))
    connection = get_connection()
    try:
        connection.open()
        # The backends of local development have no server.
        if server := getattr(connection, "connection", None):
            server.sock.settimeout(ACCEPT_SECONDS)
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as refusal:
        [(code, reason)] = refusal.recipients.values()
        error = AddressRefused if code >= 500 else MailNotAccepted
        raise error(_without(address, f"{code} {reason.decode(errors='replace')}")) from None
    except smtplib.SMTPException as failure:
        raise MailNotAccepted(_without(address, str(failure))) from None
    finally:
        # The mail has been accepted or not; an error of QUIT changes nothing.
        with suppress(Exception):
            connection.close()


def _without(address: str, text: str) -> str:
    """Return the text of an error without the address, because it is stored for longer than the address may be."""
    return re.sub(re.escape(address), "the address", text, flags=re.IGNORECASE)


def _part_of(attachment: Attachment) -> MIMEBase:
    part = MIMEBase(*attachment.media_type.split("/"))
    part.set_payload(attachment.content)
    encode_base64(part)
    if attachment.method:
        part.set_param("charset", "utf-8")
        part.set_param("method", attachment.method)
    part.add_header("Content-Disposition", "attachment", filename=attachment.name)
    return part
