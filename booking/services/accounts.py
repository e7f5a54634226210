"""Accounts of customers."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from booking.models import User
from booking.prepared import PreparedQuery
from booking.services.locks import retried
from booking.services.refusals import InvalidInput

_user = PreparedQuery(lambda pk: User.objects.filter(pk=pk), 1)


@retried
def find_account(*, user_id: int) -> User | None:
    """The account as the database has it now, if there is one. Raises Interrupted."""
    users: list[User] = _user(user_id)
    return users[0] if users else None


def sign_up(*, username: str, password: str, email: str = "") -> User:
    """Makes an account for a customer. Raises InvalidInput."""
    user = User(username=username, email=User.objects.normalize_email(email))
    _check_password(user, password, "password")
    user.set_password(password)
    try:
        with transaction.atomic(durable=True):
            user.save(force_insert=True)
    except IntegrityError:
        # The only unique thing of an account, and only the database knows it without a race.
        raise InvalidInput("username", ["A user with that username already exists."]) from None
    return user


def update_email(*, user: User, email: str) -> User:
    """Changes the account's e-mail address."""
    user.email = User.objects.normalize_email(email)
    User.objects.filter(pk=user.pk).update(email=user.email)
    return user


def change_password(*, user: User, current_password: str, new_password: str) -> None:
    """Changes the password; every token made before is dead, as each carries the old one's trace.

    Raises InvalidInput.
    """
    with transaction.atomic(durable=True):
        # Race: two changes from one old password; the second has to know the first one's.
        account = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first() or user
        if not account.check_password(current_password):
            raise InvalidInput("current_password", ["This is not your current password."])
        _check_password(user, new_password, "new_password")
        account.set_password(new_password)
        User.objects.filter(pk=user.pk).update(password=account.password)


def rotate_refresh_token(*, token: Any, user: User) -> Any:
    """Uses up a refresh token of `user` and returns its successor, both or neither; None if it was used before."""
    with transaction.atomic(durable=True):
        # Race: two requests passed the check of the blacklist with one token; one entry in it decides.
        _, first_use = token.blacklist()
        return type(token).for_user(user) if first_use else None


def _check_password(user: User, password: str, field: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(field, error.messages) from None
