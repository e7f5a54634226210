"""Functions and classes that several views share."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import Http404, HttpRequest
from django.utils import timezone
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from booking import services
from booking.models import User
from booking.paths import API
from booking.renderers import ApiResponse
from booking.views.openapi import IDEMPOTENCY_KEY

T = TypeVar("T")


def validated(serializer_class: Any, request: Request) -> dict[str, Any]:
    """Return the validated body of the request. Raises DRF's ValidationError."""
    if request.data is None:
        raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["No data provided"]}, code="null")
    data: dict[str, Any] = _reader(serializer_class).run_validation(request.data)
    return data


@cache
def _reader(serializer_class: Any) -> Any:
    """Return a shared serializer, because creating its fields takes longer than validating a body."""
    return serializer_class()


def account(request: Request) -> User:
    """Return the user of a view that requires authentication."""
    return cast(User, request.user)


def own_address(request: HttpRequest | Request, path: str) -> str:
    """Return the absolute address of a path of this service: under PUBLIC_URL, or where the request came."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def own_origin(request: HttpRequest | Request) -> str:
    """Return the absolute address of this service without a path."""
    return own_address(request, "/").removesuffix("/")


class Public:
    """A view without authentication; a token in the request is ignored, even if it is invalid."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[Any] = ()


def idempotent_request(
    request: Request, endpoint: str, body: dict[str, Any], represent: Callable[[Any], dict[str, Any]]
) -> services.IdempotentRequest[Any] | None:
    """Return the IdempotentRequest if the request has an Idempotency-Key. Raises InvalidInput."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not re.fullmatch(services.KEY_PATTERN, key):
        raise services.InvalidInput(IDEMPOTENCY_KEY.name, ["Enter 1 to 255 printable ASCII characters."])
    return services.IdempotentRequest(account(request), key, endpoint, body, represent)


def call_or_replay(
    request: Request, service: Callable[..., T], represent: Callable[[T], dict[str, Any]], **call: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Calls the service and returns the response's body and headers, which are replayed for a repeated request."""
    try:
        return represent(service(user=account(request), now=timezone.now(), **call)), {}
    except services.Replay as replay:
        return replay.response, {"Idempotency-Replayed": "true"}


def created(request: Request, path: str, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> ApiResponse:
    """Return a response 201 whose Location is the path under /api/."""
    location = f"{request.META['SCRIPT_NAME']}{API}{path}"
    return ApiResponse(body, status.HTTP_201_CREATED, headers={"Location": location} | dict(headers or {}))


class NoSuchPathView(Public, APIView):
    """Gives 404 in JSON for unknown paths under /api/, even with DEBUG on."""

    swagger_schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404
