"""Authentication with JSON web tokens."""

import re
from contextlib import suppress
from functools import lru_cache
from time import time
from typing import Any

from rest_framework_simplejwt import authentication, exceptions
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings

from booking import services
from booking.infrastructure.tokens import SESSION_CLAIM, USER_KEY_CLAIM, AccessToken
from booking.models import LARGEST_ID, RevokedSession, User

# The errors of authentication: code → detail.
NOT_AUTHENTICATED = "not_authenticated"
DETAILS = {
    NOT_AUTHENTICATED: (
        "This needs an access token. Get one from POST /api/token/ and send it in the header: "
        "Authorization: Bearer <access token>."
    ),
    "bad_authorization_header": (
        'The header Authorization must be the word "Bearer", a space, and the access token of POST /api/token/.'
    ),
    "token_not_valid": (
        "This token is invalid or has expired. Get a new one from POST /api/token/refresh/, or sign in again with "
        "POST /api/token/."
    ),
    "user_not_found": "The account of this token was deleted.",
    "user_inactive": "The account of this token is not active.",
    "password_changed": (
        "The password was changed, or all devices were signed out, after this token was issued. Sign in again with "
        "POST /api/token/."
    ),
}
# Their errors of RFC 6750, section 3.1, for the header WWW-Authenticate.
CHALLENGES = dict.fromkeys(DETAILS.keys() - {NOT_AUTHENTICATED}, "invalid_token") | {
    "bad_authorization_header": "invalid_request"
}


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
    """SimpleJWT's authentication with a prepared query, a cache of decoded tokens, and errors that say what to do."""

    def __init__(self) -> None:
        """Skips SimpleJWT's lookup of the user model, which `get_user` does not need."""

    def get_raw_token(self, header: bytes) -> bytes | None:
        """Return the token, or None if the header is empty. The scheme's name may be in any case (RFC 9110, 11.1)."""
        match header.split():
            case []:
                return None
            case [scheme, token] if scheme.lower() == b"bearer":
                return token
        raise authentication_error("bad_authorization_header")

    def get_validated_token(self, raw_token: bytes) -> Any:
        """Return the decoded token. Raises AuthenticationFailed."""
        token = _valid_token(raw_token)
        if token is None:
            raise authentication_error("token_not_valid")
        return token

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """Return the token's user with current data. Raises AuthenticationFailed."""
        claims = claims_of(validated_token)
        user = self._find(claims)
        if user is None:
            raise _refusal(claims)
        return user

    def _find(self, claims: services.Claims) -> User | None:
        return services.find_account(**claims._asdict())


def claims_of(token: Any) -> services.Claims:
    """Return the token's claims about its account and session. Raises AuthenticationFailed."""
    try:
        user_id, session_id = _whole(token[api_settings.USER_ID_CLAIM]), _whole(token[SESSION_CLAIM])
        key = str(token.get(USER_KEY_CLAIM))
        # Another service may use the same key, so the claims may be values that the database can't store.
        if max(abs(user_id), abs(session_id)) > LARGEST_ID or not key.isascii() or "\0" in key:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise authentication_error("token_not_valid") from None
    return services.Claims(user_id, session_id, key)


def _whole(claim: Any) -> int:
    """Return an integer or a text of plain digits as a number. int() would accept other values, too."""
    if isinstance(claim, str) and not re.fullmatch("[0-9]+", claim):
        raise ValueError(claim)
    if isinstance(claim, bool) or not isinstance(claim, int | str):
        raise TypeError(claim)
    return int(claim)


class BookingAuthentication(JWTAuthentication):
    """Finds the user and counts the request under the limit for bookings, in one round trip."""

    def _find(self, claims: services.Claims) -> User | None:
        found = services.find_account_and_count(limit="booking", claims=claims)
        if found is None:
            return None
        # For BookingThrottle.
        found.user.limit_state = found.limit_state  # type: ignore[attr-defined]
        return found.user


def authentication_error(code: str) -> exceptions.AuthenticationFailed:
    """Return the exception for one of DETAILS."""
    return exceptions.AuthenticationFailed(DETAILS[code], code)


def _refusal(claims: services.Claims) -> exceptions.AuthenticationFailed:
    """Return the reason why the token is not valid."""
    user = User.objects.filter(pk=claims.user_id).first()
    if user is None:
        return authentication_error("user_not_found")
    if RevokedSession.objects.filter(pk=claims.session_id).exists():
        return authentication_error("token_not_valid")
    return authentication_error("password_changed" if user.is_active else "user_inactive")
