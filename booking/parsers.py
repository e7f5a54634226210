"""Reading a request's body without letting it harm the service."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = f"The body must not be larger than {settings.MAX_BODY_BYTES} bytes."
    default_code = "body_too_large"


class BoundedJSONParser(JSONParser):
    """DRF's parser with a limit on size and a clear error for a body nested too deep."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            # JSON is UTF-8 (RFC 8259, section 8.1), whatever charset a client names.
            return super().parse(BytesIO(body), media_type, {**(parser_context or {}), "encoding": "utf-8"})
        except RecursionError:
            raise ParseError("JSON parse error - nested too deep.") from None
