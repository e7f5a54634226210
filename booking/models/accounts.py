"""Accounts, revoked sessions and rate-limit windows."""

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

from booking.models.folding import FoldedField, Folding, FoldingQuerySet, in_folded
from booking.models.loading import LoadsQuickly

SESSION_KEY_LENGTH = 22
# The largest id that a column can store.
LARGEST_ID = 2**63 - 1
# The ids of requests have at most 18 digits, so that each of them fits a column.
LARGEST_REQUESTED_ID = 10**18 - 1
POSITIVE_ID = "[1-9][0-9]{0,17}"


def new_session_key() -> str:
    """Return a new session key; tokens and sessions with another key than their user's are invalid."""
    return secrets.token_urlsafe(16)


class AccountManager(UserManager["User"]):
    """Finds users by username and e-mail address, ignoring case, and by name, ignoring accents too."""

    def get_queryset(self) -> FoldingQuerySet[User]:
        return FoldingQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.alias(lower_username=Lower("username")).get(lower_username=(username or "").lower())

    def with_email(self, email: str) -> models.QuerySet[User]:
        """Return the accounts with this e-mail address."""
        return self.alias(lower_email=Lower("email")).filter(lower_email=email.lower())

    def matching(self, text: str) -> models.QuerySet[User]:
        """Return the accounts in which each word of the text is part of the username, the name or the e-mail address.

        Accounts whose username begins with the text come first.
        """
        found = self.alias(
            later=models.Case(models.When(username__istartswith=text.strip(), then=0), default=1)
        ).order_by("later", Lower("username"))
        for word in text.split():
            found = found.filter(
                models.Q(username__icontains=word) | models.Q(email__icontains=word) | in_folded(User, word)
            )
        return found

    def signed_in(self, user_id: int, session_id: int, key: str) -> models.QuerySet[User]:
        """Return the account, if it is active, has this key, and the session is not revoked."""
        revoked = RevokedSession.objects.filter(pk=session_id)
        return self.filter(~models.Exists(revoked), pk=user_id, is_active=True, session_key=key)


class User(Folding, LoadsQuickly, AbstractUser):
    """A customer or a member of staff."""

    # ASCII only: different names look different, and every database ignores case in the same way.
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
    # Without an index: they are searched for any part.
    folded_first_name = FoldedField("first_name", max_length=300)
    folded_last_name = FoldedField("last_name", max_length=300)

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
        """Always saves a new password together with the new session key, which invalidates old tokens."""
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
        """Return whether the password is correct. An outdated hash is replaced without signing the user out."""
        return check_password(raw_password, self.password, self._replace_hash)

    def _replace_hash(self, raw_password: str) -> None:
        old, self.password = self.password, make_password(raw_password)
        # Race: the password was changed since this user was loaded; the new hash stays.
        User.objects.filter(pk=self.pk, password=old).update(password=self.password)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # Django uses the password's hash, which changes when an outdated hash is replaced.
        return salted_hmac("booking.User.session", self.session_key, secret=secret, algorithm="sha256").hexdigest()


class RevokedSession(models.Model):
    """A session whose tokens are invalid: the user signed out, or its refresh token was used twice."""

    # The session's id in the claims of its tokens.
    number = models.BigIntegerField(primary_key=True)
    revoked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["revoked_at"], name="revoked_session_by_end")]

    def __str__(self) -> str:
        return str(self.number)


class RateLimitWindow(models.Model):
    """The number of attempts of a key since its window began (services/accounts/counters.py)."""

    key = models.CharField(primary_key=True, max_length=64)
    number = models.PositiveBigIntegerField()
    # Seconds since 1970, by the database's clock.
    ends_at = models.FloatField()

    def __str__(self) -> str:
        return self.key
