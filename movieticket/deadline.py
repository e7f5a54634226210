"""How long a request may wait for the database, all in all.

A server that is frozen, cut off or waiting for a replica that is not there doesn't answer, and nothing on the
connection tells that from work. Outside a request, as in commands and migrations, there is no end to waiting.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from time import monotonic
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

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


def takes_long(view: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Gives a request STAFF_DATABASE_SECONDS from its start once it has reached the view.

    What runs before the view, such as reading the session, has DATABASE_SECONDS. What runs after it, such as rendering
    a TemplateResponse, has the rest of the longer time.
    """

    @wraps(view)
    def extended(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        deadline = _deadline.get()
        if deadline is not None:
            # DeadlineMiddleware resets it at the end of the request.
            _deadline.set(deadline + settings.STAFF_DATABASE_SECONDS - settings.DATABASE_SECONDS)
        return view(*args, **kwargs)

    return extended


class DeadlineMiddleware:
    """Gives each request DATABASE_SECONDS. A view that needs more is decorated with `takes_long`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with waiting_at_most(settings.DATABASE_SECONDS):
            return self._get_response(request)
