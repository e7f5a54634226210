"""Customer accounts."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from booking.infrastructure.statements import Query
from booking.models import User
from booking.services.refusals import Busy, InvalidInput, first_or_not_found
from booking.services.transactions import retried, write_transaction

# Each attempt computes two password hashes. It fails only if the session key changes at the same time.
ATTEMPTS = 2

# Without columns that no request needs.
_signed_in = Query(
    lambda p: User.objects.signed_in(p.user_id, p.session_id, p.key).defer(
        "first_name", "last_name", "folded_first_name", "folded_last_name", "last_login", "date_joined"
    )
)


@retried
def find_account(*, user_id: int, session_id: int, key: str) -> User | None:
    """Return the account with its current data, or None if a token with these claims is not valid.

    Raises Interrupted.
    """
    users: list[User] = _signed_in(user_id=user_id, session_id=session_id, key=key)
    return users[0] if users else None


def sign_up(*, username: str, password: str, email: str = "") -> User:
    """Creates an account for a customer. Raises InvalidInput."""
    user = User(username=username, email=User.objects.normalize_email(email))
    check_new_password(user, password, "password")
    user.set_password(password)
    try:
        with transaction.atomic(durable=True):
            user.save(force_insert=True)
    except IntegrityError:
        # The username is the only unique field; checking it before the insert would be a race.
        raise InvalidInput("username", ["A user with that username already exists."], ["unique"]) from None
    return user


def update_email(*, user: User, email: str) -> User:
    """Changes the account's e-mail address. Raises Busy and Interrupted."""
    user.email = User.objects.normalize_email(email)
    # Password reset links go to this address, so a synchronous replica has to have the change.
    with write_transaction():
        User.objects.filter(pk=user.pk).update(email=user.email)
    return user


def change_password(*, user: User, current_password: str, new_password: str) -> None:
    """Changes the password and invalidates all earlier tokens and sessions.

    Raises InvalidInput, NotFound, Busy and Interrupted.
    """
    for _ in range(ATTEMPTS):
        account = first_or_not_found(User.objects.filter(pk=user.pk))
        check_current_password(account, current_password, "current_password")
        check_new_password(user, new_password, "new_password")
        if _replace_password(account, new_password):
            return
    raise Busy


def _replace_password(account: User, password: str) -> bool:
    """Stores the new password if the account is unchanged; returns whether it did. Raises Busy and Interrupted."""
    # Race: two changes with the same old password; the second must check the password that the first one set.
    unchanged = User.objects.filter(pk=account.pk, session_key=account.session_key)
    # Hashing is slow, so it happens before the row is locked.
    account.set_password(password)
    with write_transaction():
        return bool(unchanged.update(password=account.password, session_key=account.session_key))


def check_current_password(account: User, password: str, field: str) -> None:
    """Raises InvalidInput for the field if it is not the account's password. This is slow, so no row may be locked."""
    if not account.check_password(password):
        raise InvalidInput(field, ["This is not your current password."], ["wrong_password"])


def check_new_password(user: User, password: str, field: str) -> None:
    """Runs the password validators. Raises InvalidInput for the field."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(
            field, error.messages, [each.code or InvalidInput.code for each in error.error_list]
        ) from None
