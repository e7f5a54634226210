"""Resetting a forgotten password with a link by e-mail, which works once and for PASSWORD_RESET_TIMEOUT seconds."""

import re
from datetime import datetime
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from booking.infrastructure.tasks import enqueue, enqueue_once, new_task
from booking.models import POSITIVE_ID, User
from booking.services.accounts.accounts import check_new_password
from booking.services.mail.sending import send_mail
from booking.services.refusals import InvalidInput
from booking.services.transactions import retried, write_transaction

SEND_LINKS = "booking.tasks.enqueue_reset_links"
SEND_LINK = "booking.tasks.send_reset_link"
SUBJECT = "Your new password"
TEXT = """\
Somebody, probably you, asked for a new password for the account {username}.
Choose it here within {minutes} minutes:

{link}

If it was not you, you can ignore this e-mail; your password stays the same.
"""


@retried
def request_reset_links(*, email: str, origin: str, now: datetime) -> None:
    """Enqueues mail with a link for each account with this address. `now` is UTC.

    It does the same whether or not there is an account, so that neither the response nor its time reveals one. `origin`
    is this service's address without a path, for the links. Raises Busy and Interrupted.
    """
    if settings.SENDS_MAIL:
        with write_transaction():
            enqueue(new_task(SEND_LINKS, now=now, email=email, origin=origin))


def enqueue_reset_links(*, email: str, origin: str, request_id: str, now: datetime) -> int:
    """Enqueues a mail for each account with this address; returns the number of accounts. `now` is UTC.

    It may be repeated: the ids of the tasks derive from `request_id`, so none is enqueued twice.
    """
    accounts = [user for user in User.objects.with_email(email).filter(is_active=True) if user.has_usable_password()]
    tasks = [new_task(SEND_LINK, now=now, user_id=user.pk, origin=origin) for user in accounts]
    for task in tasks:
        task.pk = uuid5(UUID(request_id), str(task.args_kwargs["kwargs"]["user_id"]))
    enqueue_once(tasks)
    return len(accounts)


def send_reset_link(*, user_id: int, origin: str, message_id: str) -> None:
    """Mails a reset link to the account, unless it can't sign in with a password any more.

    Raises AddressRefused, MailNotAccepted and OSError.
    """
    user = User.objects.filter(pk=user_id, is_active=True).exclude(email="").first()
    if user is None or not user.has_usable_password():
        return
    text = TEXT.format(username=user.username, minutes=settings.PASSWORD_RESET_TIMEOUT // 60, link=_link(user, origin))
    # The stored address may differ in case from the requested one.
    send_mail(address=user.email, subject=SUBJECT, text=text, message_id=message_id)


def _link(user: User, origin: str) -> str:
    """Return the address of the page for a new password: PASSWORD_RESET_URL or this service's."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    if settings.PASSWORD_RESET_URL:
        return settings.PASSWORD_RESET_URL.replace("{uid}", uid).replace("{token}", token)
    return f"{origin}{reverse('password_reset_confirm', args=[uid, token])}"


def reset_password(*, uid: str, token: str, new_password: str) -> None:
    """Sets a new password with the uid and token of a link; invalidates all earlier tokens, sessions and links.

    Raises InvalidInput, Busy and Interrupted.
    """
    user = _owner(User.objects.all(), uid, token)
    check_new_password(user, new_password, "new_password")
    # Hashing is slow, so it happens before the row is locked.
    user.set_password(new_password)
    with write_transaction():
        # Race: the same link is used twice; the first new password invalidates the link.
        _owner(User.objects.select_for_update(no_key=True), uid, token)
        User.objects.filter(pk=user.pk).update(password=user.password, session_key=user.session_key)


def _owner(users: QuerySet[User], uid: str, token: str) -> User:
    """Return the account of the link. Raises InvalidInput."""
    user = users.filter(pk=_id_of(uid), is_active=True).first()
    if user is None or not user.has_usable_password() or not default_token_generator.check_token(user, token):
        raise InvalidInput("token", ["This link is invalid or has expired. Request a new one."], ["invalid_link"])
    return user


def _id_of(uid: str) -> int:
    """Return the account's id in the uid, or 0, which no account has, if the uid is invalid."""
    try:
        text = urlsafe_base64_decode(uid).decode()
    except ValueError:
        return 0
    return int(text) if re.fullmatch(POSITIVE_ID, text) else 0
