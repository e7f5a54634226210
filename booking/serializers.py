"""Shape and type of what comes in and goes out."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
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
from booking.models import Booking, Movie, Screen, Show, User

MAX_PASSWORD_LENGTH = 128
MAX_TOKEN_LENGTH = 2000


# What Swagger shows; the ids and names are those of the demo data, as far as they can be.
MOVIE_EXAMPLE = {
    "id": 1,
    "title": "Apocalypto",
    "description": "A hunter runs for his life and his family through the forest.",
    "duration_minutes": 136,
    "certificate": "R",
    "language": "Mayan",
    "genre": "Adventure",
    "director": "Mel Gibson",
    "release_date": "2006-12-08",
}
SHOW_EXAMPLE = {
    "id": 1,
    "movie": {name: MOVIE_EXAMPLE[name] for name in ("id", "title", "duration_minutes", "certificate")},
    "screen": {"id": 1, "name": "Grand Hall"},
    "starts_at": "2030-01-31T20:00:00Z",
    "ends_at": "2030-01-31T22:16:00Z",
    "total_seats": 280,
    "seats_per_row": 20,
    "seats_available": 275,
    "cancelled_at": None,
}
BOOKING_EXAMPLE = {
    "id": 42,
    "reference": "K7QXW4NA",
    "show": {name: SHOW_EXAMPLE[name] for name in ("id", "movie", "screen", "starts_at", "ends_at")},
    "seat_number": 5,
    "seat_label": "A5",
    "status": "booked",
    "created_at": "2030-01-30T09:15:00Z",
    "cancelled_at": None,
    "expires_at": None,
}
HOLD_EXAMPLE = BOOKING_EXAMPLE | {"status": "held", "expires_at": "2030-01-30T09:25:00Z"}


def example(**fields: Any) -> dict[str, Any]:
    return {"example": fields}


class PlainIntegerField(serializers.IntegerField):
    """A JSON integer, or a string of plain ASCII digits: no boolean, no float, no other script's digits."""

    default_error_messages = {"invalid": "A whole number is required."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and re.fullmatch("[0-9]{1,18}", data):
            return int(data)
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        raise serializers.ValidationError(self.error_messages["invalid"], code="invalid")


class PlainBooleanField(serializers.BooleanField):
    """true or false, and nothing that could stand for it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


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


# --- Account ----------------------------------------------------------------------------------


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
        swagger_schema_fields = example(**MOVIE_EXAMPLE)


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
        swagger_schema_fields = example(**SHOW_EXAMPLE)


# --- Bookings ---------------------------------------------------------------------------------


class SeatSerializer(serializers.Serializer[Booking]):
    seat_number = PlainIntegerField(help_text="1 is A1, counted row by row.")

    class Meta:
        swagger_schema_fields = example(seat_number=5)


class MoveSerializer(SeatSerializer):
    """Where to move to."""

    class Meta:
        swagger_schema_fields = example(seat_number=6)


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
        fields = [
            "id",
            "reference",
            "show",
            "seat_number",
            "seat_label",
            "status",
            "created_at",
            "cancelled_at",
            "expires_at",
        ]
        extra_kwargs = {
            "status": {"choices": ["booked", "held", "cancelled"]},
            "expires_at": {"help_text": "When a hold runs out; null once it is booked."},
        }
        swagger_schema_fields = example(**BOOKING_EXAMPLE)


def check_number_of_seats(seats: int) -> None:
    if seats > settings.MAX_SEATS_PER_USER:
        raise serializers.ValidationError(f"At most {settings.MAX_SEATS_PER_USER} seats.")


class SeatNumbersField(serializers.ListField):
    class Meta:
        swagger_schema_fields = {"maxItems": settings.MAX_SEATS_PER_USER}

    def to_internal_value(self, data: Any) -> list[Any]:
        # Before each of them is looked at: there may be many.
        if isinstance(data, list):
            check_number_of_seats(len(data))
        numbers: list[Any] = super().to_internal_value(data)
        return numbers


class SeatsSerializer(serializers.Serializer[Booking]):
    """The seats by their numbers, or the number of seats."""

    seat_numbers = SeatNumbersField(
        child=PlainIntegerField(), required=False, allow_empty=False, help_text="1 is A1, counted row by row."
    )
    count = PlainIntegerField(
        required=False, min_value=1, help_text="In place of `seat_numbers`: the best seats, so many."
    )
    split = PlainBooleanField(
        required=False, help_text="With `count`: whether the seats may be apart where no row has so many together."
    )

    class Meta:
        swagger_schema_fields = example(count=2)

    def validate_seat_numbers(self, seats: list[int]) -> list[int]:
        twice = sorted(seat for seat, times in Counter(seats).items() if times > 1)
        if twice:
            raise serializers.ValidationError([f"Seat {seat} is named twice." for seat in twice])
        return seats

    def validate_count(self, count: int) -> int:
        check_number_of_seats(count)
        return count

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "seat_numbers" in attrs:
            extra = [name for name in ("count", "split") if name in attrs]
            if extra:
                raise serializers.ValidationError({name: ["Not together with seat_numbers."] for name in extra})
        elif "count" not in attrs:
            raise serializers.ValidationError({"seat_numbers": ["Name the seats, or give a count."]})
        return attrs


class GroupSerializer(serializers.Serializer[Any]):
    """Seats that were booked or cancelled together."""

    reference = serializers.CharField()
    bookings = BookingSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(reference=BOOKING_EXAMPLE["reference"], bookings=[BOOKING_EXAMPLE])


class HoldSerializer(serializers.Serializer[Any]):
    """Seats that are held together."""

    reference = serializers.CharField()
    expires_at = serializers.DateTimeField(help_text="When the first of the seats is free again.")
    expires_in_seconds = serializers.IntegerField(min_value=0)
    bookings = BookingSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(
            reference=HOLD_EXAMPLE["reference"],
            expires_at=HOLD_EXAMPLE["expires_at"],
            expires_in_seconds=600,
            bookings=[HOLD_EXAMPLE],
        )


class UnavailableSeatSerializer(serializers.Serializer[Any]):
    seat_number = serializers.IntegerField()
    seat_label = serializers.CharField()
    state = serializers.ChoiceField(choices=["booked", "held", "blocked"])
    mine = serializers.BooleanField(required=False, help_text="There, and true, where it is the caller's own.")


class SeatMapSerializer(serializers.Serializer[Any]):
    show = serializers.IntegerField(help_text="The show's id.")
    total_seats = serializers.IntegerField()
    seats_per_row = serializers.IntegerField()
    seats_available = serializers.IntegerField(min_value=0)
    unavailable = UnavailableSeatSerializer(many=True, help_text="The seats that can't be had; all others can.")

    class Meta:
        swagger_schema_fields = example(
            show=1,
            total_seats=280,
            seats_per_row=20,
            seats_available=278,
            unavailable=[
                {"seat_number": 5, "seat_label": "A5", "state": "booked", "mine": True},
                {"seat_number": 141, "seat_label": "H1", "state": "blocked"},
            ],
        )


# --- Whole answers ----------------------------------------------------------------------------

# One serializer for all answers: making its fields anew is most of what a single answer costs.
represent_booking = BookingSerializer().to_representation


def represent_group(bookings: Sequence[Booking]) -> dict[str, Any]:
    return {"reference": bookings[0].reference, "bookings": [represent_booking(booking) for booking in bookings]}


def represent_only(bookings: Sequence[Booking]) -> dict[str, Any]:
    [booking] = bookings
    return represent_booking(booking)


def represent_hold(holds: Sequence[Booking], now: datetime) -> dict[str, Any]:
    expires_at = min(hold.expires_at for hold in holds if hold.expires_at)
    group = represent_group(holds)
    return {
        "reference": group["reference"],
        "expires_at": serializers.DateTimeField().to_representation(expires_at),
        "expires_in_seconds": math.ceil((expires_at - now).total_seconds()),
        "bookings": group["bookings"],
    }


def represent_seat_map(seat_map: services.SeatMap) -> dict[str, Any]:
    return {
        "show": seat_map.show_id,
        "total_seats": seat_map.total_seats,
        "seats_per_row": seat_map.seats_per_row,
        "seats_available": seat_map.seats_available,
        "unavailable": [
            {
                "seat_number": seat_number,
                "seat_label": seat_map.seat_label(seat_number),
                "state": state,
                **({"mine": True} if mine else {}),
            }
            for seat_number, state, mine in seat_map.taken
        ],
    }
