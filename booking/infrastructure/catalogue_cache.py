"""Answers on the catalogue, cached until movies, screens or shows change.

Before a cached answer is used, the database is asked for the catalogue's version: one short query instead of several
and of the rendering. So the next read on every worker sees a change.
"""

from hashlib import sha256
from typing import Any

from django.core.cache import caches
from django.http import HttpRequest

from booking.infrastructure.statements import Query
from booking.models import CatalogueVersion

_numbers = Query(lambda _: CatalogueVersion.objects.values_list("number"))


def catalogue_version() -> int:
    """A number that grows with each change of the catalogue."""
    return sum(number for (number,) in _numbers())


class CachedAnswer:
    """The place of one request's answer in the cache.

    Create it before the answer: if the catalogue changes meanwhile, the answer is cached under the old version.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._key = sha256(request.build_absolute_uri().encode()).hexdigest()
        self._version = catalogue_version()

    def get(self) -> Any:
        """The answer to the same request since the catalogue last changed, or None."""
        return caches["catalogue"].get(self._key, version=self._version)

    def set(self, answer: Any) -> None:
        caches["catalogue"].set(self._key, answer, version=self._version)
