"""The serializer of the API's front page."""

from typing import Any

from rest_framework import serializers

from booking.serializers.common import example


class RootSerializer(serializers.Serializer[Any]):
    """Addresses of the lists and the documents."""

    movies = serializers.URLField()
    shows = serializers.URLField()
    my_bookings = serializers.URLField()
    swagger = serializers.URLField(help_text="A page to try the API in.")
    redoc = serializers.URLField(help_text="The documentation as a page.")
    openapi = serializers.URLField(help_text="The OpenAPI 2.0 document.")

    class Meta:
        swagger_schema_fields = example(
            movies="https://tickets.example.com/api/movies/",
            shows="https://tickets.example.com/api/shows/",
            my_bookings="https://tickets.example.com/api/my-bookings/",
            swagger="https://tickets.example.com/swagger/",
            redoc="https://tickets.example.com/redoc/",
            openapi="https://tickets.example.com/swagger.json",
        )
