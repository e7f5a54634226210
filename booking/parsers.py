"""Reading a request's body without letting it harm the service."""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = f"The body must not be larger than {settings.MAX_BODY_BYTES} bytes."
    default_code = "body_too_large"


class BoundedJSONParser(JSONParser):
    """DRF's parser with a limit on size, a clear error for a body nested too deep, and each key once."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            return read_json(body)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deep.") from None


def read_json(body: bytes) -> Any:
    """What the body says, where that can be read in one way alone. Raises ParseError."""
    try:
        # JSON is UTF-8 (RFC 8259, section 8.1), whatever charset a client names.
        text = body.decode("utf-8")
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_each_key_once)
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")


def _each_key_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for one key a proxy may have checked the one and we would take the other (RFC 8259, section 4)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("A key occurs twice in one object.")
    return members
