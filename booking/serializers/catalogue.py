"""Serializers of movies, shows and seat maps."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from booking import services
from booking.models import Movie, Screen, SeatCategory, SeatPlan, Show, TicketType, represent_amount
from booking.serializers.common import AmountField, example, represent_time

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
    "plan": 1,
    "total_seats": 280,
    "seats_available": 275,
    "lowest_price": "9.00",
    "cancelled_at": None,
}
PRICE_EXAMPLE = {"category": "S", "ticket_type": {"id": 1, "name": "Adult"}, "amount": "12.00"}


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
    plan = serializers.IntegerField(source="plan_id", help_text="The id of the seat plan.")
    seats_available = serializers.IntegerField(
        min_value=0, help_text="The number of seats that can be booked now; 0 if the show is cancelled."
    )
    lowest_price = AmountField(allow_null=True, help_text="The lowest price of the show; null if it is free.")

    class Meta:
        model = Show
        fields = [
            "id",
            "movie",
            "screen",
            "starts_at",
            "ends_at",
            "plan",
            "total_seats",
            "seats_available",
            "lowest_price",
            "cancelled_at",
        ]
        swagger_schema_fields = example(**SHOW_EXAMPLE)


class TicketTypeSerializer(serializers.ModelSerializer[TicketType]):
    class Meta:
        model = TicketType
        fields = ["id", "name"]


class PriceSerializer(serializers.Serializer[Any]):
    category = serializers.CharField(help_text="The code of the seat category.")
    ticket_type = TicketTypeSerializer()
    amount = AmountField()


class ShowDetailSerializer(ShowSerializer):
    currency = serializers.CharField(help_text="The code of the currency (ISO 4217).")
    prices = PriceSerializer(
        many=True, help_text="By seat category and ticket type; a combination without a price is not sold."
    )

    class Meta(ShowSerializer.Meta):
        fields = [*ShowSerializer.Meta.fields, "currency", "prices"]
        swagger_schema_fields = example(**SHOW_EXAMPLE, currency=settings.CURRENCY, prices=[PRICE_EXAMPLE])


class UnavailableSeatSerializer(serializers.Serializer[Any]):
    seat_number = serializers.IntegerField()
    seat_label = serializers.CharField()
    category = serializers.CharField(help_text="The code of the seat's category.")
    state = serializers.ChoiceField(choices=["booked", "held", "blocked"])
    mine = serializers.BooleanField(required=False, help_text="Present and true if the seat is the caller's own.")


class SeatMapSerializer(serializers.Serializer[Any]):
    show = serializers.IntegerField(help_text="The show's id.")
    starts_at = serializers.DateTimeField()
    cancelled_at = serializers.DateTimeField(allow_null=True)
    plan = serializers.IntegerField(help_text="The id of the seat plan.")
    total_seats = serializers.IntegerField()
    seats_available = serializers.IntegerField(min_value=0)
    unavailable = UnavailableSeatSerializer(many=True, help_text="The unavailable seats; all others are available.")

    class Meta:
        swagger_schema_fields = example(
            show=1,
            starts_at=SHOW_EXAMPLE["starts_at"],
            cancelled_at=None,
            plan=1,
            total_seats=280,
            seats_available=278,
            unavailable=[
                {"seat_number": 5, "seat_label": "A5", "category": "S", "state": "booked", "mine": True},
                {"seat_number": 141, "seat_label": "H1", "category": "S", "state": "blocked"},
            ],
        )


def represent_seat_map(seat_map: services.SeatMap) -> dict[str, Any]:
    show, zone = seat_map.show, timezone.get_current_timezone()
    return {
        "show": show.pk,
        "starts_at": represent_time(show.starts_at, zone),
        "cancelled_at": represent_time(show.cancelled_at, zone),
        "plan": show.plan_id,
        "total_seats": show.total_seats,
        "seats_available": seat_map.seats_available,
        "unavailable": [
            {
                "seat_number": seat_number,
                "seat_label": seat.label,
                "category": seat.category,
                "state": state,
                **({"mine": True} if mine else {}),
            }
            for seat_number, state, mine in seat_map.taken
            for seat in [seat_map.seat(seat_number)]
        ],
    }


def represent_prices(prices: Sequence[services.ShowPrice]) -> list[dict[str, Any]]:
    return [
        {
            "category": price.category,
            "ticket_type": {"id": price.type_id, "name": price.type_name},
            "amount": represent_amount(price.amount),
        }
        for price in prices
    ]


class PlanCategorySerializer(serializers.ModelSerializer[SeatCategory]):
    class Meta:
        model = SeatCategory
        fields = ["code", "name", "colour"]


class SeatOfPlanSerializer(serializers.Serializer[Any]):
    seat_number = serializers.IntegerField()
    label = serializers.CharField(help_text="The label printed on the seat, such as C7.")  # type: ignore[assignment]
    row = serializers.CharField()
    x = serializers.IntegerField(help_text="The position in the drawing, in seat widths from the left, from 0.")
    y = serializers.IntegerField(help_text="The position in the drawing, in rows from the screen, from 0.")
    category = serializers.CharField(help_text="The code of the seat's category.")
    accessible = serializers.BooleanField()


class RowOfPlanSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    seats = SeatOfPlanSerializer(many=True)


class SeatPlanSerializer(serializers.Serializer[Any]):
    """All seats of a hall. A seat plan never changes."""

    id = serializers.IntegerField()
    total_seats = serializers.IntegerField()
    categories = PlanCategorySerializer(many=True)
    rows = RowOfPlanSerializer(many=True)

    class Meta:
        swagger_schema_fields = example(
            id=1,
            total_seats=1,
            categories=[{"code": "S", "name": "Standard", "colour": "#3b6ea5"}],
            rows=[
                {
                    "label": "A",
                    "seats": [
                        {
                            "seat_number": 1,
                            "label": "A1",
                            "row": "A",
                            "x": 0,
                            "y": 0,
                            "category": "S",
                            "accessible": False,
                        }
                    ],
                }
            ],
        )


def represent_seat_plan(plan: SeatPlan, categories: Iterable[SeatCategory]) -> dict[str, Any]:
    hall = plan.hall
    return {
        "id": plan.pk,
        "total_seats": plan.total_seats,
        "categories": [
            {"code": category.code, "name": category.name, "colour": category.colour} for category in categories
        ],
        "rows": [
            {
                "label": row[0].row,
                "seats": [hall.represent(seat) for seat in row],
            }
            for row in hall.rows
        ],
    }
