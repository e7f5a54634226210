"""Middleware: security headers, bounds on requests, and Django's middleware without its cost for the API."""

from collections.abc import Callable

from corsheaders import middleware as cors
from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from booking.exception_handler import busy, refused
from booking.paths import is_api
from movieticket.request_body import FAULT, INCOMPLETE, LATE, body_length, has_valid_length, most_bytes

Answer = Callable[[HttpRequest], HttpResponse]


def content_security_policy(form_action: str = "'self'") -> str:
    """Return the policy of a page whose forms may lead to `form_action`.

    Pages load resources and scripts only from this origin and can't be framed. ReDoc creates its worker from a blob.
    """
    return (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
        f"object-src 'none'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )


CONTENT_SECURITY_POLICY = content_security_policy()
# Browser features that no page uses, but for the camera at the door (admin/door.py).
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
BODY_FAULTS = {
    INCOMPLETE: (400, "The body is shorter than Content-Length says."),
    LATE: (408, "The body did not arrive in time."),
}


class SecurityHeaders:
    """Adds headers that Django's SecurityMiddleware does not set."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        headers = response.headers
        # The preview of a mail has a stricter one.
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        # The page of the door allows the camera.
        headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if response.status_code in (204, 304):
            # CommonMiddleware adds a length of 0, which these must not have (RFC 9110, section 8.6).
            headers.pop("Content-Length", None)
        if is_api(request) and _is_personal(request):
            response.setdefault("Cache-Control", "no-store")
        return response


def _is_personal(request: HttpRequest) -> bool:
    """Return whether the response may be personal: the request has a token, or its response may contain one."""
    return request.method not in ("GET", "HEAD") or "HTTP_AUTHORIZATION" in request.META


class ForPages:
    """Skips a middleware for API requests, which don't use cookies; each middleware takes time."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_api(request):
            return self.get_response(request)  # type: ignore[attr-defined,no-any-return]
        return super().__call__(request)  # type: ignore[misc,no-any-return]


class SessionMiddleware(ForPages, sessions.SessionMiddleware):
    """Sessions of the admin."""


class AuthenticationMiddleware(ForPages, auth.AuthenticationMiddleware):
    """Authentication of the admin; the API's is in booking/authentication.py."""


class MessageMiddleware(ForPages, messages.MessageMiddleware):
    """Messages of the admin."""


class CorsMiddleware(cors.CorsMiddleware):
    """CORS headers, if CORS_ALLOWED_ORIGINS is set when the middleware is loaded."""

    def __init__(self, get_response: Answer) -> None:
        if not settings.CORS_ALLOWED_ORIGINS:
            raise MiddlewareNotUsed
        super().__init__(get_response)


class RequestBounds:
    """Turns away what is too large, or has a body that did not arrive whole and in time, before anything parses it."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return _refusal(request) or self._get_response(request)


class BusyPages:
    """Answers with 503 if a page fails because the database is busy, with DEBUG too, where Django shows a traceback."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return busy(request, exception)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    meta = request.META
    if len(meta["PATH_INFO"]) + len(meta.get("QUERY_STRING", "")) > settings.MAX_URL_BYTES:
        detail = f"The address must not be longer than {settings.MAX_URL_BYTES} bytes."
        return refused(request, 414, detail, "url_too_long")
    if sum(len(name) + len(meta[name]) for name in meta if name.startswith("HTTP_")) > settings.MAX_HEADER_BYTES:
        detail = f"The headers must not be larger than {settings.MAX_HEADER_BYTES} bytes."
        return refused(request, 431, detail, "headers_too_large")
    # With a length too, the request may be two requests for a proxy (RFC 9112, section 6.1).
    if "HTTP_TRANSFER_ENCODING" in meta:
        return refused(request, 411, "The header Content-Length is required.", "length_required")
    if meta.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        return refused(request, 415, "Send the body without a Content-Encoding.", "unsupported_media_type")
    if _is_unreadable(request) or not has_valid_length(meta):
        return refused(request, 400, "Bad request.", "bad_request")
    length = body_length(meta)
    if length > settings.MAX_BODY_BYTES and length > (most := most_bytes(request.path_info)):
        return refused(request, 413, f"The body must not be larger than {most} bytes.", "body_too_large")
    if FAULT in meta:
        status, detail = BODY_FAULTS[meta[FAULT]]
        return refused(request, status, detail, meta[FAULT])
    return None


def _has_wrong_host(request: HttpRequest) -> bool:
    """With DEBUG on, Django answers with a page for developers."""
    try:
        request.get_host()
    except DisallowedHost:
        return True
    return False


def _is_unreadable(request: HttpRequest) -> bool:
    """Return whether Django would fail with status 500, or answer a path under /api/ with an HTML page."""
    meta = request.META
    if is_api(request):
        return settings.DEBUG and _has_wrong_host(request)
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if is_form and (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        return True
    # No text that PostgreSQL takes has a NUL; a cookie may write it as an octal escape.
    return "%00" in meta.get("QUERY_STRING", "") or "\\000" in meta.get("HTTP_COOKIE", "")
