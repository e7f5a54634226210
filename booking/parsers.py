"""A JSON parser that refuses deeply nested and ambiguous bodies."""

import json
import re
from collections.abc import Mapping, Sequence
from math import isinf
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DIGITS = 100
SURROGATE = re.compile("[\ud800-\udfff]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BoundedJSONParser(JSONParser):
    """DRF's parser with a limit on depth and without duplicate keys. booking/middleware.py limits the size."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        if is_too_deep(body):
            raise ParseError("JSON parse error - nested too deep.")
        return read_json(body)


def is_too_deep(body: bytes) -> bool:
    """Return whether arrays and objects are nested deeper than MAX_JSON_DEPTH, in linear time."""
    if body.count(b"[") + body.count(b"{") <= settings.MAX_JSON_DEPTH:
        return False
    unescaped = re.sub(rb"(?s)\\.", b"", body)
    brackets = re.sub(rb'"[^"]*"?', b"", unescaped).translate(None, NO_BRACKETS)
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > settings.MAX_JSON_DEPTH:
            return True
    return False


def read_json(body: bytes) -> Any:
    """Return the decoded body. Raises ParseError if it is invalid or ambiguous."""
    try:
        # JSON is always UTF-8 (RFC 8259, section 8.1); the charset of the request is ignored.
        text = body.decode("utf-8")
        return _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise ParseError(f"JSON parse error - Byte {error.start} is not UTF-8.") from None
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from None


def _read_integer(digits: str) -> int:
    """Python refuses longer ones with advice on its own settings."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _read_fraction(text: str) -> float:
    """Python reads numbers that are too large as infinity, which JSON doesn't have."""
    number = float(text)
    if isinf(number):
        raise ValueError(f"{text[:MAX_DIGITS]} is too large.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON.")


def _each_key_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses duplicate keys: a proxy may have checked one value while this service uses the other (RFC 8259, 4).

    Refuses keys that are not text, too.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("A key occurs twice in one object.")
    # A response that names such a key can't be encoded. Values are refused by their fields.
    if any(SURROGATE.search(key) for key in members):
        raise ValueError("A key has a surrogate, which is no character.")
    return members


_decoder = json.JSONDecoder(
    parse_int=_read_integer,
    parse_float=_read_fraction,
    parse_constant=_refuse_constant,
    object_pairs_hook=_each_key_once,
)
