"""The time limit for a request's database work.

A server that is frozen, unreachable or waiting for a missing replica does not answer, and the connection can't tell
this from a slow query. Outside a request, as in commands and migrations, there is no limit.
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
    """Return how much longer the current request may wait, or None if there is no limit."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - monotonic())


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Sets a deadline for the block."""
    token = _deadline.set(monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def with_staff_deadline(view: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorates a view: the request's deadline becomes STAFF_DATABASE_SECONDS after its start.

    Code that runs before the view, such as reading the session, still has DATABASE_SECONDS. Code that runs after the
    view, such as rendering a TemplateResponse, has the longer deadline.
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
    """Gives each request DATABASE_SECONDS. A view that needs more is decorated with `with_staff_deadline`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with waiting_at_most(settings.DATABASE_SECONDS):
            return self._get_response(request)
