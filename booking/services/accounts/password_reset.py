"""Resetting a forgotten password with a link by e-mail, which works once and for PASSWORD_RESET_TIMEOUT seconds."""

import re
from collections.abc import Callable
from functools import partial
from queue import Full

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage, get_connection
from django.db.models import QuerySet
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from booking.infrastructure.background import run_later
from booking.models import User
from booking.services.accounts.accounts import check_new_password
from booking.services.refusals import Busy, InvalidInput
from booking.services.transactions import write_transaction

SUBJECT = "Your new password"
TEXT = """\
Somebody, probably you, asked for a new password for the account {username}.
Choose it here within {minutes} minutes:

{link}

If it was not you, you can ignore this e-mail; your password stays the same.
"""


def send_reset_links_later(*, email: str, link: Callable[[str, str], str]) -> None:
    """Calls `send_reset_links` in the background, so that the response time does not reveal whether an account exists.

    Raises Busy.
    """
    try:
        run_later(partial(send_reset_links, email=email, link=link))
    except Full:
        raise Busy from None


def send_reset_links(*, email: str, link: Callable[[str, str], str]) -> int:
    """Mails a reset link to each account with this address; returns the number of accounts.

    `link` makes a URL from a uid and a token. Inactive accounts and accounts without a password get no mail.
    """
    accounts = [user for user in User.objects.with_email(email).filter(is_active=True) if user.has_usable_password()]
    if accounts:
        get_connection().send_messages([_message(user, link) for user in accounts])
    return len(accounts)


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


def _message(user: User, link: Callable[[str, str], str]) -> EmailMessage:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    text = TEXT.format(
        username=user.username,
        minutes=settings.PASSWORD_RESET_TIMEOUT // 60,
        link=link(uid, default_token_generator.make_token(user)),
    )
    # The stored address may differ in case from the requested one.
    return EmailMessage(SUBJECT, text, to=[user.email])


def _id_of(uid: str) -> int:
    """Return the account's id in the uid, or 0, which no account has, if the uid is invalid."""
    try:
        text = urlsafe_base64_decode(uid).decode()
    except ValueError:
        return 0
    return int(text) if re.fullmatch("[1-9][0-9]{0,17}", text) else 0
