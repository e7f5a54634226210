"""How long a request may wait for the database, all in all.

A server that is frozen, cut off or waiting for a replica that is not there doesn't answer, and nothing on the
connection tells that from work. Outside a request, as in commands and migrations, there is no end to waiting.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from booking.paths import is_api

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def seconds_left() -> float | None:
    """How much longer the request at hand may wait; None where there is no end to it."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - monotonic())


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Sets what runs within it a deadline."""
    token = _deadline.set(monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class DeadlineMiddleware:
    """Sets each request its deadline. Staff wait longer, for their reports and imports are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with waiting_at_most(settings.DATABASE_SECONDS if is_api(request) else settings.STAFF_DATABASE_SECONDS):
            return self._get_response(request)
