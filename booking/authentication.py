"""Whose request it is."""

from contextlib import suppress
from functools import lru_cache
from time import time
from typing import Any

from rest_framework.request import Request
from rest_framework_simplejwt import authentication, exceptions
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings

from booking import services
from booking.infrastructure.tokens import SIGN_IN_CLAIM, USER_KEY_CLAIM, AccessToken
from booking.models import EndedSignIn, User

LARGEST_ID = 2**63 - 1


@lru_cache(maxsize=4096)
def _token(raw_token: bytes) -> AccessToken:
    """A token whose signature is good; the same one comes again and again. Raises TokenError."""
    return AccessToken(raw_token)  # type: ignore[arg-type]


def _good_token(raw_token: bytes) -> AccessToken | None:
    with suppress(TokenError):
        token = _token(raw_token)
        if token["exp"] > time():
            return token
    return None


class JWTAuthentication(authentication.JWTAuthentication):
    """SimpleJWT's, with its query prepared and its work on a token's text done once. The refusals are SimpleJWT's."""

    def __init__(self) -> None:
        """Leaves out what SimpleJWT looks up for each request: the model of the accounts, which get_user knows."""

    def get_validated_token(self, raw_token: bytes) -> Any:
        token = _good_token(raw_token)
        # What is wrong with it is SimpleJWT's to say.
        return super().get_validated_token(raw_token) if token is None else token

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """The token's user as the database has it now. Raises InvalidToken or AuthenticationFailed."""
        claims = claims_of(validated_token)
        user = self._find(claims)
        if user is None:
            raise _refusal(claims)
        return user

    def _find(self, claims: services.Claims) -> User | None:
        return services.find_account(**claims._asdict())


def claims_of(token: Any) -> services.Claims:
    """What the token says of its account. Raises InvalidToken."""
    try:
        user_id, sign_in = int(token[api_settings.USER_ID_CLAIM]), int(token[SIGN_IN_CLAIM])
        key = str(token.get(USER_KEY_CLAIM))
        # Another service may sign with our key; what the database can't hold is of none of our accounts.
        if max(abs(user_id), abs(sign_in)) > LARGEST_ID or not key.isascii() or "\0" in key:
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise exceptions.InvalidToken("Token contained no recognizable user identification") from None
    return services.Claims(user_id, sign_in, key)


class BookingAuthentication(JWTAuthentication):
    """Counts the request under the limit for bookings, in the round trip that finds the user."""

    def _find(self, claims: services.Claims) -> User | None:
        found = services.find_account_and_count(limit="booking", claims=claims)
        if found is None:
            return None
        # For BookingThrottle.
        found.user.seconds_to_wait = found.seconds_to_wait  # type: ignore[attr-defined]
        return found.user


def _refusal(claims: services.Claims) -> exceptions.AuthenticationFailed:
    """Why the token is not good."""
    user = User.objects.filter(pk=claims.user_id).first()
    if user is None:
        return exceptions.AuthenticationFailed("User not found", code="user_not_found")
    if EndedSignIn.objects.filter(pk=claims.sign_in).exists():
        return exceptions.InvalidToken("This sign-in has ended")
    if not user.is_active:
        return exceptions.AuthenticationFailed("User is inactive", code="user_inactive")
    return exceptions.AuthenticationFailed(
        "The user's password has been changed, or all devices were signed out.", code="password_changed"
    )


class OptionalJWTAuthentication(JWTAuthentication):
    """Knows who asks where the token is good, and takes everybody else, a stale token's owner too, for nobody."""

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except exceptions.AuthenticationFailed:
            return None
