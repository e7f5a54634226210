"""Access and refresh tokens, and the keys that sign them.

Each token contains the id of its session and the user's session key. It is invalid if the user's key has changed or the
session was revoked.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar, cast

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from booking.models import User

T = TypeVar("T", bound="SessionToken")

USER_KEY_CLAIM = "key"
SESSION_CLAIM = "sid"


def kid_of(key: str) -> str:
    """Return the `kid` that identifies the key in a token's header."""
    return sha256(key.encode()).hexdigest()[:16]


class KeyRing(TokenBackend):
    """SimpleJWT's backend with several keys: the first one signs, and tokens of the others are still valid."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(api_settings.ALGORITHM, keys[0], leeway=api_settings.LEEWAY)
        self._kid = kid_of(keys[0])
        self._keys = {kid_of(key): self._prepare_key(key) for key in keys}

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self.prepared_signing_key, self.algorithm, headers={"kid": self._kid})

    def get_verifying_key(self, token: Any) -> Any:
        """Return the key for the token's `kid`, or the signing key. Raises TokenBackendError or PyJWT's exceptions."""
        kid = jwt.get_unverified_header(token).get("kid", self._kid)
        if kid not in self._keys:
            raise TokenBackendError("Token is signed with an unknown key")
        return self._keys[kid]


@lru_cache(maxsize=1)
def _key_ring(*keys: str) -> KeyRing:
    return KeyRing(keys)


class SessionToken(tokens.Token):
    def get_token_backend(self) -> TokenBackend:
        return _key_ring(settings.JWT_SIGNING_KEY, *settings.JWT_VERIFYING_KEYS)

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """Like SimpleJWT's method, but also raises TokenError if the claim is not a time."""
        try:
            super().check_exp(claim, current_time)
        except (TypeError, ValueError, OverflowError, OSError):
            raise TokenError(f"Token has no time in its '{claim}' claim") from None

    @classmethod
    def for_user(cls: type[T], user: User, session_id: int | None = None) -> T:  # type: ignore[override]
        """Return a token for the given session of the user, or for a new session."""
        token = cls()
        token[api_settings.USER_ID_CLAIM] = str(user.pk)
        token[USER_KEY_CLAIM] = user.session_key
        token[SESSION_CLAIM] = secrets.randbits(63) if session_id is None else session_id
        return token


class AccessToken(SessionToken, tokens.AccessToken):
    pass


class RefreshToken(SessionToken, tokens.RefreshToken):  # type: ignore[misc]
    """A refresh token, which can be used once and then has a successor. The database stores only ids of used tokens."""

    access_token_class = AccessToken

    def verify(self) -> None:
        """As SimpleJWT's, also of the id, which is looked up. Raises TokenError."""
        super().verify()
        if not re.fullmatch("[0-9a-f]{32}", str(self[api_settings.JTI_CLAIM])):
            raise TokenError("Token has no valid id")

    @property
    def access_token(self) -> AccessToken:
        """The access token that is issued with this token, the same each time."""
        return self._following(AccessToken, datetime_from_epoch(self["iat"]))

    def successor(self, used_at: datetime) -> "RefreshToken":
        """The refresh token that replaces this one, the same each time; `used_at` (UTC) is when it was first used."""
        return self._following(RefreshToken, used_at)

    def _following(self, token_class: type[T], issued_at: datetime) -> T:
        """A token of the same session whose id and times derive from this one, so that none has to be stored."""
        token = token_class()
        for claim in (api_settings.USER_ID_CLAIM, USER_KEY_CLAIM, SESSION_CLAIM):
            token[claim] = self[claim]
        own = f"{token_class.token_type} {self[api_settings.JTI_CLAIM]}".encode()
        token[api_settings.JTI_CLAIM] = hmac.new(settings.JWT_SIGNING_KEY.encode(), own, sha256).hexdigest()[:32]
        token.set_iat(at_time=issued_at)
        token.set_exp(from_time=issued_at)
        return token

    def check_blacklist(self) -> None:
        """Not checked here, but in the transaction that uses the token."""

    def use(self, now: datetime) -> tuple[datetime, bool]:
        """Marks the token as used; returns the time of its first use (UTC), and whether this is the first use."""
        used, is_first_use = OutstandingToken.objects.get_or_create(
            jti=self[api_settings.JTI_CLAIM],
            defaults={"created_at": now, "expires_at": datetime_from_epoch(self["exp"])},
        )
        BlacklistedToken.objects.get_or_create(token=used)
        return cast(datetime, used.created_at), is_first_use
