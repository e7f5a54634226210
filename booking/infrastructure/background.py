"""Work that nobody waits for, such as mail: its time must not show in an answer."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Full
from threading import BoundedSemaphore
from typing import Any

from django.conf import settings
from django.db import connection

from movieticket.deadline import waiting_at_most

logger = logging.getLogger(__name__)

MAX_WAITING = 1000

_places = BoundedSemaphore(MAX_WAITING)
# One thread a process, begun with its first work; a process that is asked to end finishes what it has taken.
_thread = ThreadPoolExecutor(1, "background")


def do_later(work: Callable[[], Any]) -> None:
    """Takes `work` to be done soon, in order. Raises queue.Full where too much waits already."""
    if not _places.acquire(blocking=False):
        raise Full
    _thread.submit(_do, work)


def wait() -> None:
    """Returns when all that was taken before is done."""
    _thread.submit(lambda: None).result()


def _do(work: Callable[[], Any]) -> None:
    try:
        # A server that is frozen must not keep the only thread for ever.
        with waiting_at_most(settings.STAFF_DATABASE_SECONDS):
            work()
    except Exception as error:  # noqa: BLE001 (nobody is there to be told)
        # Not the error's text: a mail server's has the customer's address in it.
        logger.error("Work in the background failed: %s", type(error).__name__)  # noqa: TRY400
    finally:
        connection.close()
        _places.release()
