"""Serializers of accounts and tokens."""

from typing import Any

from django.contrib.auth.validators import ASCIIUsernameValidator
from django.utils import timezone
from rest_framework import serializers
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)

from booking import services
from booking.authentication import JWTAuthentication
from booking.infrastructure import passwords
from booking.infrastructure.tokens import SESSION_CLAIM, RefreshToken
from booking.models import User
from booking.serializers.common import example

MAX_TOKEN_LENGTH = 2000
USED_BEFORE = "Token was used before; its session was ended"
SIGNED_OUT = "Signed out."


class PasswordField(serializers.CharField):
    """A password; leading and trailing spaces are part of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            write_only=True,
            trim_whitespace=False,
            max_length=passwords.MAX_LENGTH,
            style={"input_type": "password"},
            **kwargs,
        )


class EmailField(serializers.EmailField):
    """An e-mail address or an empty string; JSON Schema's format "email" does not allow the latter."""

    class Meta:
        swagger_schema_fields = {"format": "email-or-empty", "description": "An e-mail address, or empty."}


class AccountSerializer(serializers.ModelSerializer[User]):
    email = EmailField(max_length=254, allow_blank=True)

    class Meta:
        model = User
        fields = ["id", "username", "email"]
        swagger_schema_fields = example(id=7, username="esha", email="esha@example.com")


class AccountChangeSerializer(serializers.Serializer[User]):
    email = EmailField(max_length=254, allow_blank=True)

    class Meta:
        swagger_schema_fields = example(email="esha@example.com")


class RowField(serializers.JSONField):
    """An object with any fields."""

    class Meta:
        swagger_schema_fields = {"type": "object", "additionalProperties": True}


class ExportSerializer(serializers.Serializer[Any]):
    """Everything that is stored about the user."""

    account = RowField()

    class Meta:
        swagger_schema_fields = example(
            account={"id": 7, "username": "esha", "email": "esha@example.com"},
            **{name: [] for name in services.EXPORTED},
        )

    def get_fields(self) -> dict[str, Any]:
        rows = {name: serializers.ListField(child=RowField()) for name in services.EXPORTED}
        return super().get_fields() | rows


class SignupSerializer(serializers.Serializer[User]):
    username = serializers.CharField(max_length=150, validators=[ASCIIUsernameValidator()])
    password = PasswordField()
    email = EmailField(max_length=254, required=False, allow_blank=True)

    class Meta:
        swagger_schema_fields = example(username="esha", password="red-velvet-seats", email="esha@example.com")


class PasswordChangeSerializer(serializers.Serializer[User]):
    current_password = PasswordField()
    new_password = PasswordField()

    class Meta:
        swagger_schema_fields = example(current_password="red-velvet-seats", new_password="another-good-one")


def validate_refresh_token(text: str) -> tuple[RefreshToken, User]:
    """Return the token and its user, checked like those of an access token. Raises TokenError or DRF's exceptions."""
    token = RefreshToken(text)  # type: ignore[arg-type]
    return token, JWTAuthentication().get_user(token)


class TokenSerializer(TokenObtainPairSerializer):
    token_class = RefreshToken

    class Meta:
        swagger_schema_fields = example(username="esha", password="red-velvet-seats")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = serializers.CharField(max_length=150, write_only=True)
        self.fields["password"] = PasswordField()


class RefreshSerializer(TokenRefreshSerializer):
    """SimpleJWT's serializer, but it checks the user and the session, and that the token is used once."""

    token_class = RefreshToken
    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH)
    # Only in the response, which TokenPairSerializer describes.
    access = None  # type: ignore[assignment]

    class Meta:
        swagger_schema_fields = example(refresh="eyJhbGciOiJIUzI1NiIs…")

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        used, _ = validate_refresh_token(attrs["refresh"])
        fresh = services.refresh_session(token=used, session_id=used[SESSION_CLAIM], now=timezone.now())
        if fresh is None:
            raise TokenError(USED_BEFORE)
        return {"access": str(fresh.access_token), "refresh": str(fresh)}


class LogoutSerializer(TokenBlacklistSerializer):
    token_class = RefreshToken
    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH, write_only=True)

    class Meta:
        swagger_schema_fields = example(refresh="eyJhbGciOiJIUzI1NiIs…")

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        token, _ = validate_refresh_token(attrs["refresh"])
        if not services.revoke_session(token=token, session_id=token[SESSION_CLAIM], now=timezone.now()):
            raise TokenError(USED_BEFORE)
        return {"detail": SIGNED_OUT}


class DeletionSerializer(serializers.Serializer[User]):
    password = PasswordField()

    class Meta:
        swagger_schema_fields = example(password="red-velvet-seats")


class PasswordResetSerializer(serializers.Serializer[User]):
    email = serializers.EmailField(max_length=254)

    class Meta:
        swagger_schema_fields = example(email="esha@example.com")


class NewPasswordSerializer(serializers.Serializer[User]):
    uid = serializers.CharField(max_length=40, help_text="The `uid` in the link.")
    token = serializers.CharField(max_length=100, help_text="The `token` in the link.")
    new_password = PasswordField()

    class Meta:
        swagger_schema_fields = example(uid="Nw", token="d3kmt9-8a1f…", new_password="another-good-one")


class TokenPairSerializer(serializers.Serializer[Any]):
    """The response to a sign-in or a refresh."""

    access = serializers.CharField()
    refresh = serializers.CharField()

    class Meta:
        swagger_schema_fields = example(access="eyJhbGciOiJIUzI1NiIs…", refresh="eyJhbGciOiJIUzI1NiIs…")
