"""Whose request it is."""

from functools import lru_cache
from typing import Any

from rest_framework.request import Request
from rest_framework_simplejwt import authentication, exceptions
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken
from rest_framework_simplejwt.utils import aware_utcnow, get_md5_hash_password

from booking import services
from booking.models import User


@lru_cache(maxsize=4096)
def _token(raw_token: bytes) -> AccessToken:
    """A token whose signature is good; the same one comes again and again. Raises TokenError."""
    return AccessToken(raw_token)  # type: ignore[arg-type]


class JWTAuthentication(authentication.JWTAuthentication):
    """SimpleJWT's, with its query prepared and its work on a token's text done once. The refusals are SimpleJWT's."""

    def get_validated_token(self, raw_token: bytes) -> Any:
        try:
            token = _token(raw_token)
            token.check_exp(current_time=aware_utcnow())
        except TokenError:
            # Says what is wrong with it.
            return super().get_validated_token(raw_token)
        return token

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """The token's user as the database has it now. Raises InvalidToken or AuthenticationFailed."""
        try:
            user_id = int(validated_token[api_settings.USER_ID_CLAIM])
        except (KeyError, ValueError):
            raise exceptions.InvalidToken("Token contained no recognizable user identification") from None
        user = services.find_account(user_id=user_id)
        if user is None:
            raise exceptions.AuthenticationFailed("User not found", code="user_not_found")
        if not user.is_active:
            raise exceptions.AuthenticationFailed("User is inactive", code="user_inactive")
        if validated_token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
            raise exceptions.AuthenticationFailed("The user's password has been changed.", code="password_changed")
        return user


class OptionalJWTAuthentication(JWTAuthentication):
    """Knows who asks where the token is good, and takes everybody else, a stale token's owner too, for nobody."""

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except exceptions.AuthenticationFailed:
            return None
