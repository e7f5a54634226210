"""Converts refusals and other exceptions to HTTP responses."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as drf_exception_handler

from booking.authentication import CHALLENGES, DETAILS, NOT_AUTHENTICATED
from booking.infrastructure.metrics import REFUSALS
from booking.paths import is_api
from booking.renderers import ApiResponse
from booking.services import Busy, InvalidInput, Kind, Refusal, is_transient_error

logger = logging.getLogger(__name__)

BUSY_RETRY_AFTER_SECONDS = 1
SERVER_ERROR = "Something went wrong on our side."
# The titles of error pages.
TITLES = {
    400: "Bad request",
    403: "Not allowed",
    404: "Page not found",
    500: "Server error",
    503: "Try again in a moment",
}
# Django's exceptions, whose messages have names of models.
API_EXCEPTIONS: dict[type[Exception], Callable[[], Exception]] = {
    Http404: exceptions.NotFound,
    PermissionDenied: exceptions.PermissionDenied,
}
STATUS_OF_KIND = {
    Kind.INVALID: 400,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNPROCESSABLE: 422,
    Kind.PAYMENT: 402,
    Kind.BUSY: 503,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> ApiResponse:
    """Return a JSON response with a stable code for every exception of an API view, including crashes."""
    if is_transient_error(error=error):
        error = Busy.caused_by(error)
    if isinstance(error, Busy):
        logger.warning("Busy: %s", error.__cause__ or "a lock was not released in time")
    if isinstance(error, InvalidInput):
        reasons = zip(error.codes, error.reasons, strict=True)
        return _invalid_response([_field_error(error.field or "", code, reason) for code, reason in reasons])
    if isinstance(error, Refusal):
        return _refusal_response(error)
    if isinstance(error, exceptions.ValidationError):
        return _invalid_response(list(_field_errors(error.detail)))
    error = API_EXCEPTIONS.get(type(error), lambda: error)()
    response = drf_exception_handler(error, context)
    if response is None:
        # The traceback goes to the log and never to the client, even with DEBUG on.
        request = context["request"]
        logger.error("Crash in %s", request.path, exc_info=error, extra={"request": request})
        return ApiResponse(error_body("server_error", SERVER_ERROR), status=500)
    code = _code_of(error)
    body = error_body(code, DETAILS[code] if code == NOT_AUTHENTICATED else response.data["detail"])
    headers = {name: response[name] for name in ("WWW-Authenticate", "Retry-After") if response.has_header(name)}
    if code in CHALLENGES:
        headers["WWW-Authenticate"] += f', error="{CHALLENGES[code]}"'
    # The pages of the document render a Response as HTML.
    return ApiResponse(body, response.status_code, headers)


def error_body(code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Return the body of every error: `code` is for programs, `detail` is a sentence for people."""
    return {"code": code, "detail": detail, **extra}


def invalid_body(errors: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return the body of an error in the input; its detail is the sentences of all `errors`, each once."""
    detail = " ".join(dict.fromkeys(error["detail"] for error in errors))
    return error_body(InvalidInput.code, detail, errors=errors)


def _invalid_response(errors: Sequence[dict[str, str]]) -> ApiResponse:
    return ApiResponse(invalid_body(errors), status=400)


def _field_error(field: str, code: str, detail: str) -> dict[str, str]:
    """Return one of the errors of `invalid_body`; `field` is a path such as `seats.2`, or empty for the whole body."""
    return {"field": field, "code": code, "detail": detail}


def _field_errors(detail: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Yield the errors in the detail of DRF's ValidationError, in which fields and indexes of lists are keys."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            step = () if name == api_settings.NON_FIELD_ERRORS_KEY else (str(name),)
            yield from _field_errors(inner, (*path, *step))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _field_errors(inner, path)
    else:
        yield _field_error(".".join(path), detail.code, str(detail))


def _refusal_response(refusal: Refusal) -> ApiResponse:
    REFUSALS.labels(refusal.code).inc()
    status = STATUS_OF_KIND[refusal.kind]
    body = error_body(refusal.code, refusal.detail, **refusal.extra)
    if refusal.kind == Kind.INVALID and refusal.field:
        body["errors"] = [_field_error(refusal.field, refusal.code, refusal.detail)]
    headers = {"Retry-After": str(BUSY_RETRY_AFTER_SECONDS)} if status == 503 else {}
    return ApiResponse(body, status=status, headers=headers)


def _code_of(error: Any) -> str:
    codes: Any = error.get_codes()
    # SimpleJWT's exceptions have a dictionary as detail.
    return str(codes if isinstance(codes, str) else error.detail["code"])


# --- Errors outside the API's views -----------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return refused(request, 400, "Bad request.", "bad_request")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return refused(request, 403, "Your account may not do this.", "permission_denied")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    return refused(
        request, 403, "The form has expired. Go back, reload the page and send it again.", "permission_denied"
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return refused(request, 404, "Not found.", "not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    return (error and busy(request, error)) or refused(request, 500, SERVER_ERROR, "server_error")


def busy(request: HttpRequest, error: BaseException) -> HttpResponse | None:
    """Return the response to a request of a page that failed because the database is busy or away, otherwise None."""
    if not (isinstance(error, Busy) or is_transient_error(error=error)):
        return None
    response = refused(request, 503, Busy().detail, Busy.code)
    response["Retry-After"] = str(BUSY_RETRY_AFTER_SECONDS)
    return response


def refused(request: HttpRequest, status: int, detail: str, code: str) -> HttpResponse:
    """Return the response to a request that no view answers: JSON under /api/, elsewhere a page."""
    if is_api(request):
        return ApiResponse(error_body(code, detail), status=status)
    context = {"title": TITLES.get(status, "Request refused"), "detail": detail}
    try:
        # Without the request, whose session would be read from the database.
        return HttpResponse(render_to_string("booking/error.html", context), status=status)
    except ValueError:
        # In production, static files that have not been collected have no address.
        return HttpResponse(detail, status=status, content_type="text/plain")
