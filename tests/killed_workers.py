"""Workers of tasks in separate processes, which end at a chosen step as if by SIGKILL, or run later.

They are forked from a process that has imported this module, so that each starts immediately.
"""

import os
import signal
import smtplib
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking.infrastructure import worker as workers
from booking.infrastructure.worker import Worker
from booking.services.accounts import password_reset
from booking.services.money import refunds
from booking.services.money.providers.demo import Demo

processes = get_context("forkserver")
processes.set_forkserver_preload([__name__])


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner, name):
    setattr(owner, name, die)


def after(owner, name, *, unless="never"):
    """End the process once the function has returned, `unless` it returned this."""
    original = getattr(owner, name)

    def replaced(*args, **kwargs):
        result = original(*args, **kwargs)
        if result != unless:
            die()
        return result

    setattr(owner, name, replaced)


# The steps of a worker with each task.
CLAIM = {
    "before the claim is committed": partial(after, DBTaskResult, "save"),
    "after the claim": partial(after, Worker, "_claim", unless=None),
}
END = {
    "before the end is stored": partial(before, Worker, "_store"),
    "after the end is stored": partial(after, Worker, "_store"),
}
MAIL = {
    "before the connection": partial(before, smtplib.SMTP, "connect"),
    "before the text is sent": partial(before, smtplib.SMTP, "data"),
    "after the text is accepted": partial(after, smtplib.SMTP, "sendmail"),
}
REFUND = {
    "before the call of the provider": partial(before, Demo, "refund"),
    "after the provider has answered": partial(after, Demo, "refund"),
    "before the refund is committed": partial(after, refunds, "mark_refund"),
    "after the refund is committed": partial(after, refunds, "settle_refund"),
}
LINKS = {
    "before the links are enqueued": partial(before, password_reset, "enqueue_once"),
    "after the links are enqueued": partial(after, password_reset, "enqueue_once"),
}
STEPS = CLAIM | MAIL | REFUND | LINKS | END


def _set_up(port, calls):
    """Send mail to the port, and write each call of the provider to the file `calls`."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    ask = Demo.refund

    def note_and_ask(provider, refund):
        with Path(calls).open("a") as file:
            file.write(f"{refund.pk}\n")
        return ask(provider, refund)

    Demo.refund = note_and_ask


def work(step, port, calls):
    """Run the command in a separate process, until it is killed at the step."""
    _set_up(port, calls)
    if step:
        STEPS[step]()
    call_command("db_worker", due=True)


def work_later(port, calls):
    """Run a worker that finds the tasks of a dead one, and another one after the pause, in a separate process."""
    _set_up(port, calls)
    workers.LOST_CHECK_SECONDS = 0
    for minutes in (3, 5):
        Worker(clock=lambda minutes=minutes: timezone.now() + timedelta(minutes=minutes)).run_due()


def exit_code(target, *args):
    process = processes.Process(target=target, args=args)
    process.start()
    process.join(60)
    return process.exitcode
