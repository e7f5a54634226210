"""A cache of responses about the catalogue, valid until movies, screens, shows or ticket types change.

Before a cached response is used, one short query reads the catalogue's version; it replaces several queries and the
rendering. So a change is visible in the next response of every worker.
"""

from hashlib import sha256
from typing import Any

from django.core.cache import caches
from django.http import HttpRequest

from booking.infrastructure.statements import Query
from booking.models import CatalogueVersion

_numbers = Query(lambda _: CatalogueVersion.objects.values_list("number"))


def catalogue_version() -> int:
    """Return a number that grows with each change of the catalogue."""
    return sum(number for (number,) in _numbers())


class CachedResponse:
    """The cache entry for a request.

    Create it before the response: if the catalogue changes in between, the response is stored under the old version.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._key = sha256(request.build_absolute_uri().encode()).hexdigest()
        self._version = catalogue_version()

    def get(self) -> Any:
        """Return what was stored for the same request since the catalogue last changed, or None."""
        return caches["catalogue"].get(self._key, version=self._version)

    def set(self, response: Any) -> None:
        caches["catalogue"].set(self._key, response, version=self._version)
