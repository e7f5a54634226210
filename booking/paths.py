from django.http import HttpRequest

API = "/api/"


def is_api(request: HttpRequest) -> bool:
    """Whether it asks for the API: that answers in JSON alone and knows no cookies."""
    return request.path_info.startswith(API)
