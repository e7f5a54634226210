"""Whose request it is."""

from typing import Any

from rest_framework_simplejwt import authentication, exceptions
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from booking.models import User
from booking.prepared import PreparedQuery

_user = PreparedQuery(lambda pk: User.objects.filter(pk=pk), 1)


class JWTAuthentication(authentication.JWTAuthentication):
    """SimpleJWT's, with the query that every signed-in request runs prepared. The refusals are SimpleJWT's."""

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """The token's user as the database has it now. Raises InvalidToken or AuthenticationFailed."""
        try:
            user_id = int(validated_token[api_settings.USER_ID_CLAIM])
        except (KeyError, ValueError):
            raise exceptions.InvalidToken("Token contained no recognizable user identification") from None
        users: list[User] = _user(user_id)
        if not users:
            raise exceptions.AuthenticationFailed("User not found", code="user_not_found")
        [user] = users
        if not user.is_active:
            raise exceptions.AuthenticationFailed("User is inactive", code="user_inactive")
        if validated_token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
            raise exceptions.AuthenticationFailed("The user's password has been changed.", code="password_changed")
        return user
