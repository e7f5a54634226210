"""Rows that version 1.0 writes while this version is deployed: shows without a seat plan, bookings without an order."""

from collections.abc import Iterable, Iterator

from django.db import connection

from booking.infrastructure.upgrades import complete_rows
from booking.models import Show


def complete_old_rows() -> Iterator[int]:
    """Completes the rows; yields the number of rows after each batch."""
    return complete_rows(connection)


def complete_plans(*, shows: Iterable[Show]) -> None:
    """Gives a seat plan to those of the shows that lack one."""
    for show in shows:
        if show.plan_id is None:
            for _ in complete_old_rows():
                pass
            show.refresh_from_db(fields=["plan"])
