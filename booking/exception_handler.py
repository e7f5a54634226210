"""Converts refusals and other exceptions to HTTP responses."""

import logging
import sys
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from booking.infrastructure.metrics import REFUSALS
from booking.paths import is_api
from booking.renderers import ApiResponse
from booking.services import Busy, InvalidInput, Kind, Refusal, is_transient_error

logger = logging.getLogger(__name__)

BUSY_RETRY_AFTER_SECONDS = 1
STATUS_OF_KIND = {
    Kind.INVALID: 400,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNPROCESSABLE: 422,
    Kind.BUSY: 503,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | ApiResponse:
    """Return a JSON response with a stable code for every exception of an API view, including crashes."""
    if is_transient_error(error):
        error = Busy.caused_by(error)
    if isinstance(error, Busy):
        logger.warning("Busy: %s", error.__cause__ or "a lock was not released in time")
    if isinstance(error, InvalidInput) and error.field:
        return ApiResponse({error.field: error.reasons}, status=400)
    if isinstance(error, Refusal):
        return _refusal_response(error)
    response = drf_exception_handler(error, context)
    if response is None:
        # The traceback goes to the log and never to the client, even with DEBUG on.
        request = context["request"]
        logger.error("Crash in %s", request.path, exc_info=error, extra={"request": request})
        return ApiResponse({"detail": "Something went wrong on our side.", "code": "server_error"}, status=500)
    _add_code(response, error)
    return response


def _refusal_response(refusal: Refusal) -> ApiResponse:
    REFUSALS.labels(refusal.code).inc()
    status = STATUS_OF_KIND[refusal.kind]
    body = {"detail": refusal.detail, "code": refusal.code, **refusal.extra}
    headers = {"Retry-After": str(BUSY_RETRY_AFTER_SECONDS)} if status == 503 else {}
    return ApiResponse(body, status=status, headers=headers)


def _add_code(response: Response, error: Exception) -> None:
    if not isinstance(response.data, dict) or "detail" not in response.data or "code" in response.data:
        return
    if isinstance(error, exceptions.APIException):
        response.data["code"] = error.get_codes()
    else:
        # DRF also handles two exceptions of Django: Http404 and PermissionDenied.
        response.data["code"] = "not_found" if isinstance(error, Http404) else "permission_denied"


# --- Errors outside the API's views -----------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _json_under_api(request, 400, "Bad request.", "bad_request") or defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return _json_under_api(request, 404, "Not found.", "not_found") or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    error = sys.exc_info()[1]
    if error and (isinstance(error, Busy) or is_transient_error(error)):
        # The database is unavailable. API views don't come here; their exceptions were handled above.
        headers = {"Retry-After": str(BUSY_RETRY_AFTER_SECONDS)}
        return HttpResponse(Busy().detail, status=503, content_type="text/plain", headers=headers)
    return _json_under_api(request, 500, "Something went wrong on our side.", "server_error") or defaults.server_error(
        request
    )


def refused(request: HttpRequest, status: int, detail: str, code: str) -> HttpResponse:
    """Return the response to a request that a middleware refuses."""
    text = HttpResponse(detail, status=status, content_type="text/plain")
    return _json_under_api(request, status, detail, code) or text


def _json_under_api(request: HttpRequest, status: int, detail: str, code: str) -> HttpResponse | None:
    if not is_api(request):
        return None
    return ApiResponse({"detail": detail, "code": code}, status=status)
