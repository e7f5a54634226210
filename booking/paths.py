"""Common parts of URL paths."""

from django.http import HttpRequest

from booking.models import REFERENCE_ALPHABET, REFERENCE_LENGTH

API = "/api/"
REFERENCE = f"[{REFERENCE_ALPHABET}]{{{REFERENCE_LENGTH}}}"


def is_api(request: HttpRequest) -> bool:
    """Return whether the request is for the API, which uses JSON only and no cookies."""
    return request.path_info.startswith(API)
