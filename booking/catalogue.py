"""Answers on the catalogue that are made once and kept until movies, screens or shows change.

Before a kept answer is given out, the database is asked whether the catalogue has changed: one short query in place
of several and of the rendering. So a change is seen by the next read on every worker.
"""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django.core.cache import caches
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from booking import services
from booking.infrastructure.statements import Query
from booking.models import CatalogueVersion

_numbers = Query(lambda _: CatalogueVersion.objects.values_list("number"))


def version() -> int:
    """A number that grows with each change of the catalogue."""
    return sum(number for (number,) in _numbers())


class Keeper:
    """Holds one answer to a request. Ask for it before making it: nothing old is kept under a new version then."""

    def __init__(self, request: HttpRequest) -> None:
        self._key = sha256(request.build_absolute_uri().encode()).hexdigest()
        self._version = version()

    def get(self) -> Any:
        """What was kept since the catalogue last changed, or None."""
        kept_version, answer = caches["kept"].get(self._key, (None, None))
        return answer if kept_version == self._version else None

    def keep(self, answer: Any) -> None:
        caches["kept"].set(self._key, (self._version, answer))


def kept_page(view: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
    """Keeps the good answers of a view that depend on the address and the catalogue alone."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            keeper = Keeper(request) if request.method == "GET" else None
        except Error as error:
            if not services.broke_off(error):
                raise
            # The view will find the same and knows how to say it.
            keeper = None
        content = keeper and keeper.get()
        if content:
            return HttpResponse(content, content_type="application/json")
        response: HttpResponseBase = view(request, *args, **kwargs)
        if keeper and response.status_code == 200:
            keeper.keep(response.render().content)  # type: ignore[attr-defined]
        return response

    return answer
