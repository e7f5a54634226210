"""Authentication with JSON web tokens."""

from contextlib import suppress
from functools import lru_cache
from time import time
from typing import Any

from rest_framework_simplejwt import authentication, exceptions
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings

from booking import services
from booking.infrastructure.tokens import SESSION_CLAIM, USER_KEY_CLAIM, AccessToken
from booking.models import RevokedSession, User

LARGEST_ID = 2**63 - 1


@lru_cache(maxsize=4096)
def _token(raw_token: bytes) -> AccessToken:
    """Decode a token; cached, because a client sends the same token many times. Raises TokenError."""
    return AccessToken(raw_token)  # type: ignore[arg-type]


def _valid_token(raw_token: bytes) -> AccessToken | None:
    with suppress(TokenError):
        token = _token(raw_token)
        if token["exp"] > time():
            return token
    return None


class JWTAuthentication(authentication.JWTAuthentication):
    """SimpleJWT's authentication with a prepared query and a cache of decoded tokens. Errors are SimpleJWT's."""

    def __init__(self) -> None:
        """Skips SimpleJWT's lookup of the user model, which `get_user` does not need."""

    def get_validated_token(self, raw_token: bytes) -> Any:
        token = _valid_token(raw_token)
        # For an invalid token, SimpleJWT raises the error.
        return super().get_validated_token(raw_token) if token is None else token

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """Return the token's user with current data. Raises InvalidToken or AuthenticationFailed."""
        claims = claims_of(validated_token)
        user = self._find(claims)
        if user is None:
            raise _refusal(claims)
        return user

    def _find(self, claims: services.Claims) -> User | None:
        return services.find_account(**claims._asdict())


def claims_of(token: Any) -> services.Claims:
    """Return the token's claims about its account and session. Raises InvalidToken."""
    try:
        user_id, session_id = int(token[api_settings.USER_ID_CLAIM]), int(token[SESSION_CLAIM])
        key = str(token.get(USER_KEY_CLAIM))
        # Another service may use the same key, so the claims may be values that the database can't store.
        if max(abs(user_id), abs(session_id)) > LARGEST_ID or not key.isascii() or "\0" in key:
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise exceptions.InvalidToken("Token contained no recognizable user identification") from None
    return services.Claims(user_id, session_id, key)


class BookingAuthentication(JWTAuthentication):
    """Finds the user and counts the request under the limit for bookings, in one round trip."""

    def _find(self, claims: services.Claims) -> User | None:
        found = services.find_account_and_count(limit="booking", claims=claims)
        if found is None:
            return None
        # For BookingThrottle.
        found.user.seconds_to_wait = found.seconds_to_wait  # type: ignore[attr-defined]
        return found.user


def _refusal(claims: services.Claims) -> exceptions.AuthenticationFailed:
    """Return the reason why the token is not valid."""
    user = User.objects.filter(pk=claims.user_id).first()
    if user is None:
        return exceptions.AuthenticationFailed("User not found", code="user_not_found")
    if RevokedSession.objects.filter(pk=claims.session_id).exists():
        return exceptions.InvalidToken("The session of this token was ended")
    if not user.is_active:
        return exceptions.AuthenticationFailed("User is inactive", code="user_inactive")
    return exceptions.AuthenticationFailed(
        "The user's password has been changed, or all devices were signed out.", code="password_changed"
    )
