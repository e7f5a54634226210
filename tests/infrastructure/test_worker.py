"""The worker of tasks: retries, its time limit, and tasks of workers that have died."""

import os
import signal
import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django_tasks_db.models import DBTaskResult

from booking.infrastructure import worker as workers
from booking.infrastructure.tasks import (
    KEEP_FAILED,
    KEEP_SUCCESSFUL,
    Backlog,
    enqueue,
    expired_tasks,
    new_task,
    read_backlog,
)
from booking.infrastructure.tasks import retry as retry_task
from booking.infrastructure.worker import LEASE_SECONDS, Worker
from tests import task_functions
from tests.factories import NOW

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Clock:
    """The clock of a worker, which a test advances."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def worker(clock, monkeypatch):
    monkeypatch.setattr(task_functions, "calls", [])
    monkeypatch.setattr(workers, "LOST_CHECK_SECONDS", 0)
    return Worker(clock=clock)


def add(name, **options):
    enqueue(new_task(f"tests.task_functions.{name}", now=NOW, **options))


def row():
    return DBTaskResult.objects.get()


def test_a_task_runs_once(worker):
    add("succeed", number=1)
    assert (worker.run_due(), worker.run_due()) == (1, 0)
    assert (task_functions.calls, row().status) == ([{"number": 1}], "SUCCESSFUL")


def test_urgent_tasks_come_first_then_the_oldest(worker):
    for number, priority in ((1, 0), (2, 5), (3, 0)):
        add("succeed", number=number, priority=priority)
    worker.run_due()
    assert [call["number"] for call in task_functions.calls] == [2, 1, 3]


def test_a_failed_task_is_retried_with_growing_pauses_for_a_day(worker, clock):
    add("fail")
    times = []
    while row().status == "READY":
        clock.now = row().run_after
        times.append(round((clock.now - NOW) / MINUTE))
        worker.run_due()
    assert times == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1440]
    assert (row().status, row().traceback.splitlines()[-1]) == ("FAILED", "ValueError: No luck.")


def test_a_task_that_waits_is_run_again_without_an_error(worker, clock, caplog):
    add("wait_for_minute_5_and_a_day")
    times = []
    while len(times) < 5:
        clock.now = row().run_after
        times.append(round((clock.now - NOW) / MINUTE))
        worker.run_due()
    assert (times, row().status, row().traceback, caplog.messages) == ([0, 1, 3, 5, 13], "READY", "", [])
    assert read_backlog(clock.now).retrying == 0


def test_a_task_that_waits_for_longer_than_a_day_has_failed(worker, clock):
    add("wait_for_minute_5_and_a_day")
    clock.now += DAY
    worker.run_due()
    assert (row().status, row().exception_class_path) == ("FAILED", "booking.infrastructure.tasks.NotYet")


def test_a_task_that_gives_up_is_not_retried(worker):
    add("give_up")
    worker.run_due()
    assert (row().status, len(row().worker_ids)) == ("FAILED", 1)


@pytest.mark.parametrize("name", ["unknown", "not_a_task"])
def test_a_task_of_a_newer_version_is_retried(worker, clock, name):
    add(name)
    worker.run_due()
    assert (row().status, row().run_after) == ("READY", NOW + MINUTE)


def test_the_error_is_cleared_when_the_task_succeeds(worker, clock):
    add("fail")
    worker.run_due()
    DBTaskResult.objects.update(task_path="tests.task_functions.succeed", run_after=NOW)
    worker.run_due()
    assert (row().status, row().traceback) == ("SUCCESSFUL", "")


def test_a_task_whose_worker_died_is_run_again_after_its_lease(worker, clock):
    add("succeed")
    Worker(clock=clock)._claim()
    clock.now += timedelta(seconds=LEASE_SECONDS)
    assert worker.run_due() == 0
    clock.now += MINUTE
    # Noted as lost, then due after the pause.
    worker.run_due()
    clock.now += MINUTE
    worker.run_due()
    assert (row().status, len(row().worker_ids)) == ("SUCCESSFUL", 2)


def test_a_worker_that_lost_its_task_changes_nothing(worker, clock):
    add("succeed")
    slow = Worker(clock=clock)
    task = slow._claim()
    clock.now += timedelta(seconds=LEASE_SECONDS + 1)
    worker.run_due()
    slow._store(task, {"status": "FAILED"})
    assert row().status == "READY"


def test_a_worker_that_lost_its_task_does_not_end_the_attempt_of_another_one(worker, clock):
    add("succeed")
    slow = Worker(clock=clock)
    task = slow._claim()
    clock.now += timedelta(seconds=LEASE_SECONDS + 1)
    worker.run_due()
    clock.now += MINUTE
    assert Worker(clock=clock)._claim().pk == task.pk
    slow._store(task, {"status": "READY"})
    assert row().status == "RUNNING"


def test_an_attempt_that_takes_too_long_is_interrupted(worker, monkeypatch):
    monkeypatch.setattr(workers, "TASK_SECONDS", 0.05)
    add("hang")
    worker.run_due()
    assert (row().status, row().exception_class_path) == ("READY", "booking.infrastructure.worker.TimeLimit")


def test_an_attempt_that_a_stop_interrupts_is_due_again(worker, monkeypatch):
    monkeypatch.setattr(workers, "STOP_SECONDS", 0.05)
    monkeypatch.setattr(workers, "TASK_SECONDS", 30)
    previous = signal.signal(signal.SIGUSR1, worker.stop)
    try:
        add("hang")
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        worker.run()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert (row().status, row().run_after) == ("READY", NOW)


def test_a_worker_that_is_stopped_runs_no_more_tasks(worker):
    add("succeed")
    worker.stop()
    worker.run()
    assert (worker.run_due(), row().status) == (0, "READY")


class FailingDatabase:
    """Let the first statements with this text fail."""

    def __init__(self, text, times):
        self.text, self.times = text, times

    def __call__(self, execute, sql, params, many, context):
        if self.text in sql and self.times:
            self.times -= 1
            raise OperationalError("gone")
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
def test_a_worker_waits_for_an_unavailable_database(worker, caplog):
    add("succeed")
    with connection.execute_wrapper(FailingDatabase("SELECT", 2)):
        assert [worker.run_next() for _ in range(3)] == [False, False, True]
    assert [record.message for record in caplog.records] == ["The worker can't read its tasks and keeps trying: gone"]


@pytest.mark.django_db(transaction=True)
def test_the_end_of_an_attempt_is_stored_once_the_database_is_back(worker, monkeypatch):
    monkeypatch.setattr(workers, "DATABASE_PAUSE_SECONDS", 0)
    add("succeed")
    task = worker._claim()
    with connection.execute_wrapper(FailingDatabase("UPDATE", 3)):
        worker._store(task, {"status": "SUCCESSFUL"})
    assert row().status == "SUCCESSFUL"


@pytest.mark.django_db(transaction=True)
def test_a_task_whose_end_can_not_be_stored_runs_again_after_its_lease(worker, monkeypatch):
    monkeypatch.setattr(workers, "STORE_SECONDS", 0)
    add("succeed")
    task = worker._claim()
    with connection.execute_wrapper(FailingDatabase("UPDATE", 3)):
        worker._store(task, {"status": "SUCCESSFUL"})
    assert row().status == "RUNNING"


def test_a_task_that_another_worker_claims_is_skipped(worker, monkeypatch):
    add("succeed")
    monkeypatch.setattr(workers, "due_tasks", lambda now: Vanishing(DBTaskResult.objects.all()))
    assert worker._claim() is None


class Vanishing:
    """A queryset that has rows only at its first evaluation."""

    def __init__(self, rows):
        self.exists, self.select_for_update = rows.exists, rows.none().select_for_update


def test_the_backlog_has_due_and_failed_tasks(worker, clock):
    for name in ("give_up", "fail", "succeed"):
        add(name)
    assert read_backlog(NOW + 2 * MINUTE) == Backlog(waiting=3, oldest_seconds=120, retrying=0, failed=0)
    worker.run_due()
    assert read_backlog(NOW) == Backlog(waiting=0, oldest_seconds=0, retrying=1, failed=1)


def test_a_failed_task_gets_another_day(worker, clock):
    add("give_up")
    worker.run_due()
    assert (retry_task(row().pk, NOW + DAY), retry_task(row().pk, NOW + DAY)) == (True, False)
    assert (row().status, row().worker_ids, row().run_after) == ("READY", [], NOW + DAY)


def test_a_failed_task_that_fails_again_within_the_day_is_retried(worker, clock):
    add("fail")
    clock.now += DAY
    worker.run_due()
    assert (row().status, retry_task(row().pk, clock.now)) == ("FAILED", True)
    worker.run_due()
    assert (row().status, row().run_after) == ("READY", clock.now + MINUTE)


def test_an_address_is_cleared_at_the_end_of_its_task(worker):
    for name in ("succeed", "fail", "give_up"):
        add(name, email="ann@example.com", number=1)
    worker.run_due()
    stored = DBTaskResult.objects.order_by("status").values_list("status", "args_kwargs__kwargs")
    assert [*stored] == [
        ("FAILED", {"email": "", "number": 1}),
        ("READY", {"email": "ann@example.com", "number": 1}),
        ("SUCCESSFUL", {"email": "", "number": 1}),
    ]


def test_a_failed_task_whose_address_was_cleared_is_not_retried(worker):
    add("give_up", email="ann@example.com")
    worker.run_due()
    assert (retry_task(row().pk, NOW + DAY), row().status) == (False, "FAILED")


def test_finished_tasks_expire(worker):
    for name in ("succeed", "give_up", "fail"):
        add(name)
    worker.run_due()
    numbers = [expired_tasks(NOW + age + MINUTE).count() for age in (timedelta(0), KEEP_SUCCESSFUL, KEEP_FAILED)]
    assert numbers == [0, 1, 2]


def test_the_command_runs_due_tasks(capsys, worker):
    call_command("db_worker", due=True)
    assert capsys.readouterr().out == "Attempts: 0\n"


def test_the_command_reports_that_no_mail_is_sent(settings, caplog):
    settings.SENDS_MAIL, settings.PAYMENT_PROVIDERS = False, {"stripe": None}
    call_command("db_worker", due=True)
    assert [record.message for record in caplog.records] == ["EMAIL_URL is not set, so the service sends no mail."]


@pytest.mark.parametrize(
    ("providers", "lines"),
    [(["counter"], ["STRIPE_SECRET_KEY is not set, so nobody can pay with Stripe."]), (["counter", "stripe"], [])],
)
def test_the_command_reports_that_stripe_is_disabled(settings, caplog, providers, lines):
    caplog.set_level("INFO")
    settings.PAYMENT_PROVIDERS = dict.fromkeys(providers)
    call_command("db_worker", due=True)
    assert [record.message for record in caplog.records] == lines
