"""Each request as one line of the log and in the metrics, and the id by which its lines are found."""

import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import uuid4

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.utils.functional import empty

from booking.metrics import REQUESTS

logger = logging.getLogger("movieticket.requests")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    """Gives each record the id of the request at hand."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _request_id.get()
        return True


class RouteFilter(logging.Filter):
    """Names the route in the place of the path, which may hold the secret of a link."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = record.__dict__.pop("request", None)
        if request is not None and isinstance(record.args, tuple):
            match = request.resolver_match
            route = match.view_name if match else "no route"
            record.args = tuple(route if argument == request.path else argument for argument in record.args)
        return True


class QueryCounter:
    """Counts what the database is sent while it is in place."""

    number = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.number += 1
        return execute(*arguments)


class RequestMiddleware:
    """Takes the request's id from X-Request-ID, or makes one, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid4().hex
        token = _request_id.set(request_id)
        queries = QueryCounter()
        begin = perf_counter()
        try:
            with ExitStack() as stack:
                for connection in connections.all():
                    stack.enter_context(connection.execute_wrapper(queries))
                response = self.get_response(request)
            self._tell(request, response, perf_counter() - begin, queries.number)
        finally:
            _request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response

    def _tell(self, request: HttpRequest, response: HttpResponse, seconds: float, queries: int) -> None:
        # Clients choose paths and methods; only what the service knows gets a name in the metrics.
        method = request.method if request.method in METHODS else "other"
        route = request.resolver_match.view_name if request.resolver_match else ""
        status = response.status_code
        REQUESTS.labels(method, route, status).observe(seconds)
        line = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        logger.info("request", extra={**line, "queries": queries, "user_id": _user_id(request)})


def _user_id(request: HttpRequest) -> int | None:
    """Who was found to ask; nobody is looked up for it."""
    user = getattr(request, "user", None)
    if user is None or getattr(user, "_wrapped", user) is empty:
        return None
    user_id: int | None = user.pk
    return user_id
