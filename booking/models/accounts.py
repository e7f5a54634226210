"""Accounts, and what keeps them signed in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from booking.models.loading import LoadsQuickly

SESSION_KEY_LENGTH = 22


def new_session_key() -> str:
    """What a user's tokens and sessions are good with; whoever has another one is signed out."""
    return secrets.token_urlsafe(16)


class AccountManager(UserManager["User"]):
    """Finds people by user name and address whatever their case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.alias(lower_username=Lower("username")).get(lower_username=(username or "").lower())

    def with_email(self, email: str) -> models.QuerySet[User]:
        """The accounts that have this address."""
        return self.alias(lower_email=Lower("email")).filter(lower_email=email.lower())

    def signed_in(self, user_id: int, session_id: int, key: str) -> models.QuerySet[User]:
        """The account, if a token of this sign-in is good that was made when the account had this key."""
        ended = RevokedSession.objects.filter(pk=session_id)
        return self.filter(~models.Exists(ended), pk=user_id, is_active=True, session_key=key)


class User(LoadsQuickly, AbstractUser):
    """A customer or a member of staff."""

    # ASCII alone: no two names that look the same, and one rule of case on every database.
    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator()],
        help_text="150 characters or fewer: letters, digits and @ . + - _",
        error_messages={"unique": "A user with that username already exists."},
    )
    session_key = models.CharField(
        max_length=SESSION_KEY_LENGTH, default=new_session_key, db_default="", editable=False
    )

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta(AbstractUser.Meta):
        indexes = [models.Index(Lower("email"), name="user_by_email_ignoring_case")]
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="unique_username_ignoring_case",
                violation_error_message="A user with that username already exists.",
            )
        ]

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """A new password is never saved without its key, or tokens would outlive it."""
        if update_fields is not None and "password" in update_fields:
            update_fields = {*update_fields, "session_key"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self.session_key = new_session_key()

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self.session_key = new_session_key()

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is the password. A hash of an older kind is replaced, which signs nobody out."""
        return check_password(raw_password, self.password, self._replace_hash)

    def _replace_hash(self, raw_password: str) -> None:
        old, self.password = self.password, make_password(raw_password)
        # Race: the password was changed since this user was read; the change stays.
        User.objects.filter(pk=self.pk, password=old).update(password=self.password)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django's is of the password's hash, which may be replaced by a better one.
        return salted_hmac("booking.User.session", self.session_key, secret=secret, algorithm="sha256").hexdigest()


class RevokedSession(models.Model):
    """A sign-in whose tokens are dead: signed out, or ended as somebody else had its refresh token."""

    # The number that all tokens of the sign-in carry.
    number = models.BigIntegerField(primary_key=True)
    revoked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["revoked_at"], name="revoked_session_by_end")]

    def __str__(self) -> str:
        return str(self.number)


class RateLimitWindow(models.Model):
    """How often a key of services/counters.py was tried since its window began."""

    key = models.CharField(primary_key=True, max_length=64)
    number = models.PositiveBigIntegerField()
    # Seconds since 1970, by the database's clock.
    ends_at = models.FloatField()

    def __str__(self) -> str:
        return self.key
