"""Request logging: one log line and one metric per request, and the request's id on every log line."""

import logging
import re
import threading
from collections.abc import Callable
from contextvars import ContextVar
from secrets import token_hex
from time import perf_counter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from django.utils.functional import empty
from prometheus_client import Histogram

logger = logging.getLogger("movieticket.requests")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUESTS = Histogram(
    "http_request_duration_seconds",
    "Requests, by route and status.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _request_id.get()
        return True


class RouteFilter(logging.Filter):
    """Replaces the path in a record by the route, because the path may contain the token of a link."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = record.__dict__.pop("request", None)
        # In the records of runserver, `request` is a socket.
        if hasattr(request, "resolver_match") and isinstance(record.args, tuple):
            match = request.resolver_match
            route = match.view_name if match else "no route"
            record.args = tuple(route if argument == request.path else argument for argument in record.args)
        return True


class QueryCounter(threading.local):
    """Counts the queries of each thread."""

    number = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.number += 1
        return execute(*arguments)

    def install(self, connection: BaseDatabaseWrapper, **_: Any) -> None:
        """Counts the queries of the connection from now on."""
        if self not in connection.execute_wrappers:
            # At the front, because connection.execute_wrapper() removes the last wrapper when its block ends.
            connection.execute_wrappers.insert(0, self)


_queries = QueryCounter()
connection_created.connect(_queries.install)


class RequestMiddleware:
    """Takes the request's id from X-Request-ID, or generates one, and adds it to the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID")
        request_id = given if given and REQUEST_ID.fullmatch(given) else token_hex(16)
        token = _request_id.set(request_id)
        sent_before = _queries.number
        begin = perf_counter()
        try:
            response = self.get_response(request)
            self._log(request, response, perf_counter() - begin, _queries.number - sent_before)
        finally:
            _request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response

    def _log(self, request: HttpRequest, response: HttpResponse, seconds: float, queries: int) -> None:
        # Clients choose paths and methods, so only known routes and methods become labels of the metric.
        method = request.method if request.method in METHODS else "other"
        route = request.resolver_match.view_name if request.resolver_match else ""
        status = response.status_code
        REQUESTS.labels(method, route, status).observe(seconds)
        extra = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "queries": queries,
            "user_id": _user_id(request),
        }
        logger.info("request", extra=extra)


def _user_id(request: HttpRequest) -> int | None:
    """Return the user's id if the user has already been loaded; this never queries the database."""
    user = getattr(request, "user", None)
    if user is None or getattr(user, "_wrapped", user) is empty:
        return None
    user_id: int | None = user.pk
    return user_id
