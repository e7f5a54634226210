"""The tokens of a sign-in, and the keys that sign them.

Each token carries the number of the sign-in that it descends from and its user's key of that time. It is dead when
the user has got another key, or when the sign-in was ended.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from booking.models import User

T = TypeVar("T", bound="SignInToken")

USER_KEY_CLAIM = "key"
SIGN_IN_CLAIM = "sign_in"


def kid_of(key: str) -> str:
    """What a token's header calls the key that signed it."""
    return sha256(key.encode()).hexdigest()[:16]


class KeyRing(TokenBackend):
    """SimpleJWT's backend with several keys: the first one signs, tokens of the others are still good."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(api_settings.ALGORITHM, keys[0])
        self._kid = kid_of(keys[0])
        self._keys = {kid_of(key): self._prepare_key(key) for key in keys}

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self.prepared_signing_key, self.algorithm, headers={"kid": self._kid})

    def get_verifying_key(self, token: Any) -> Any:
        """The key that the token names, or the one that signs. Raises TokenBackendError or a mistake of PyJWT's."""
        kid = jwt.get_unverified_header(token).get("kid", self._kid)
        if kid not in self._keys:
            raise TokenBackendError("Token is signed with an unknown key")
        return self._keys[kid]


@lru_cache(maxsize=1)
def _key_ring(*keys: str) -> KeyRing:
    return KeyRing(keys)


class SignInToken(tokens.Token):
    def get_token_backend(self) -> TokenBackend:
        return _key_ring(settings.JWT_SIGNING_KEY, *settings.JWT_VERIFYING_KEYS)

    def check_exp(self, claim: str = "exp", current_time: datetime | None = None) -> None:
        """As SimpleJWT's, also of what is no time at all. Raises TokenError."""
        try:
            super().check_exp(claim, current_time)
        except (TypeError, ValueError, OverflowError, OSError):
            raise TokenError(f"Token has no time in its '{claim}' claim") from None

    @classmethod
    def for_user(cls: type[T], user: User, sign_in: int | None = None) -> T:  # type: ignore[override]
        """A token of a sign-in of the user's, of a new one unless its number is given."""
        token = cls()
        token[api_settings.USER_ID_CLAIM] = str(user.pk)
        token[USER_KEY_CLAIM] = user.token_key
        token[SIGN_IN_CLAIM] = secrets.randbits(63) if sign_in is None else sign_in
        return token


class AccessToken(SignInToken, tokens.AccessToken):
    pass


class RefreshToken(SignInToken, tokens.RefreshToken):  # type: ignore[misc]
    """Good for one use. No live one stands in the database, only those that were used, by their ids."""

    access_token_class = AccessToken

    def check_blacklist(self) -> None:
        """Not asked here: whether it was used before is decided when it is used, in a transaction."""

    def blacklist(self) -> Any:
        """Uses it up; gives the entry, and whether this was the first use."""
        used, _ = OutstandingToken.objects.get_or_create(
            jti=self[api_settings.JTI_CLAIM],
            defaults={"created_at": self.current_time, "expires_at": datetime_from_epoch(self["exp"])},
        )
        return BlacklistedToken.objects.get_or_create(token=used)
