"""Functions for tests of races: parallel calls on real connections."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from booking.services import Refusal
from tests.factories import make_user

parallel_writers = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer at a time and no lock of a row."
)

# In a statement, or between others that are sent in the same round trip.
WRITE = re.compile(r"(^|;\n)(INSERT|UPDATE)")


def make_users(number):
    return [make_user() for _ in range(number)]


def outcome(service, **call):
    """Return the result of a service: "done", or the code of the refusal."""
    try:
        service(**call)
    except Refusal as refusal:
        return refusal.code
    return "done"


def start(pool: ThreadPoolExecutor, call) -> Future:
    """Run `call` in a thread with its own connection."""

    def run():
        try:
            return call()
        finally:
            connection.close()

    return pool.submit(run)


def at_once(calls):
    """Return the results of all `calls`; they start together, each in a thread with its own connection."""
    barrier = Barrier(len(calls))

    def run(call):
        try:
            barrier.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def all_read_before_one_writes(calls: list[Callable]) -> list:
    """Return the results of all `calls`; none writes before all have read."""
    barrier = Barrier(len(calls), timeout=30)

    def run(call):
        met = []

        def meet(execute, sql, params, many, context):
            if WRITE.search(sql) and not met:
                met.append(barrier.wait())
            return execute(sql, params, many, context)

        with connection.execute_wrapper(meet):
            return call()

    return at_once([partial(run, call) for call in calls])


def all_decide_before_one_commits(calls: list[Callable]) -> list:
    """Return the results of all `calls`; none commits before all are about to, so none sees another one's changes.

    They must not change the same rows: the second one would wait for the first one's commit.
    """
    barrier = Barrier(len(calls), timeout=30)

    def run(call):
        met = []
        connection.ensure_connection()
        session = connection.connection
        send, commit = session.run, session.commit

        def meet():
            if not met:
                met.append(barrier.wait())

        def meet_and_send(statements, **how):
            if how.get("commit"):
                meet()
            return send(statements, **how)

        def meet_and_commit():
            meet()
            commit()

        session.run, session.commit = meet_and_send, meet_and_commit
        return call()

    return at_once([partial(run, call) for call in calls])


# --- Locks ------------------------------------------------------------------------------------


@contextmanager
def locked_elsewhere(row) -> Iterator[None]:
    """Lock a show or another row on another connection during the block."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"SELECT FROM {row._meta.db_table} WHERE id = %s FOR NO KEY UPDATE", [row.pk])
        yield
    finally:
        other.rollback()
        other.close()


def wait_for_waiters(number):
    """Wait until this number of connections waits for a lock."""
    deadline = time.monotonic() + 30
    waiters = -1
    while waiters != number:
        assert time.monotonic() < deadline
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            [waiters] = cursor.fetchone()


def with_short_timeout(call, *args):
    """Return the result of `call` on this thread's connection with a short lock timeout."""
    if connection.vendor == "sqlite":
        options = connection.settings_dict["OPTIONS"] | {"timeout": 0.05}
        connection.settings_dict = connection.settings_dict | {"OPTIONS": options}
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
    return call(*args)
