"""Serializers of movies, shows and seat maps."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from booking import services
from booking.models import Movie, Screen, Show
from booking.serializers.common import example, represent_time

# The examples in Swagger use ids and names of the demo data where possible.
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
    seats_available = serializers.IntegerField(
        min_value=0, help_text="The number of seats that can be booked now; 0 if the show is cancelled."
    )

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


class UnavailableSeatSerializer(serializers.Serializer[Any]):
    seat_number = serializers.IntegerField()
    seat_label = serializers.CharField()
    state = serializers.ChoiceField(choices=["booked", "held", "blocked"])
    mine = serializers.BooleanField(required=False, help_text="Present and true if the seat is the caller's own.")


class SeatMapSerializer(serializers.Serializer[Any]):
    show = serializers.IntegerField(help_text="The show's id.")
    starts_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)
    total_seats = serializers.IntegerField()
    seats_per_row = serializers.IntegerField()
    seats_available = serializers.IntegerField(min_value=0)
    unavailable = UnavailableSeatSerializer(many=True, help_text="The unavailable seats; all others are available.")

    class Meta:
        swagger_schema_fields = example(
            show=1,
            starts_at=SHOW_EXAMPLE["starts_at"],
            cancelled_at=None,
            total_seats=280,
            seats_per_row=20,
            seats_available=278,
            unavailable=[
                {"seat_number": 5, "seat_label": "A5", "state": "booked", "mine": True},
                {"seat_number": 141, "seat_label": "H1", "state": "blocked"},
            ],
        )


def represent_seat_map(seat_map: services.SeatMap) -> dict[str, Any]:
    zone = timezone.get_current_timezone()
    return {
        "show": seat_map.show_id,
        "starts_at": represent_time(seat_map.starts_at, zone),
        "cancelled_at": represent_time(seat_map.cancelled_at, zone),
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
