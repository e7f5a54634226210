"""Reading a request's body without letting it harm the service."""

import re
from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BoundedJSONParser(JSONParser):
    """DRF's parser with a limit on depth; booking/middleware.py has the one on size."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        if is_too_deep(body):
            raise ParseError("JSON parse error - nested too deep.")
        # JSON is UTF-8 (RFC 8259, section 8.1), whatever charset a client names.
        return super().parse(BytesIO(body), media_type, {**(parser_context or {}), "encoding": "utf-8"})


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
