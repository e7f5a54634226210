"""A forgotten password: a link by e-mail, good for one new password and for PASSWORD_RESET_TIMEOUT seconds."""

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

from booking.infrastructure.background import do_later
from booking.models import User
from booking.services.accounts import check_new_password
from booking.services.refusals import Busy, InvalidInput
from booking.services.transactions import write_transaction

SUBJECT = "Your new password"
TEXT = """\
Somebody, probably you, asked for a new password for the account {username}.
Choose it here within {minutes} minutes:

{link}

If it was not you, nothing has to be done; the password stays as it is.
"""


def send_reset_links_later(*, email: str, link: Callable[[str, str], str]) -> None:
    """Has `send_reset_links` called after the answer, whose time would show whether there is an account.

    Raises Busy.
    """
    try:
        do_later(partial(send_reset_links, email=email, link=link))
    except Full:
        raise Busy from None


def send_reset_links(*, email: str, link: Callable[[str, str], str]) -> int:
    """Mails each account with this address a link, made of its id and a token; returns how many.

    Accounts that were switched off or have no password get none. Takes as long as the mail server does.
    """
    accounts = [user for user in User.objects.with_email(email).filter(is_active=True) if user.has_usable_password()]
    if accounts:
        get_connection().send_messages([_message(user, link) for user in accounts])
    return len(accounts)


def reset_password(*, uid: str, token: str, new_password: str) -> None:
    """Sets a new password for who has the link; every token, session and link made before is dead.

    Raises InvalidInput, Busy and Interrupted.
    """
    user = _owner(User.objects.all(), uid, token)
    check_new_password(user, new_password, "new_password")
    # Before anything is locked, as it takes long.
    user.set_password(new_password)
    with write_transaction():
        # Race: two new passwords by one link; the first changes what the link is good with.
        _owner(User.objects.select_for_update(no_key=True), uid, token)
        User.objects.filter(pk=user.pk).update(password=user.password, token_key=user.token_key)


def _owner(users: QuerySet[User], uid: str, token: str) -> User:
    """The account that the link is good for. Raises InvalidInput."""
    user = users.filter(pk=_id_of(uid), is_active=True).first()
    if user is None or not user.has_usable_password() or not default_token_generator.check_token(user, token):
        raise InvalidInput("token", ["This link is not valid, or no longer. Ask for another one."])
    return user


def _message(user: User, link: Callable[[str, str], str]) -> EmailMessage:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    text = TEXT.format(
        username=user.username,
        minutes=settings.PASSWORD_RESET_TIMEOUT // 60,
        link=link(uid, default_token_generator.make_token(user)),
    )
    # To the address that the account has, which may differ in case from the one that was typed.
    return EmailMessage(SUBJECT, text, to=[user.email])


def _id_of(uid: str) -> int:
    """The id of the account that the link names; 0, which nobody has, where it names none."""
    try:
        text = urlsafe_base64_decode(uid).decode()
    except ValueError:
        return 0
    return int(text) if re.fullmatch("[1-9][0-9]{0,17}", text) else 0
