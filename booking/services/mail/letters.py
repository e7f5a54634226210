"""The texts of mail: templates with the data of an order, as it is when the mail is written."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines

from booking.models import Order
from booking.services.mail.contents import CONTENTS, Attachment, Contents
from booking.services.mail.outbox import Mail
from booking.services.money.amounts import read_order_money
from booking.services.seats.orders import read_bookings

SUBJECT = "Subject: "


class TemplateBroken(Exception):
    """A template in MAIL_TEMPLATES_DIR can't be used."""


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def write_letter(*, mail: Mail, order: Order, details: dict[str, Any], now: datetime) -> Letter | None:
    """Return the mail about the order, or None if it is not needed any more. `now` is UTC. Raises TemplateBroken.

    The first line of the text template is the subject.
    """
    contents = _contents_of(mail, order, details, now)
    letter = _write(mail, contents)
    return replace(letter, attachments=tuple(contents.attachments(now))) if letter else None


def preview_letter(*, mail: Mail, order: Order, now: datetime, note: str = "") -> Letter | None:
    """Return the mail as it would be written now, or None if it would not be sent. `now` is UTC.

    Its details are made up as far as the order has none, its links lead nowhere, and it has no attachments. Raises
    TemplateBroken.
    """
    contents = _contents_of(mail, order, {}, now)
    contents.details = {**contents.sample_details(), "note": note}
    contents.is_preview = True
    return _write(mail, contents)


def _contents_of(mail: Mail, order: Order, details: dict[str, Any], now: datetime) -> Contents:
    [bookings] = read_bookings(orders=[order], now=now)
    money = read_order_money(show_id=order.show_id, reference=order.reference)
    return CONTENTS[mail](order, bookings, details, money)


def _write(mail: Mail, contents: Contents) -> Letter | None:
    if not contents.is_needed:
        return None
    context = contents.variables()
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
