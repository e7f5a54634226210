from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework import renderers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.utils import encoders

# DRF escapes these because they are line terminators in JavaScript.
LINE_ENDS = [("\u2028".encode(), rb"\u2028"), ("\u2029".encode(), rb"\u2029")]
# DRF's format for dates; numbers as keys, because errors of a list have indexes as keys.
OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
_default = encoders.JSONEncoder().default


def encode(data: Any) -> bytes:
    """Return the data as JSON in UTF-8. Raises TypeError for unsupported types and for integers over 64 bits."""
    body: bytes = orjson.dumps(data, _default, OPTIONS)
    for end, escape in LINE_ENDS:
        body = body.replace(end, escape)
    return body


class JSONRenderer(renderers.JSONRenderer):
    """DRF's renderer with a faster encoder and without indentation."""

    def render(self, data: Any, _media_type: str | None = None, _context: Any = None) -> bytes:
        return b"" if data is None else encode(data)


class ApiResponse(HttpResponse):
    """A JSON response that is rendered immediately, which is faster than DRF's Response."""

    def __init__(self, data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(data), JSONRenderer.media_type, status, headers=headers)


class JSONAlways(BaseContentNegotiation):
    """Always selects JSON and ignores the Accept header, as RFC 9110, section 12.5.1, allows."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[renderers.BaseRenderer], format_suffix: str | None = None
    ) -> tuple[renderers.BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
