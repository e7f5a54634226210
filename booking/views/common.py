"""What the views share."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from typing import Any, TypeVar, cast

from django.http import Http404, HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from booking import services
from booking.models import User
from booking.openapi import IDEMPOTENCY_KEY
from booking.parsers import BoundedJSONParser

T = TypeVar("T")

# In bytes; up to 99.
SHORT_LENGTH = re.compile("[1-9][0-9]?")
# All that a 64-bit integer surely holds; the ids beyond that are never reached.
POSITIVE_ID = "[1-9][0-9]{0,17}"


def validated(serializer_class: Any, request: Request) -> dict[str, Any]:
    """The request's body in the serializer's shape. Raises DRF's ValidationError."""
    if request.data is None:
        raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["No data provided"]}, code="null")
    data: dict[str, Any] = _reader(serializer_class).run_validation(request.data)
    return data


def validated_early(serializer_class: Any, request: HttpRequest) -> dict[str, Any] | None:
    """The same before it is known who asks; None where the body isn't a short one of JSON, as good as can be.

    What is wrong with a body is told later.
    """
    meta = request.META
    if meta.get("CONTENT_TYPE") != "application/json" or not SHORT_LENGTH.fullmatch(meta.get("CONTENT_LENGTH") or ""):
        return None
    try:
        body = BoundedJSONParser().parse(BytesIO(request.body))
        data: dict[str, Any] = _reader(serializer_class).run_validation(body)
    except APIException:
        return None
    return data


@cache
def _reader(serializer_class: Any) -> Any:
    """One for all requests: making a serializer's fields anew costs more than reading a body with them."""
    return serializer_class()


def account(request: Request) -> User:
    """The signed-in user of a view that lets nobody else in."""
    return cast(User, request.user)


class Public:
    """Open to all; a token that happens to be sent, a stale one too, is not looked at."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[Any] = ()


def receipt_of(
    request: Request, action: str, body: dict[str, Any], shape: Callable[[Any], dict[str, Any]]
) -> services.Receipt[Any] | None:
    """What makes the request safe to send again, where its sender gave it a key. Raises InvalidInput."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not re.fullmatch("[ -~]{1,255}", key):
        raise services.InvalidInput(IDEMPOTENCY_KEY.name, ["Enter 1 to 255 printable ASCII characters."])
    return services.Receipt(key, action, body, shape)


def repeatable(
    service: Callable[..., T],
    call: dict[str, Any],
    receipt: services.Receipt[Any] | None,
    represent: Callable[[T], dict[str, Any]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer and its headers: the first answer where the request was carried out before."""
    try:
        return represent(service(receipt=receipt, **call)), {}
    except services.Replay as replay:
        return replay.answer, {"Idempotency-Replayed": "true"}


class NoSuchPathView(Public, APIView):
    """Answers in JSON for any path under /api/ that there is not, with DEBUG on too."""

    swagger_schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404
