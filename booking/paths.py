"""What paths of the service look like."""

from django.http import HttpRequest

API = "/api/"
# All that a 64-bit integer surely holds; the ids beyond that are never reached.
POSITIVE_ID = "[1-9][0-9]{0,17}"


def is_api(request: HttpRequest) -> bool:
    """Whether it asks for the API: that answers in JSON alone and knows no cookies."""
    return request.path_info.startswith(API)
