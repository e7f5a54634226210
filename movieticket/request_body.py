"""A request's body is read whole before Django handles the request; what is wrong with it is noted in META.

Granian's workers wait for bodies in movieticket/granian_worker.py. Another server than granian, such as runserver,
waits for a body without a limit.
"""

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.urls import get_script_prefix, reverse

# The key in a request's META of the fault of its body. No header gets such a key.
FAULT = "movieticket.body_fault"
INCOMPLETE = "incomplete_body"
LATE = "request_timeout"

# The size that the form around a file may have.
FORM_BYTES = 10_000

LENGTH = re.compile("[0-9]{1,100}")
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def has_valid_length(environ: Environ) -> bool:
    """Return whether the announced length, if any, consists of digits. Python would also read `+9` and `1_9`."""
    return bool(LENGTH.fullmatch(environ.get("CONTENT_LENGTH") or "0"))


def body_length(environ: Environ) -> int:
    """The announced length; Django reads as much as that, and takes a body without a length for empty."""
    return int(environ.get("CONTENT_LENGTH") or 0) if has_valid_length(environ) else 0


def most_bytes(path: str) -> int:
    """Return the maximum size of the body of a request to the path (without SCRIPT_NAME)."""
    if f"{get_script_prefix()}{path.removeprefix('/')}" == reverse("admin:booking_movie_import"):
        return settings.MAX_UPLOAD_BYTES + FORM_BYTES
    return settings.MAX_BODY_BYTES


def is_read(environ: Environ) -> bool:
    """Return whether the request has a body that is read: not that of a GET, nor one that is refused for its length."""
    length = body_length(environ)
    return length > 0 and environ["REQUEST_METHOD"] not in ("GET", "HEAD") and not _is_too_long(environ, length)


def _is_too_long(environ: Environ, length: int) -> bool:
    return length > settings.MAX_BODY_BYTES and length > most_bytes(environ["PATH_INFO"])


class WholeBody:
    """A WSGI application that reads a request's body and passes the request on to another one."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if FAULT not in environ and is_read(environ):
            length = body_length(environ)
            body = environ["wsgi.input"].read(length)
            if len(body) < length:
                environ[FAULT] = INCOMPLETE
            environ["wsgi.input"] = BytesIO(body)
        return self._application(environ, start_response)
