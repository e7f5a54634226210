"""The OpenAPI document: `operation` documents each view's requests and responses."""

from collections.abc import Callable, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any

import uritemplate
from django.conf import settings
from django.utils import timezone
from drf_yasg import openapi
from drf_yasg.generators import OpenAPISchemaGenerator
from drf_yasg.inspectors import SwaggerAutoSchema
from drf_yasg.utils import swagger_auto_schema
from rest_framework.serializers import BaseSerializer

from booking.authentication import DETAILS
from booking.exception_handler import STATUS_OF_KIND, error_body, invalid_body
from booking.models import REFERENCE_ALPHABET, REFERENCE_LENGTH
from booking.paths import API
from booking.services import Busy, IdempotencyKeyReused, Refusal
from booking.views.examples import Examples, current_examples

INFO = openapi.Info(
    title="Movie ticket booking",
    default_version="1.0.0",
    description=(
        "Sign up, sign in, browse movies and shows, book seats and cancel them. The examples work as they stand: "
        "open an operation and press **Execute**.\n\n"
        "Send the access token of `POST /api/token/` in the header `Authorization: Bearer …`; in Swagger UI, that call "
        "signs this page in. Every error has a stable `code`; times are ISO 8601 with an offset; lists are paged."
    ),
)

# Errors of DRF, SimpleJWT and the middleware: code → status and an example of the detail. Other refusals are classes.
FRAMEWORK_REFUSALS = {
    **{code: (401, detail) for code, detail in DETAILS.items()},
    "no_active_account": (401, "No active account found with the given credentials"),
    "parse_error": (400, "JSON parse error - Expecting value: line 1 column 1 (char 0)"),
    "incomplete_body": (400, "The body is shorter than Content-Length says."),
    "request_timeout": (408, "The body did not arrive in time."),
    "body_too_large": (413, "The body must not be larger than 1000000 bytes."),
    "unsupported_media_type": (415, 'Unsupported media type "text/plain" in request.'),
    "throttled": (429, "Request was throttled. Expected available in 42 seconds."),
}
TOKEN_REFUSALS = ["token_not_valid", "user_not_found", "user_inactive", "password_changed"]
# The members of an error in the input; an example has a value for each.
FIELD_ERROR = ["field", "code", "detail"]
FieldErrorExample = tuple[str, str, str]
# A refusal class, or a code of FRAMEWORK_REFUSALS.
Documented = type[Refusal] | str
AUTHENTICATION_REFUSALS = list(DETAILS)


SEAT_NUMBERS = openapi.Schema(type=openapi.TYPE_ARRAY, items=openapi.Items(type=openapi.TYPE_INTEGER))
IDEMPOTENCY_KEY = openapi.Parameter(
    "Idempotency-Key",
    openapi.IN_HEADER,
    type=openapi.TYPE_STRING,
    description=(
        "A text of your choice, 1 to 255 printable ASCII characters, new for each booking. If you repeat a request "
        "with the same key, body and show, you get the first response again, with `Idempotency-Replayed: true`. "
        f"A key works for {settings.IDEMPOTENCY_HOURS} hours; after that the request is carried out as a new one."
    ),
)
IF_NONE_MATCH = openapi.Parameter(
    "If-None-Match",
    openapi.IN_HEADER,
    type=openapi.TYPE_STRING,
    description="The `ETag` of an earlier response. If nothing has changed, the response is 304 without a body.",
)
# Swagger 2.0 has no field to mark a response header as required.
ALWAYS = {"x-required": True}
ETAG = {
    "ETag": {
        "type": openapi.TYPE_STRING,
        "description": "Changes with the response; send it back in `If-None-Match`.",
        **ALWAYS,
    }
}
RETRY_AFTER = {
    "Retry-After": {"type": openapi.TYPE_INTEGER, "description": "The seconds to wait before retrying.", **ALWAYS}
}
RATE_LIMIT = {
    "RateLimit-Limit": {"type": openapi.TYPE_INTEGER, "description": "The number of requests allowed in a window."},
    "RateLimit-Remaining": {"type": openapi.TYPE_INTEGER, "description": "The number of requests left in it."},
    "RateLimit-Reset": {"type": openapi.TYPE_INTEGER, "description": "The seconds until it ends."},
}
# Refused before a request is counted, or in place of counting it.
UNCOUNTED = ["401", "408", "413", "415", "503"]
# In the order in which a customer needs them.
TAGS = [
    {"name": "Start", "description": "Where the lists and the documents are"},
    {"name": "Account", "description": "Sign up, sign in, sign out"},
    {"name": "Movies", "description": "Browse movies"},
    {"name": "Shows", "description": "Times, screens and available seats"},
    {"name": "Bookings", "description": "Book a seat, see your bookings, cancel them"},
]
JOURNEY = [
    "/",
    "/signup/",
    "/token/",
    "/me/",
    "/me/password/",
    "/password-reset/",
    "/password-reset/confirm/",
    "/token/refresh/",
    "/token/blacklist/",
    "/me/logout-everywhere/",
    "/movies/",
    "/movies/{id}/",
    "/movies/{id}/shows/",
    "/shows/",
    "/shows/{id}/",
    "/shows/{id}/seats/",
    "/shows/{id}/book/",
    "/shows/{id}/book-seats/",
    "/shows/{id}/hold/",
    "/my-bookings/",
    "/bookings/{id}/",
    "/bookings/{id}/move/",
    "/bookings/{id}/cancel/",
    "/references/{reference}/cancel/",
]


class SchemaGenerator(OpenAPISchemaGenerator):
    @cached_property
    def examples(self) -> Examples:
        return current_examples(timezone.now())

    def get_schema(self, *args: Any, **kwargs: Any) -> openapi.Swagger:
        swagger = super().get_schema(*args, **kwargs)
        swagger.tags = TAGS
        # The HTML pages generate a document without operations.
        for name in swagger.definitions:
            if fields := self.examples.bodies.get(name):
                swagger.definitions[name]["example"] = swagger.definitions[name]["example"] | fields
        return swagger

    def determine_path_prefix(self, paths: list[str]) -> str:
        return API

    def get_paths_object(self, paths: dict[str, openapi.PathItem]) -> openapi.Paths:
        return openapi.Paths(paths={path: paths[path] for path in sorted(paths, key=JOURNEY.index)})

    def get_path_parameters(self, path: str, view_cls: Any) -> list[openapi.Parameter]:
        # Bookings and references have no working example, because only the caller's own are accessible.
        kinds: dict[str, dict[str, Any]] = {
            "movies": {"x_example": self.examples.movie, "description": "A movie's id."},
            "shows": {"x_example": self.examples.show, "description": "A show's id."},
            "bookings": {"description": "The id of one of your bookings."},
            "references": {
                "description": "The reference of your bookings.",
                "type": openapi.TYPE_STRING,
                "pattern": f"^[{REFERENCE_ALPHABET}]{{{REFERENCE_LENGTH}}}$",
            },
        }
        an_id = {"type": openapi.TYPE_INTEGER, "minimum": 1}
        return [
            openapi.Parameter(name, openapi.IN_PATH, required=True, **an_id | kinds[path.split("/")[2]])
            for name in uritemplate.variables(path)
        ]


class AutoSchema(SwaggerAutoSchema):
    """Reads authentication and throttling from the view's classes and everything else from `operation`.

    Unlike drf-yasg's schema it does not guess which responses are paged lists, or the request body.
    """

    def has_list_response(self) -> bool:
        return bool(self.overrides.get("paged"))

    def get_query_serializer(self) -> Any:
        return self.view.filter_backends[0].query_class() if self.has_list_response() else None

    def get_default_responses(self) -> dict[str, Any]:
        """Return the response of a paged list."""
        responses = super().get_default_responses().items()
        return {
            status: openapi.Response("OK", schema, headers=self.overrides["headers"]) for status, schema in responses
        }

    def get_request_serializer(self) -> Any:
        # `serializer_class` is only for responses; `operation` sets the request's serializer.
        return super().get_request_serializer() if "request_body" in self.overrides else None

    def get_security(self) -> list[dict[str, list[str]]] | None:
        if self.view.permission_classes:
            return None
        return [{}, {"Bearer": []}] if self.view.authentication_classes else []

    def get_response_serializers(self) -> dict[str, Any]:
        by_status = _by_status([*self._shared_refusals(), *self.overrides["refusals"]], self.overrides["examples"])
        responses = super().get_response_serializers()
        responses |= {str(status): _refusal(status, of_status) for status, of_status in by_status.items()}
        if self.overrides["invalid"] is not None:
            responses["400"] = _invalid(self.overrides["invalid"], list(by_status.get(400, ())))
        if self.view.get_throttles():
            for status in responses.keys() - set(UNCOUNTED):
                responses[status]["headers"] = RATE_LIMIT | responses[status].get("headers", {})
        return dict(sorted(responses.items()))

    def _shared_refusals(self) -> list[Documented]:
        """Return the refusals that the view has because of its classes."""
        refusals: list[Documented] = [Busy]
        if self.view.permission_classes:
            refusals += AUTHENTICATION_REFUSALS
        if self.view.get_throttles():
            refusals.append("throttled")
        if "request_body" in self.overrides:
            refusals += [
                "parse_error",
                "incomplete_body",
                "request_timeout",
                "body_too_large",
                "unsupported_media_type",
            ]
        return refusals


def operation(
    *,
    tag: str,
    summary: str,
    responses: dict[int, type[BaseSerializer[Any]] | str] | None = None,
    request: type[BaseSerializer[Any]] | None = None,
    invalid: FieldErrorExample | None = None,
    refusals: Sequence[Documented] = (),
    description: str = "",
    paged: bool = False,
    repeatable: bool = False,
    conditional: bool = False,
    examples: dict[str, dict[str, Any]] | None = None,
) -> Callable[[Any], Any]:
    """Documents a view's method.

    `responses` are the successful responses by status (for a `paged` list, the view's serializer). `invalid` is an
    example of an error in the input: its field, code and detail. `refusals` come in addition to those of
    `_shared_refusals`. A `repeatable` operation takes an Idempotency-Key, and a `conditional` one returns an ETag.
    `examples` replace the examples of codes.
    """
    options: dict[str, Any] = {}
    if request is not None:
        options["request_body"] = request
    if repeatable or conditional:
        options["manual_parameters"] = [IDEMPOTENCY_KEY if repeatable else IF_NONE_MATCH]
    headers = ETAG if conditional else {}
    unchanged: dict[int, Any] = {304: "Nothing has changed."} if conditional else {}
    decorator: Callable[[Any], Any] = swagger_auto_schema(
        tags=[tag],
        operation_id=summary.lower().replace(" ", "_").replace("'", "").replace("-", ""),
        operation_summary=summary,
        operation_description=description or summary,
        responses={status: _success(status, body, headers) for status, body in ((responses or {}) | unchanged).items()},
        headers=headers,
        refusals=[*refusals, IdempotencyKeyReused] if repeatable else refusals,
        invalid=invalid,
        examples=examples or {},
        paged=paged,
        **options,
    )
    return decorator


def _described(refusal: Documented) -> tuple[int, str, dict[str, Any]]:
    """Return the refusal's status, code and an example of its body."""
    if isinstance(refusal, str):
        status, detail = FRAMEWORK_REFUSALS[refusal]
        return status, refusal, {"detail": detail}
    return STATUS_OF_KIND[refusal.kind], refusal.code, refusal.example


def _by_status(
    refusals: Sequence[Documented], examples: dict[str, dict[str, Any]]
) -> dict[int, dict[str, dict[str, Any]]]:
    """Return the codes of each status, each with an example of its body, from `examples` if it is there."""
    by_status: dict[int, dict[str, dict[str, Any]]] = {}
    for refusal in refusals:
        status, code, example = _described(refusal)
        by_status.setdefault(status, {})[code] = examples.get(code, example)
    return by_status


def _success(status: int, body: type[BaseSerializer[Any]] | str, headers: dict[str, Any]) -> openapi.Response:
    if isinstance(body, str):
        return openapi.Response(body, headers=headers)
    return openapi.Response(HTTPStatus(status).phrase, body, headers=headers)


def _refusal(status: int, examples: dict[str, dict[str, Any]]) -> openapi.Response:
    """Return the documentation of an error status; `examples` has a body for each code."""
    codes = list(examples)
    example = error_body(codes[0], **examples[codes[0]])
    properties: dict[str, Any] = {
        "detail": openapi.Schema(type=openapi.TYPE_STRING),
        "code": openapi.Schema(type=openapi.TYPE_STRING, enum=codes),
    }
    extras = {name: value for body in examples.values() for name, value in body.items() if name != "detail"}
    for name, value in extras.items():
        properties[name] = _schema_of(value)
    return openapi.Response(
        f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        openapi.Schema(type=openapi.TYPE_OBJECT, required=["detail", "code"], properties=properties),
        examples={"application/json": example},
        **({"headers": RETRY_AFTER} if status in (429, 503) else {}),
    )


def _schema_of(value: Any) -> openapi.Schema:
    """Return the schema of an extra field of an error, from its example."""
    if isinstance(value, list):
        return SEAT_NUMBERS
    return openapi.Schema(type=openapi.TYPE_BOOLEAN if isinstance(value, bool) else openapi.TYPE_INTEGER)


def _invalid(example: FieldErrorExample, codes: list[str]) -> openapi.Response:
    body = invalid_body([dict(zip(FIELD_ERROR, example, strict=True))])
    codes = [body["code"], *codes]
    text = openapi.Schema(type=openapi.TYPE_STRING)
    error = openapi.Schema(type=openapi.TYPE_OBJECT, required=FIELD_ERROR, properties=dict.fromkeys(FIELD_ERROR, text))
    properties = {
        "code": openapi.Schema(type=openapi.TYPE_STRING, enum=codes),
        "detail": text,
        "errors": openapi.Schema(type=openapi.TYPE_ARRAY, items=error),
    }
    return openapi.Response(
        f"Bad Request: {', '.join(f'`{code}`' for code in codes)}",
        openapi.Schema(type=openapi.TYPE_OBJECT, required=["detail", "code"], properties=properties),
        examples={"application/json": body},
    )
