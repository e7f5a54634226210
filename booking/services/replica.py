"""Reading from a replica, as long as whoever reads can't tell."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, connections, transaction

from booking.models import CatalogueVersion
from booking.services.locks import broke_off
from movieticket.replica import REPLICA, reading_from

T = TypeVar("T")

# For so long a replica that didn't answer is not asked again.
AWAY_SECONDS = 5.0

_away_until = 0.0


def read_catalogue(build: Callable[[], T], *, version: Callable[[], int]) -> T:
    """What `build` makes of the catalogue, read from the replica where that has all changes up to the `version`.

    `version` asks the primary. Read from there too where there is no replica, or it is away or behind; `build` may be
    called twice then.
    """
    global _away_until
    if REPLICA in connections.databases and time.monotonic() >= _away_until:
        wanted = version()
        try:
            # In one transaction: a pool before several replicas, not all as far as each other, stays with one.
            with transaction.atomic(using=REPLICA), reading_from(REPLICA):
                if sum(CatalogueVersion.objects.values_list("number", flat=True)) >= wanted:
                    return build()
        except Error as error:
            # Or it lacks a column that a migration has just added.
            if broke_off(error):
                _away_until = time.monotonic() + AWAY_SECONDS
            connections[REPLICA].close()
    return build()
