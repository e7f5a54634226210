"""Shape and type of what comes in and goes out."""

import re
from typing import Any, cast

from django.contrib.auth.validators import ASCIIUsernameValidator
from rest_framework import serializers
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)

from booking.models import Booking, Movie, Screen, Show, User

MAX_PASSWORD_LENGTH = 128
MAX_TOKEN_LENGTH = 2000


class PlainIntegerField(serializers.IntegerField):
    """A JSON integer, or a string of plain ASCII digits: no boolean, no float, no other script's digits."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and re.fullmatch("[0-9]{1,18}", data):
            return int(data)
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError(self.error_messages["invalid"], code="invalid")


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


# --- Account ----------------------------------------------------------------------------------


class AccountSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email"]
        read_only_fields = ["id", "username"]
        extra_kwargs = {"email": {"required": True}}


class SignupSerializer(serializers.Serializer[User]):
    username = serializers.CharField(max_length=150, validators=[ASCIIUsernameValidator()])
    password = PasswordField()
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True, default="")


class PasswordChangeSerializer(serializers.Serializer[User]):
    current_password = PasswordField()
    new_password = PasswordField()


class TokenSerializer(TokenObtainPairSerializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = serializers.CharField(max_length=150, write_only=True)
        self.fields["password"] = PasswordField()


class RefreshSerializer(TokenRefreshSerializer):
    """SimpleJWT's, but strict about whose token it is and how often it is used."""

    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        used = self.token_class(attrs["refresh"])
        # The same test that an access token has to pass: the user exists, is active, has this password.
        user = JWTAuthentication().get_user(used)
        # get_or_create's pair, whatever the annotation says.
        _, first_use = cast(tuple[Any, bool], used.blacklist())
        if not first_use:
            # Race: two requests passed the check of the blacklist with one token; one entry decides.
            raise TokenError("Token is blacklisted")
        fresh = self.token_class.for_user(user)
        return {"access": str(fresh.access_token), "refresh": str(fresh)}


class LogoutSerializer(TokenBlacklistSerializer):
    refresh = serializers.CharField(max_length=MAX_TOKEN_LENGTH, write_only=True)


class TokenPairSerializer(serializers.Serializer[Any]):
    """What sign-in and refresh answer."""

    access = serializers.CharField()
    refresh = serializers.CharField()


# --- Movies and shows -------------------------------------------------------------------------


class MovieSerializer(serializers.ModelSerializer[Movie]):
    class Meta:
        model = Movie
        fields = [
            "id",
            "title",
            "description",
            "duration_minutes",
            "certificate",
            "language",
            "genre",
            "director",
            "release_date",
        ]


class MovieBriefSerializer(serializers.ModelSerializer[Movie]):
    class Meta:
        model = Movie
        fields = ["id", "title", "duration_minutes", "certificate"]


class ScreenSerializer(serializers.ModelSerializer[Screen]):
    class Meta:
        model = Screen
        fields = ["id", "name"]


class ShowSerializer(serializers.ModelSerializer[Show]):
    movie = MovieBriefSerializer()
    screen = ScreenSerializer()
    seats_available = serializers.IntegerField(min_value=0, help_text="Seats that can be booked now.")

    class Meta:
        model = Show
        fields = [
            "id",
            "movie",
            "screen",
            "starts_at",
            "ends_at",
            "total_seats",
            "seats_per_row",
            "seats_available",
            "cancelled_at",
        ]


# --- Bookings ---------------------------------------------------------------------------------


class SeatSerializer(serializers.Serializer[Booking]):
    seat_number = PlainIntegerField(help_text="1 is A1, counted row by row.")


class BookedShowSerializer(serializers.ModelSerializer[Show]):
    movie = MovieBriefSerializer()
    screen = ScreenSerializer()

    class Meta:
        model = Show
        fields = ["id", "movie", "screen", "starts_at", "ends_at"]


class BookingSerializer(serializers.ModelSerializer[Booking]):
    show = BookedShowSerializer()
    seat_label = serializers.CharField(help_text="What is printed on the seat, such as C7.")

    class Meta:
        model = Booking
        fields = ["id", "reference", "show", "seat_number", "seat_label", "status", "created_at", "cancelled_at"]


# --- Refusals ---------------------------------------------------------------------------------


class RefusalSerializer(serializers.Serializer[Any]):
    """What a refusal looks like; `code` is stable, `detail` is for people."""

    detail = serializers.CharField()
    code = serializers.CharField()
    seats = serializers.ListField(child=serializers.IntegerField(), required=False)
