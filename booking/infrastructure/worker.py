"""The worker of tasks: retries with growing pauses, a time limit, and tasks whose worker has died.

The worker of django-tasks-db runs each task once, and a task whose process is killed stays RUNNING. Here a task belongs
to its worker for LEASE_SECONDS; after that another worker runs it again. Every change of a row has the condition that
the task still belongs to this worker. A task may thus run more than once, so running it twice must do no harm.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event
from traceback import format_exception
from types import FrameType
from typing import Any

from django.db import Error, connection, transaction
from django.utils import timezone
from django_tasks.base import TaskContext, TaskResultStatus
from django_tasks_db.models import DBTaskResult

from booking.infrastructure.tasks import BACKEND, GivenUp, NotYet, due_tasks, without_personal
from movieticket.deadline import waiting_at_most

logger = logging.getLogger(__name__)

# The time limit of one attempt.
TASK_SECONDS = 60.0
# The time limit of the current attempt after a signal to stop.
STOP_SECONDS = 8.0
# The interrupted attempt is interrupted again if it goes on, for example in the handling of the first interruption.
AGAIN_SECONDS = 5.0
# An attempt that began earlier than this has lost its worker.
LEASE_SECONDS = 120.0
LOST_CHECK_SECONDS = 10.0
DATABASE_SECONDS = 10.0
DATABASE_PAUSE_SECONDS = 1.0
FIRST_PAUSE = timedelta(minutes=1)
GIVE_UP_AFTER = timedelta(days=1)
MAX_DOUBLINGS = 11
# The time limit for storing the end of an attempt, which has to be stored before the lease ends.
STORE_SECONDS = 30.0
# The number of characters of a traceback that are stored.
MAX_REASON = 20_000
NO_REASON = {"exception_class_path": "", "traceback": ""}


class TimeLimit(Exception):
    """An attempt took longer than TASK_SECONDS."""


class Stopped(Exception):
    """The worker got a signal to stop, and the attempt did not end in time."""


class WorkerLost(Exception):
    """The worker was killed, or lost its machine."""


class Worker:
    """Runs tasks one by one, the most urgent and oldest first, until it is stopped."""

    def __init__(
        self,
        *,
        interval: float = 1.0,
        parent: int | None = None,
        clock: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._interval = interval
        # The id of the process with which the worker ends. It may have ended before the worker could ask for it.
        self._parent = parent
        self._clock = clock
        self._name = f"{os.uname().nodename}:{os.getpid()}"[-64:]
        self._stop = Event()
        self._is_database_down = False
        self._next_check = 0.0

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Handles signals: ends the worker after the current attempt, which gets STOP_SECONDS."""
        self._stop.set()
        if signal.getitimer(signal.ITIMER_REAL)[0] > STOP_SECONDS:
            signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS, AGAIN_SECONDS)

    def run(self) -> None:
        """Runs tasks until `stop` is called or the parent process has ended."""
        while not self._stop.is_set() and not self._is_orphan:
            if not self.run_next():
                self._stop.wait(self._interval)

    def run_due(self) -> int:
        """Runs all tasks that are due and returns the number of attempts."""
        number = 0
        while not self._stop.is_set() and self.run_next():
            number += 1
        return number

    @property
    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def run_next(self) -> bool:
        """Runs the next due task. Return whether there was one."""
        try:
            with waiting_at_most(DATABASE_SECONDS):
                self._release_lost()
                task = self._claim()
        except Error as error:
            self._note_database_error(error)
            return False
        self._is_database_down = False
        if task is not None:
            self._store(task, self._attempt(task))
        return task is not None

    def _note_database_error(self, error: Error) -> None:
        if not self._is_database_down:
            logger.error("The worker can't read its tasks and keeps trying: %s", str(error).strip())
        self._is_database_down = True
        connection.close()

    def _claim(self) -> Any:
        now = self._clock()
        due = due_tasks(now)
        # Without this query, SQLite's write lock would be taken every second.
        if not due.exists():
            return None
        with transaction.atomic():
            # Race: several workers; each skips the tasks that another one is claiming.
            task = due.select_for_update(skip_locked=True).first()
            if task is not None:
                task.status, task.started_at = TaskResultStatus.RUNNING, now
                task.worker_ids = [*task.worker_ids, self._name]
                task.save(update_fields=["status", "started_at", "worker_ids"])
        return task

    def _release_lost(self) -> None:
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + LOST_CHECK_SECONDS
        lost_since = self._clock() - timedelta(seconds=LEASE_SECONDS)
        for task in DBTaskResult.objects.running().filter(backend_name=BACKEND, started_at__lt=lost_since):
            self._store(task, self._after_failure(task, WorkerLost("The worker ended before the task did.")))

    def _attempt(self, task: Any) -> dict[str, Any]:
        """Runs the task's function and returns the new values of the row."""
        try:
            with self._time_limit(), waiting_at_most(TASK_SECONDS):
                _call(task)
        except Stopped as error:
            return _reason(error) | {"status": TaskResultStatus.READY, "run_after": self._clock()}
        except Exception as error:  # noqa: BLE001 (any exception of a task is stored, and most are retried)
            return self._after_failure(task, error)
        return NO_REASON | self._end(task, TaskResultStatus.SUCCESSFUL)

    def _end(self, task: Any, status: TaskResultStatus) -> dict[str, Any]:
        """Return the new values of a row whose task is not run again."""
        arguments = without_personal(task.args_kwargs)
        return {"status": status, "finished_at": self._clock(), "args_kwargs": arguments}

    def _after_failure(self, task: Any, error: Exception) -> dict[str, Any]:
        """Return the new values of a row whose attempt did not succeed: it waits for the next one, or has failed."""
        now, attempts = self._clock(), len(task.worker_ids)
        last_attempt_at = task.enqueued_at + GIVE_UP_AFTER
        # Without the error's text, which may contain a customer's address.
        kind = type(error).__name__
        if isinstance(error, GivenUp) or now >= last_attempt_at:
            logger.error("Task %s %s failed at attempt %d, the last one: %s", task.task_path, task.pk, attempts, kind)
            return _reason(error) | self._end(task, TaskResultStatus.FAILED)
        pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, MAX_DOUBLINGS), GIVE_UP_AFTER)
        run_after = min(now + pause, last_attempt_at)
        if isinstance(error, NotYet):
            if error.before and error.before > now:
                run_after = min(run_after, error.before)
            return NO_REASON | {"status": TaskResultStatus.READY, "run_after": run_after}
        logger.warning("Task %s %s failed at attempt %d: %s", task.task_path, task.pk, attempts, kind)
        return _reason(error) | {"status": TaskResultStatus.READY, "run_after": run_after}

    def _store(self, task: Any, values: dict[str, Any]) -> None:
        """Changes the row if the task still belongs to this worker. Tries for STORE_SECONDS."""
        own = DBTaskResult.objects.filter(pk=task.pk, status=TaskResultStatus.RUNNING, started_at=task.started_at)
        deadline = time.monotonic() + STORE_SECONDS
        while True:
            try:
                with waiting_at_most(DATABASE_SECONDS):
                    own.update(**values)
            except Error as error:
                self._note_database_error(error)
                if time.monotonic() > deadline:
                    # The task runs again after its lease.
                    return
                time.sleep(DATABASE_PAUSE_SECONDS)
            else:
                return

    @contextmanager
    def _time_limit(self) -> Iterator[None]:
        """Interrupts the block after TASK_SECONDS, or STOP_SECONDS after a signal to stop. Only in the main thread."""

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            raise (
                Stopped("The worker was stopped.")
                if self._stop.is_set()
                else TimeLimit(f"The attempt took longer than {TASK_SECONDS:.0f} seconds.")
            )

        previous = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, TASK_SECONDS, AGAIN_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def _call(row: Any) -> None:
    """Calls the task's function. An unknown function fails like any other task: a newer version may have it."""
    task, result = row.task, row.task_result
    context = [TaskContext(task_result=result)] if task.takes_context else []
    task.call(*context, *result.args, **result.kwargs)


def _reason(error: Exception) -> dict[str, str]:
    """Return the values that say why an attempt failed. The admin shows the last line of the traceback."""
    path = f"{type(error).__module__}.{type(error).__qualname__}"
    return {"exception_class_path": path, "traceback": "".join(format_exception(error))[-MAX_REASON:]}
