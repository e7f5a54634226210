"""Tasks: work that `manage.py db_worker` does after the commit, such as sending mail.

A task is a row of django-tasks-db, written in the transaction of the change: it is lost only with the change. The
functions are in booking/tasks.py. Their arguments are ids, because rows of finished tasks are stored for a while;
arguments with the names in PERSONAL are cleared when the task has ended.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from booking.infrastructure.statements import Call, Insert, send

BACKEND = "default"
KEEP_SUCCESSFUL = timedelta(days=1)
KEEP_FAILED = timedelta(days=30)
# The names of arguments that are personal data.
PERSONAL = frozenset({"email"})

_insert = Insert(DBTaskResult)


class GivenUp(Exception):
    """Raised by a task that would fail again: it is not retried."""


class NotYet(Exception):
    """Raised by a task that waits for something outside: it runs again after the pause of a retry, without an error.

    `before` (UTC) is a time at which it runs again at the latest. It must not be raised for longer than a day.
    """

    def __init__(self, before: datetime | None = None) -> None:
        super().__init__()
        self.before = before


def new_task(
    path: str, *, now: datetime, priority: int = 0, run_after: datetime | None = None, **arguments: Any
) -> Any:
    """Return the unsaved row of a task. `path` is the dotted name of its function; `now` and `run_after` are UTC."""
    return DBTaskResult(
        task_path=path,
        backend_name=BACKEND,
        priority=priority,
        args_kwargs={"args": [], "kwargs": arguments},
        enqueued_at=now,
        run_after=run_after or now,
    )


def insert_task(task: Any) -> Call:
    """Return the statement that enqueues the task, for the last round trip of a transaction."""
    return _insert.of(task)


def enqueue(*tasks: Any) -> None:
    """Writes the tasks in one round trip, in the current transaction."""
    send(*map(_insert.of, tasks))


def enqueue_once(tasks: Sequence[Any]) -> None:
    """Writes those of the tasks whose ids are not stored yet."""
    DBTaskResult.objects.bulk_create(tasks, ignore_conflicts=True)


def due_tasks(now: datetime) -> Any:
    """Return the tasks that wait for a worker, the most urgent first. `now` is UTC."""
    waiting = DBTaskResult.objects.filter(status=TaskResultStatus.READY, backend_name=BACKEND)
    return waiting.filter(run_after__lte=now).order_by("-priority", "run_after", "enqueued_at")


def open_tasks(path: str) -> Any:
    """Return the tasks with this function that wait for a worker or are running."""
    is_open = [TaskResultStatus.READY, TaskResultStatus.RUNNING]
    return DBTaskResult.objects.filter(task_path=path, status__in=is_open, backend_name=BACKEND)


def has_failed(path: str, **arguments: Any) -> bool:
    """Return whether the last task with this function and these arguments was given up."""
    with_arguments = {f"args_kwargs__kwargs__{name}": value for name, value in arguments.items()}
    tasks = DBTaskResult.objects.filter(task_path=path, backend_name=BACKEND, **with_arguments)
    last = tasks.order_by("-enqueued_at").values_list("status", flat=True).first()
    return bool(last == TaskResultStatus.FAILED)


class Backlog(NamedTuple):
    # Tasks that should have been started by now.
    waiting: int
    # The longest of these waits, in seconds.
    oldest_seconds: float
    # Tasks whose last attempt failed and that wait for the next one.
    retrying: int
    failed: int


def read_backlog(now: datetime) -> Backlog:
    """Return the number of tasks that wait and that have failed. `now` is UTC."""
    ready, is_due = Q(status=TaskResultStatus.READY, backend_name=BACKEND), Q(run_after__lte=now)
    failed, has_failed = Q(status=TaskResultStatus.FAILED), ~Q(exception_class_path="")
    numbers = DBTaskResult.objects.filter(ready | failed).aggregate(
        waiting=Count("pk", filter=ready & is_due),
        oldest=Min("run_after", filter=ready & is_due),
        retrying=Count("pk", filter=ready & ~is_due & has_failed),
        failed=Count("pk", filter=failed),
    )
    oldest = numbers.pop("oldest")
    return Backlog(**numbers, oldest_seconds=(now - oldest).total_seconds() if oldest else 0)


def without_personal(args_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task that has ended, the personal ones as empty strings."""
    arguments = args_kwargs["kwargs"]
    return args_kwargs | {"kwargs": arguments | dict.fromkeys(PERSONAL & arguments.keys(), "")}


def retry(task_id: Any, now: datetime) -> bool:
    """Makes a failed task due again, for another day of attempts. `now` is UTC.

    Return False if it has not failed, or if its personal arguments were cleared.
    """
    failed = DBTaskResult.objects.filter(pk=task_id, status=TaskResultStatus.FAILED)
    arguments = failed.values_list("args_kwargs", flat=True).first()
    if arguments is None or PERSONAL & arguments["kwargs"].keys():
        return False
    fresh = {"status": TaskResultStatus.READY, "run_after": now, "enqueued_at": now, "worker_ids": []}
    return bool(failed.update(**fresh, started_at=None, finished_at=None))


def expired_tasks(now: datetime) -> Any:
    """Return the rows that are no longer needed. `now` is UTC."""
    successful = Q(status=TaskResultStatus.SUCCESSFUL, finished_at__lt=now - KEEP_SUCCESSFUL)
    failed = Q(status=TaskResultStatus.FAILED, finished_at__lt=now - KEEP_FAILED)
    return DBTaskResult.objects.filter(successful | failed).order_by("pk")
