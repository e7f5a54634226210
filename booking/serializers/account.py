"""Accounts and signing in."""

from typing import Any

from django.contrib.auth.validators import ASCIIUsernameValidator
from rest_framework import serializers
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)

from booking import services
from booking.authentication import JWTAuthentication
from booking.models import User
from booking.serializers.common import example

MAX_PASSWORD_LENGTH = 128
MAX_TOKEN_LENGTH = 2000


class PasswordField(serializers.CharField):
    """Text taken as it is: blanks at its ends belong to a password."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            write_only=True,
            trim_whitespace=False,
            max_length=MAX_PASSWORD_LENGTH,
            style={"input_type": "password"},
            **kwargs,
        )


class EmailField(serializers.EmailField):
    """An address, or nothing, which no format of JSON Schema has a name for."""

    class Meta:
        swagger_schema_fields = {"format": "email-or-empty", "description": "An e-mail address, or empty."}


class AccountSerializer(serializers.ModelSerializer[User]):
    email = EmailField(max_length=254, allow_blank=True)

    class Meta:
        model = User
        fields = ["id", "username", "email"]
        read_only_fields = ["id", "username"]
        swagger_schema_fields = example(id=7, username="esha", email="esha@example.com")


class SignupSerializer(serializers.Serializer[User]):
    username = serializers.CharField(max_length=150, validators=[ASCIIUsernameValidator()])
    password = PasswordField()
    email = EmailField(max_length=254, required=False, allow_blank=True, default="")

    class Meta:
        swagger_schema_fields = example(username="esha", password="red-velvet-seats", email="esha@example.com")


class PasswordChangeSerializer(serializers.Serializer[User]):
    current_password = PasswordField()
    new_password = PasswordField()

    class Meta:
        swagger_schema_fields = example(current_password="red-velvet-seats", new_password="another-good-one")


class TokenSerializer(TokenObtainPairSerializer):
    class Meta:
        swagger_schema_fields = example(username="esha", password="red-velvet-seats")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = serializers.CharField(max_length=150, write_only=True)
        self.fields["password"] = PasswordField()


class RefreshSerializer(TokenRefreshSerializer):
    """SimpleJWT's, but strict about whose token it is and how often it is used."""

    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH)

    class Meta:
        swagger_schema_fields = example(refresh="eyJhbGciOiJIUzI1NiIs…")

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        used = self.token_class(attrs["refresh"])
        # The same test that an access token has to pass: the user exists, is active, has this password.
        user = JWTAuthentication().get_user(used)
        fresh = services.rotate_refresh_token(token=used, user=user)
        if fresh is None:
            raise TokenError("Token is blacklisted")
        return {"access": str(fresh.access_token), "refresh": str(fresh)}


class LogoutSerializer(TokenBlacklistSerializer):
    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH, write_only=True)

    class Meta:
        swagger_schema_fields = example(refresh="eyJhbGciOiJIUzI1NiIs…")


class TokenPairSerializer(serializers.Serializer[Any]):
    """What sign-in and refresh answer."""

    access = serializers.CharField()
    refresh = serializers.CharField()

    class Meta:
        swagger_schema_fields = example(access="eyJhbGciOiJIUzI1NiIs…", refresh="eyJhbGciOiJIUzI1NiIs…")
