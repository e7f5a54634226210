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

from booking.paths import API
from booking.serializers.common import REFERENCE_PATTERN
from booking.serializers.errors import ErrorSerializer
from booking.services import KEY_PATTERN, Busy, IdempotencyKeyReused
from booking.views.definitions import complete, page_of
from booking.views.errors import (
    ALWAYS,
    AUTHENTICATION_REFUSALS,
    BODY_REFUSALS,
    Documented,
    FieldErrorExample,
    error_responses,
)
from booking.views.examples import Examples, current_examples

INFO = openapi.Info(
    title="Movie ticket booking",
    default_version="1.0.0",
    description=(
        "Sign up, sign in, browse movies and shows, book seats and cancel them.\n\n"
        "Send the access token of `POST /api/token/` in the header `Authorization: Bearer …`. Every error has a stable "
        "`code`; times are ISO 8601 with an offset; lists are paged."
    ),
    contact=openapi.Contact(name="Movie ticket booking", url=settings.PUBLIC_URL or None),
    # Of the document, so that clients can be generated from it without asking.
    license=openapi.License(name="CC0-1.0", url="https://creativecommons.org/publicdomain/zero/1.0/"),
)

IDEMPOTENCY_KEY = openapi.Parameter(
    "Idempotency-Key",
    openapi.IN_HEADER,
    type=openapi.TYPE_STRING,
    pattern=f"^{KEY_PATTERN}$",
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
ETAG = {
    "ETag": {
        "type": openapi.TYPE_STRING,
        "description": "Changes with the response; send it back in `If-None-Match`.",
        **ALWAYS,
    }
}
LOCATION = {
    "Location": {"type": openapi.TYPE_STRING, "description": "The path where it can be read.", **ALWAYS},
}
REPLAYED = {
    "Idempotency-Replayed": {
        "type": openapi.TYPE_STRING,
        "enum": ["true"],
        "description": "Present if this is the response to an earlier request with the same `Idempotency-Key`.",
    }
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
    {"name": "Tickets", "description": "E-tickets of booked seats, and the keys that verify them"},
    {"name": "Orders", "description": "Seats that were booked together, and what they cost"},
    {"name": "Door", "description": "Admit tickets; for devices of staff"},
]
JOURNEY = [
    "/",
    "/signup/",
    "/token/",
    "/me/",
    "/me/password/",
    "/me/export/",
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
    "/seat-plans/{id}/",
    "/shows/{id}/book/",
    "/shows/{id}/book-seats/",
    "/shows/{id}/hold/",
    "/my-bookings/",
    "/bookings/{id}/",
    "/bookings/{id}/ticket/",
    "/bookings/{id}/ticket.svg",
    "/bookings/{id}/ticket.pdf",
    "/bookings/{id}/ticket.ics",
    "/tickets/keys/",
    "/bookings/{id}/move/",
    "/bookings/{id}/cancel/",
    "/orders/",
    "/orders/{reference}/",
    "/orders/{reference}/pay/",
    "/orders/{reference}/tickets/",
    "/orders/{reference}/tickets.pdf",
    "/orders/{reference}/cancel/",
    "/shows/{id}/check-ins/",
    "/shows/{id}/check-ins/undo/",
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
        complete(swagger)
        return swagger

    def determine_path_prefix(self, paths: list[str]) -> str:
        return API

    def get_paths_object(self, paths: dict[str, openapi.PathItem]) -> openapi.Paths:
        return openapi.Paths(paths={path: paths[path] for path in sorted(paths, key=JOURNEY.index)})

    def get_path_parameters(self, path: str, view_cls: Any) -> list[openapi.Parameter]:
        # Bookings and orders have no working example, because only the caller's own are accessible.
        kinds: dict[str, dict[str, Any]] = {
            "movies": {"x_example": self.examples.movie, "description": "A movie's id."},
            "shows": {"x_example": self.examples.show, "description": "A show's id."},
            "bookings": {"description": "The id of one of your bookings."},
            "seat-plans": {"x_example": 1, "description": "A seat plan's id."},
            "orders": {"description": "The reference of your order."},
        }
        types = {
            "id": {"type": openapi.TYPE_INTEGER, "minimum": 1},
            "reference": {"type": openapi.TYPE_STRING, "pattern": REFERENCE_PATTERN},
        }
        return [
            openapi.Parameter(name, openapi.IN_PATH, required=True, **types[name], **kinds[path.split("/")[2]])
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
        error = self.serializer_to_schema(ErrorSerializer())
        refusals = [*self._shared_refusals(), *self.overrides["refusals"]]
        responses = super().get_response_serializers()
        responses |= error_responses(error, refusals, self.overrides["invalid"], self.overrides["examples"])
        if self.view.get_throttles():
            for status in responses.keys() - set(UNCOUNTED):
                responses[status]["headers"] = RATE_LIMIT | responses[status].get("headers", {})
        return dict(sorted(responses.items()))

    def get_paginated_response(self, response_schema: openapi.Schema) -> openapi.SchemaRef:
        return page_of(response_schema, self.components)

    def _shared_refusals(self) -> list[Documented]:
        """Return the refusals that the view has because of its classes."""
        refusals: list[Documented] = [Busy]
        if self.view.permission_classes:
            refusals += AUTHENTICATION_REFUSALS
        if self.view.get_throttles():
            refusals.append("throttled")
        if "request_body" in self.overrides:
            refusals += BODY_REFUSALS
        return refusals


def operation(
    *,
    name: str,
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
    file: str = "",
    examples: dict[str, dict[str, Any]] | None = None,
) -> Callable[[Any], Any]:
    """Documents a view's method.

    `name` is a verb and a noun, because generated clients name a method after it. `responses` are the successful
    responses by status (for a `paged` list, the view's serializer). `invalid` is an example of an error in the input:
    its field, code and detail. `refusals` come in addition to those of `_shared_refusals`. A `repeatable` operation
    takes an Idempotency-Key, a `conditional` one returns an ETag, and a response 201 has a Location. `file` is the
    media type of a response that is a file. `examples` replace the examples of codes.
    """
    options: dict[str, Any] = {}
    if request is not None:
        options["request_body"] = request
    if repeatable or conditional:
        options["manual_parameters"] = [IDEMPOTENCY_KEY if repeatable else IF_NONE_MATCH]
    located = 201 in (responses or {})
    headers = (ETAG if conditional else {}) | (LOCATION if located else {}) | (REPLAYED if repeatable else {})
    if file:
        options["produces"] = [file, "application/json"]
    unchanged: dict[int, Any] = {304: "Nothing has changed."} if conditional else {}
    files = {200: openapi.Response("OK", openapi.Schema(type=openapi.TYPE_FILE))} if file else {}
    decorator: Callable[[Any], Any] = swagger_auto_schema(
        tags=[tag],
        operation_id=name,
        operation_summary=summary,
        operation_description=description or summary,
        responses=files
        | {status: _success(status, body, headers) for status, body in ((responses or {}) | unchanged).items()},
        headers=headers,
        refusals=[*refusals, IdempotencyKeyReused] if repeatable else refusals,
        invalid=invalid,
        examples=examples or {},
        paged=paged,
        **options,
    )
    return decorator


def _success(status: int, body: type[BaseSerializer[Any]] | str, headers: dict[str, Any]) -> openapi.Response:
    if isinstance(body, str):
        return openapi.Response(body, headers=headers or None)
    return openapi.Response(HTTPStatus(status).phrase, body, headers=headers or None)
