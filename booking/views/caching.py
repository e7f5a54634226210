"""Conditional responses. Those about the catalogue are the same for everybody, so they are cached and compressed."""

import gzip
import re
from collections.abc import Callable
from functools import lru_cache, wraps
from hashlib import sha256
from typing import Any

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from booking import services
from booking.infrastructure.catalogue_cache import CachedResponse

# A gzip header and footer alone take 20 bytes, and a response this short fits into one packet anyway.
MIN_COMPRESSED_BYTES = 1000
# The coding gzip in Accept-Encoding, unless its weight is 0 (RFC 9110, section 12.5.3).
GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)", re.IGNORECASE)


def etag_of(content: bytes) -> str:
    """Return a strong ETag for the content."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def has_etag(request: HttpRequest | Request, etag: str) -> bool:
    """Return whether the client already has the response with this ETag."""
    known = {tag.removeprefix("W/") for tag in parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))}
    return bool(known & {etag, "*"})


def private_response(request: Request, version: tuple[Any, ...], represent: Callable[[], Any]) -> Response:
    """Return the data that `represent` returns, or status 304 if the client already has this version of them.

    Only the client may store it, and has to revalidate.
    """
    etag = etag_of(repr(version).encode())
    response = Response(status=304) if has_etag(request, etag) else Response(represent())
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


def catalogue_response(request: HttpRequest | Request, content: bytes) -> HttpResponse:
    """Return the JSON as a response that anybody may store and has to revalidate.

    It is compressed if the client accepts gzip. This reveals nothing, because the content has no secrets.
    """
    etag = etag_of(content)
    if has_etag(request, etag):
        response = HttpResponse(status=304, content_type="application/json")
    elif len(content) >= MIN_COMPRESSED_BYTES and GZIP.search(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        response = HttpResponse(_compressed(content), content_type="application/json")
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(content, content_type="application/json")
    # Weak, because both encodings have the same.
    response["ETag"] = f"W/{etag}"
    response["Cache-Control"] = "public, no-cache"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


@lru_cache(maxsize=32)
def _compressed(content: bytes) -> bytes:
    """Compress a response; cached, because it takes longer than the rest of a cached response."""
    return gzip.compress(content, mtime=0)


def cached(view: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
    """Caches successful responses of a view whose responses depend only on the URL and the catalogue."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            entry = CachedResponse(request) if request.method in ("GET", "HEAD") else None
        except Error as error:
            if not services.is_transient_error(error=error):
                raise
            # The view will get the same error, and the exception handler will handle it.
            entry = None
        content = entry and entry.get()
        if content:
            return catalogue_response(request, content)
        response: HttpResponseBase = view(request, *args, **kwargs)
        if entry and response.status_code == 200:
            content = response.render().content  # type: ignore[attr-defined]
            entry.set(content)
            return catalogue_response(request, content)
        return response

    return wrapper
