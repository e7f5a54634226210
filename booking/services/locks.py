"""The transaction and the row locks that every decision on shows and bookings runs under.

Order of locks: the show's row, then its screen's. Whoever needs both takes them in that order.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction

from booking.models import Screen, Show
from booking.services.refusals import Busy, NotFound

LOCK_TIMEOUT_SECONDS = 2


@contextmanager
def write_transaction() -> Iterator[None]:
    """A transaction of its own that waits at most LOCK_TIMEOUT_SECONDS for a row lock.

    Raises Busy where it can't get the lock or the database.
    """
    try:
        with transaction.atomic(durable=True):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
            yield
    except (OperationalError, InterfaceError) as error:
        raise Busy from error


def lock_show(show_id: int) -> Show:
    """The show as it is now, kept from changing, with its bookings, until the transaction ends.

    Raises NotFound.
    """
    try:
        return Show.objects.select_for_update(no_key=True).get(pk=show_id)
    except Show.DoesNotExist:
        raise NotFound from None


def lock_screen(screen_id: int) -> Screen:
    """The screen, with its schedule kept from changing until the transaction ends. Raises NotFound."""
    try:
        return Screen.objects.select_for_update(no_key=True).get(pk=screen_id)
    except Screen.DoesNotExist:
        raise NotFound from None
