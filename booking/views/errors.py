"""The errors in the OpenAPI document: each has the shape `Error`, with the codes of its operation and status."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from drf_yasg import openapi

from booking.authentication import DETAILS
from booking.exception_handler import STATUS_OF_KIND, error_body, invalid_body
from booking.services import Refusal

# Errors of DRF, SimpleJWT and the middleware: code → status and an example of the detail. Other refusals are classes.
FRAMEWORK_REFUSALS = {
    **{code: (401, detail) for code, detail in DETAILS.items()},
    "no_active_account": (401, "No active account found with the given credentials"),
    "permission_denied": (403, "Your account may not admit at the door."),
    "parse_error": (400, "JSON parse error - Expecting value: line 1 column 1 (char 0)"),
    "bad_request": (400, "Bad request."),
    "incomplete_body": (400, "The body is shorter than Content-Length says."),
    "request_timeout": (408, "The body did not arrive in time."),
    "body_too_large": (413, "The body must not be larger than 1000000 bytes."),
    "unsupported_media_type": (415, 'Unsupported media type "text/plain" in request.'),
    "throttled": (429, "Request was throttled. Expected available in 42 seconds."),
}
AUTHENTICATION_REFUSALS = list(DETAILS)
TOKEN_REFUSALS = ["token_not_valid", "user_not_found", "user_inactive", "password_changed"]
BODY_REFUSALS = ["parse_error", "incomplete_body", "request_timeout", "body_too_large", "unsupported_media_type"]
# A refusal class, or a code of FRAMEWORK_REFUSALS.
Documented = type[Refusal] | str
# An example of an error in the input: its field, code and detail.
FieldErrorExample = tuple[str, str, str]
# The members that `Error` describes.
SHARED = ("code", "detail", "errors")
# Swagger 2.0 has no field to mark a response header as required.
ALWAYS = {"x-required": True}
RETRY_AFTER = {
    "Retry-After": {"type": openapi.TYPE_INTEGER, "description": "The seconds to wait before retrying.", **ALWAYS}
}
CHALLENGE = {
    "WWW-Authenticate": {
        "type": openapi.TYPE_STRING,
        "description": 'The scheme, and the error if a token was sent: `Bearer realm="api", error="invalid_token"`.',
        **ALWAYS,
    }
}
HEADERS = {401: CHALLENGE, 429: RETRY_AFTER, 503: RETRY_AFTER}


def error_responses(
    error: openapi.SchemaRef,
    refusals: Sequence[Documented],
    invalid: FieldErrorExample | None,
    examples: dict[str, dict[str, Any]],
) -> dict[str, openapi.Response]:
    """Return the error responses of an operation by status.

    `error` refers to the definition that all of them share. `examples` replace the examples of refusals by code.
    """
    bodies: dict[int, list[dict[str, Any]]] = {}
    if invalid:
        field_error = dict(zip(("field", "code", "detail"), invalid, strict=True))
        bodies[400] = [invalid_body([field_error])]
    for refusal in refusals:
        status, code, example = _described(refusal)
        bodies.setdefault(status, []).append(error_body(code, **examples.get(code, example)))
    return {str(status): _response(error, status, of_status) for status, of_status in bodies.items()}


def _described(refusal: Documented) -> tuple[int, str, dict[str, Any]]:
    """Return the refusal's status, code and an example of the rest of its body."""
    if isinstance(refusal, str):
        status, detail = FRAMEWORK_REFUSALS[refusal]
        return status, refusal, {"detail": detail}
    return STATUS_OF_KIND[refusal.kind], refusal.code, refusal.example


def _response(error: openapi.SchemaRef, status: int, bodies: Sequence[dict[str, Any]]) -> openapi.Response:
    """Return the response; `bodies` has an example for each of its codes, and the first one is shown."""
    codes = list(dict.fromkeys(body["code"] for body in bodies))
    own = {name: _schema_of(value) for body in bodies for name, value in body.items() if name not in SHARED}
    properties = {"code": openapi.Schema(type=openapi.TYPE_STRING, enum=codes), **own}
    narrowed = openapi.Schema(type=openapi.TYPE_OBJECT, required=["code"], properties=properties)
    return openapi.Response(
        f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        openapi.Schema(type=openapi.TYPE_OBJECT, all_of=[error, narrowed]),
        examples={"application/json": bodies[0]},
        headers=HEADERS.get(status),
    )


def _schema_of(value: Any) -> openapi.Schema:
    """Return the schema of a refusal's own member, from its example."""
    if isinstance(value, list):
        return openapi.Schema(type=openapi.TYPE_ARRAY, items=openapi.Schema(type=openapi.TYPE_INTEGER))
    types = {bool: openapi.TYPE_BOOLEAN, int: openapi.TYPE_INTEGER, str: openapi.TYPE_STRING}
    return openapi.Schema(type=types[type(value)])
