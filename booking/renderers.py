from typing import Any

from rest_framework import renderers
from rest_framework.compat import SHORT_SEPARATORS
from rest_framework.utils import encoders


class JSONRenderer(renderers.JSONRenderer):
    """DRF's, with its encoder made once and for all; nobody can ask for indents."""

    _encode = encoders.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=SHORT_SEPARATORS).encode

    def render(self, data: Any, _media_type: str | None = None, _context: Any = None) -> bytes:
        if data is None:
            return b""
        # What DRF escapes, for those who read JSON as JavaScript.
        return self._encode(data).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
