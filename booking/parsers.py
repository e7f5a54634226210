"""Reading a request's body without letting it harm the service."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DIGITS = 100
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BoundedJSONParser(JSONParser):
    """DRF's parser with a limit on depth, and each key once; booking/middleware.py has the limit on size."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        if is_too_deep(body):
            raise ParseError("JSON parse error - nested too deep.")
        return read_json(body)


def is_too_deep(body: bytes) -> bool:
    """Whether more than MAX_JSON_DEPTH arrays and objects are open at once, in time linear in the body's length."""
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
    """What the body says, where that can be read in one way alone. Raises ParseError."""
    try:
        # JSON is UTF-8 (RFC 8259, section 8.1), whatever charset a client names.
        text = body.decode("utf-8")
        return _decoder.decode(text)
    except ValueError as error:
        raise ParseError(f"JSON parse error - {error}") from None


def _read_integer(digits: str) -> int:
    """Python refuses longer ones with advice on its own settings."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"A number has more than {MAX_DIGITS} digits.")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")


def _each_key_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for one key a proxy may have checked the one and we would take the other (RFC 8259, section 4)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("A key occurs twice in one object.")
    return members


_decoder = json.JSONDecoder(parse_int=_read_integer, parse_constant=_refuse_constant, object_pairs_hook=_each_key_once)
