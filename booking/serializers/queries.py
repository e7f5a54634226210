"""The query parameters of lists. Unknown parameters and invalid values are refused, with the parameter's name."""

from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from booking.pagination import Pagination
from booking.serializers.common import REFERENCE_PATTERN, PlainDateField, PlainIntegerField

MAX_TEXT_LENGTH = 100


class TextField(serializers.CharField):
    default_error_messages = {"not_utf_8": "Enter the text in UTF-8, without the character U+FFFD."}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, max_length=MAX_TEXT_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        # Django decodes bytes that are not UTF-8 to this character.
        if "\ufffd" in text:
            self.fail("not_utf_8")
        return text


class IdField(PlainIntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, min_value=1, **options)


class OrderingField(serializers.ListField):
    """Names separated by commas, with a minus in front for the reverse order. The first is the order of the list."""

    def __init__(self, *names: str) -> None:
        choices = [f"{sign}{name}" for name in names for sign in ("", "-")]
        super().__init__(
            child=serializers.ChoiceField(choices),
            required=False,
            help_text=f"Names separated by commas, `{names[0]}` unless given; `-` in front reverses the order.",
        )

    def to_internal_value(self, data: Any) -> list[str]:
        known = self.child.choices  # type: ignore[attr-defined]
        names: list[str] = data.split(",")
        for name in names:
            if name not in known:
                raise serializers.ValidationError(f'"{name}" is not one of {", ".join(known)}.', "invalid_choice")
        if len({name.removeprefix("-") for name in names}) < len(names):
            raise serializers.ValidationError("A name occurs twice.", "duplicate")
        return names


class ListQuery(serializers.Serializer[Any]):
    """The parameters that every list has. An empty parameter counts as absent."""

    page = PlainIntegerField(required=False, min_value=1, help_text="The number of the page, from 1.")
    page_size = PlainIntegerField(
        required=False,
        min_value=1,
        max_value=Pagination.max_page_size,
        help_text=f"Rows a page; {Pagination.page_size} unless given.",
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        # After those of the list.
        return fields | {name: fields.pop(name) for name in ("page", "page_size")}

    def to_internal_value(self, data: QueryDict) -> dict[str, Any]:
        unknown = f"Unknown parameter. This list has {', '.join(self.fields)}."
        errors: dict[str, Any] = {
            name: [ErrorDetail(unknown, "unknown")] for name in data if name not in self.fields
        } | {
            name: [ErrorDetail("The parameter occurs twice.", "duplicate")]
            for name, values in data.lists()
            if name in self.fields and len(values) > 1 and not isinstance(self.fields[name], OrderingField)
        }
        values: dict[str, Any] = {}
        try:
            # Generated clients send a list as one parameter or repeat the parameter; only an ordering is a list.
            joined = {name: ",".join(values) for name, values in data.lists()}
            values = super().to_internal_value({name: value for name, value in joined.items() if value})
        except serializers.ValidationError as error:
            errors = dict(error.detail) | errors  # type: ignore[arg-type]
        if errors:
            raise serializers.ValidationError(errors)
        return values


class MovieQuery(ListQuery):
    search = TextField(
        help_text='Words of the title or the director, ignoring case and accents; words in "quotes" stand together.'
    )
    language = TextField(help_text="Language, such as English.")
    genre = TextField(help_text="Genre, such as Drama.")
    ordering = OrderingField("title", "release_date", "duration_minutes")


class MovieShowQuery(ListQuery):
    date = PlainDateField(required=False, help_text="A day in the cinema's time zone, such as 2030-01-31.")
    to = PlainDateField(required=False, source="last_day", help_text="The last day of a period, included.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        # As a keyword of Python, `from` can't be the name of an attribute.
        start = PlainDateField(required=False, source="first_day", help_text="The first day of a period.")
        return {"date": fields.pop("date"), "from": start} | fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("first_day"), attrs.get("last_day")
        if "date" in attrs and (first or last):
            raise serializers.ValidationError({"date": "Not allowed with from and to."}, "conflict")
        if first and last and last < first:
            raise serializers.ValidationError({"to": "The last day must not be before the first."}, "invalid")
        return attrs


class ShowQuery(MovieShowQuery):
    movie = IdField(help_text="A movie's id.")
    screen = IdField(help_text="A screen's id.")
    ordering = OrderingField("starts_at", "title")


class BookingQuery(ListQuery):
    status = serializers.ChoiceField(
        ["booked", "held", "cancelled"], required=False, help_text="Bookings of this status only."
    )
    show = IdField(help_text="A show's id.")
    reference = serializers.RegexField(REFERENCE_PATTERN, required=False, help_text="The reference of your bookings.")
