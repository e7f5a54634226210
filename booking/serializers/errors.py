"""Serializers that document errors and plain messages; booking/exception_handler.py writes the errors."""

from typing import Any

from rest_framework import serializers

from booking.serializers.common import example


class FieldErrorSerializer(serializers.Serializer[Any]):
    """An error in one field of the input."""

    field = serializers.CharField(
        allow_blank=True,
        help_text="The field or query parameter, as a path such as `seat_numbers.2`; empty for the body as a whole.",
    )
    code = serializers.CharField(help_text="What is wrong, for programs, such as `required`.")
    detail = serializers.CharField(help_text="What is wrong, as a sentence.")


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every error."""

    code = serializers.CharField(help_text="The reason, for programs.")
    detail = serializers.CharField(help_text="The reason, as a sentence.")
    errors = FieldErrorSerializer(  # type: ignore[assignment]
        many=True, required=False, help_text="With status 400: the errors in fields of the input."
    )


class MessageSerializer(serializers.Serializer[Any]):
    """The answer to a request that returns no object."""

    detail = serializers.CharField(help_text="What was done, as a sentence.")

    class Meta:
        swagger_schema_fields = example(detail="Signed out.")
