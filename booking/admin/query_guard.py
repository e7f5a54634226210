"""No query string breaks a page of the admin: crafted addresses, and bookmarks from before a change.

Django passes filters, searches and initial values of forms to the database as they are. The guard wraps all pages of
the admin: one that fails with a query string is shown without it, with a message.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse

from booking import services

logger = logging.getLogger(__name__)

MAX_SEARCH_LENGTH = 200
SEARCHES = ("q", "term")
LEFT_OUT = "The address had values that are not understood. They were left out."
TOO_LONG = f"The search text is longer than {MAX_SEARCH_LENGTH} characters. It was left out."
# SQLite reports these in the same way as an unavailable database.
QUERY_STRING_ERRORS = ("user-defined function", "Expression tree", "too many SQL variables")

View = Callable[..., HttpResponseBase]


def guarded(view: View) -> View:
    """Return the view of a page of the admin with the guard."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.META.get("QUERY_STRING"):
            return view(request, *args, **kwargs)
        if any(len(request.GET.get(name, "")) > MAX_SEARCH_LENGTH for name in SEARCHES):
            return _without_query(request, TOO_LONG)
        try:
            response = view(request, *args, **kwargs)
            if _has_bad_filters(request, response):
                return _without_query(request, LEFT_OUT)
            # Lists and forms query the database while they are rendered.
            return response.render() if isinstance(response, SimpleTemplateResponse) else response
        except (Http404, PermissionDenied, SuspiciousOperation, services.Refusal):
            raise
        except Exception as error:
            if _is_outage(error):
                raise
            # If the page is broken whatever its query string is, the next request says so.
            logger.warning("The query string of a page of the admin is not understood.", exc_info=error)
            return _without_query(request, LEFT_OUT)

    return wrapper


def _without_query(request: HttpRequest, message: str) -> HttpResponse:
    messages.error(request, message)
    return HttpResponseRedirect(request.path)


def _has_bad_filters(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether Django answers to filters that it can't use: by a redirect, or by a page on the database."""
    if isinstance(response, HttpResponseRedirect):
        return bool(response.url == f"{request.path}?{ERROR_FLAG}=1")
    return getattr(response, "template_name", None) == "admin/invalid_setup.html"


def _is_outage(error: Exception) -> bool:
    return services.is_transient_error(error=error) and not any(text in str(error) for text in QUERY_STRING_ERRORS)
