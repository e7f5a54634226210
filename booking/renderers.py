from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework import renderers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
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


class JSONAlways(BaseContentNegotiation):
    """Answers in JSON whatever a client says it accepts, as RFC 9110, section 12.5.1, allows."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[renderers.BaseRenderer], format_suffix: str | None = None
    ) -> tuple[renderers.BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
