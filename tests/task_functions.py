"""Tasks of the tests, which the worker finds by their dotted names."""

import time
from datetime import timedelta

from django_tasks import task

from booking.infrastructure.tasks import GivenUp, NotYet
from tests.factories import NOW

# The arguments of each call.
calls = []


@task
def succeed(**arguments):
    calls.append(arguments)


@task
def fail(**arguments):
    calls.append("fail")
    raise ValueError("No luck.")


@task
def give_up(**arguments):
    raise GivenUp("It makes no sense.")


@task
def wait_for_minute_5_and_a_day(**arguments):
    raise NotYet(before=NOW + timedelta(minutes=5))


@task
def hang():
    time.sleep(30)


not_a_task = fail.func
