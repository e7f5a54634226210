"""A background thread for work such as mail, whose duration must not be visible in the response time."""

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
# One thread per process, started on first use. A process that exits normally first finishes the queue.
_thread = ThreadPoolExecutor(1, "background")


def run_later(work: Callable[[], Any]) -> None:
    """Queues `work` for the background thread. Raises queue.Full if MAX_WAITING items are queued."""
    if not _places.acquire(blocking=False):
        raise Full
    _thread.submit(_run, work)


def wait() -> None:
    """Waits until all work queued so far is done."""
    _thread.submit(lambda: None).result()


def _run(work: Callable[[], Any]) -> None:
    try:
        # A frozen database must not block the only thread for ever.
        with waiting_at_most(settings.STAFF_DATABASE_SECONDS):
            work()
    except Exception as error:  # noqa: BLE001 (there is no caller)
        # Without the error's text, which may contain a customer's address.
        logger.error("Work in the background failed: %s", type(error).__name__)  # noqa: TRY400
    finally:
        connection.close()
        _places.release()
