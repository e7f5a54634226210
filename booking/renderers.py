from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework import renderers
from rest_framework.utils import encoders

# What DRF escapes, for those who read JSON as JavaScript: characters that end a line there.
LINE_ENDS = [("\u2028".encode(), rb"\u2028"), ("\u2029".encode(), rb"\u2029")]
# Dates as DRF writes them; and what is wrong with a list is told by the places in it, which are numbers.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
_default = encoders.JSONEncoder().default


def encode(data: Any) -> bytes:
    """The data as JSON in UTF-8. Raises TypeError for what is no data, and for whole numbers over 64 bits."""
    body: bytes = orjson.dumps(data, _default, OPTIONS)
    for end, escape in LINE_ENDS:
        body = body.replace(end, escape)
    return body


class JSONRenderer(renderers.JSONRenderer):
    """DRF's with a faster encoder; nobody can ask for indents."""

    def render(self, data: Any, _media_type: str | None = None, _context: Any = None) -> bytes:
        return b"" if data is None else encode(data)


class JSONAnswer(HttpResponse):
    """What DRF's Response becomes, without the way there by a template: JSON is all that anybody can ask for."""

    def __init__(self, data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(data), JSONRenderer.media_type, status, headers=headers)
