"""Accounts of customers."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from booking.infrastructure.statements import Query
from booking.models import User
from booking.services.refusals import Busy, InvalidInput, NotFound
from booking.services.transactions import retried, write_transaction

# Each change of a password costs two hashes; who signs out everywhere that often meanwhile may try again.
ATTEMPTS = 2

# Without what no request asks for.
_signed_in = Query(
    lambda p: User.objects.signed_in(p.user_id, p.session_id, p.key).defer(
        "first_name", "last_name", "last_login", "date_joined"
    )
)


@retried
def find_account(*, user_id: int, session_id: int, key: str) -> User | None:
    """The account as the database has it now; None where a token that says all this is not good.

    Raises Interrupted.
    """
    users: list[User] = _signed_in(user_id=user_id, session_id=session_id, key=key)
    return users[0] if users else None


def sign_up(*, username: str, password: str, email: str = "") -> User:
    """Makes an account for a customer. Raises InvalidInput."""
    user = User(username=username, email=User.objects.normalize_email(email))
    check_new_password(user, password, "password")
    user.set_password(password)
    try:
        with transaction.atomic(durable=True):
            user.save(force_insert=True)
    except IntegrityError:
        # The only unique thing of an account, and only the database knows it without a race.
        raise InvalidInput("username", ["A user with that username already exists."]) from None
    return user


def update_email(*, user: User, email: str) -> User:
    """Changes the account's e-mail address. Raises Busy and Interrupted."""
    user.email = User.objects.normalize_email(email)
    # Links for a new password go there, so it has to be on more than one machine.
    with write_transaction():
        User.objects.filter(pk=user.pk).update(email=user.email)
    return user


def change_password(*, user: User, current_password: str, new_password: str) -> None:
    """Changes the password; every token and session made before is dead.

    Raises InvalidInput, NotFound, Busy and Interrupted.
    """
    for _ in range(ATTEMPTS):
        account = User.objects.filter(pk=user.pk).first()
        if account is None:
            raise NotFound
        if not account.check_password(current_password):
            raise InvalidInput("current_password", ["This is not your current password."])
        check_new_password(user, new_password, "new_password")
        if _replace_password(account, new_password):
            return
    raise Busy


def _replace_password(account: User, password: str) -> bool:
    """Whether the account was still what it was read as, and has the new password now. Raises Busy and Interrupted."""
    # Race: two changes from one old password; the second has to know the first one's.
    unchanged = User.objects.filter(pk=account.pk, session_key=account.session_key)
    # Before anything is locked, as it takes long.
    account.set_password(password)
    with write_transaction():
        return bool(unchanged.update(password=account.password, session_key=account.session_key))


def check_new_password(user: User, password: str, field: str) -> None:
    """Raises InvalidInput for the field where the rules for passwords don't let the user have this one."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(field, error.messages) from None
