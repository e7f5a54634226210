"""Effects on clients if the database is slow, frozen or unavailable, or if a worker or a client hangs.

Each fault is a row of a table in docs/operations.md.
"""

import time
from contextlib import ExitStack, contextmanager
from threading import Thread

import pytest

from tests.faults.load import AFFECTED, CLIENTS_ON_AFFECTED, OTHERS, READS, STAFF
from tests.faults.site import SlowBody, frozen

# The longest time for which a frozen worker may lock a show, and the time until a client notices its end.
LOCKED_SECONDS = 10 + 1
# REQUEST_SECONDS, and the time until a client notices its end.
BODY_SECONDS = 20 + 2
SLOW_BODIES = 8
REQUESTS_AT_ONCE = 20
ALL_BUT_AFFECTED = (OTHERS, READS, STAFF)


def settle(results, fault, measured, broken):
    results.add(fault, measured, broken)
    assert broken == []


@pytest.mark.long
def test_nothing_is_broken(site, results):
    """The control: the speed of the machine without a fault."""

    @contextmanager
    def nothing(load):
        yield

    fault = "none, as a control"
    settle(results, fault, *site.measure(fault, nothing, undisturbed=(AFFECTED, *ALL_BUT_AFFECTED)))


def test_postgresql_stopped(site, results, options):
    seconds = min(15.0, options.fault_seconds)

    @contextmanager
    def stopped(load):
        site.database.stop()
        yield lambda _: time.sleep(seconds)
        site.database.start()

    fault = f"PostgreSQL stopped for {seconds:.0f} s"
    settle(results, fault, *site.measure(fault, stopped))


def test_postgresql_frozen(site, results):
    fault = "PostgreSQL frozen (`SIGSTOP`)"
    settle(results, fault, *site.measure(fault, lambda load: frozen(site.database.pid)))


@pytest.mark.long
def test_postgresql_cut_off(site_behind_proxy, results):
    site = site_behind_proxy
    fault = "PostgreSQL cut off: the network passes nothing on"
    settle(results, fault, *site.measure(fault, lambda load: site.proxy.cut()))


@pytest.mark.long
def test_a_synchronous_replica_missing(site, results):
    @contextmanager
    def missing(load):
        site.want_replica("nobody")
        try:
            yield
        finally:
            site.want_replica("")

    fault = "commits wait for a replica that is missing"
    settle(results, fault, *site.measure(fault, missing, undisturbed=(READS,)))


def test_a_show_locked(site, results):
    fault = "the affected show's row locked by a hung transaction"
    measured = site.measure(fault, lambda load: site.show_locked(), undisturbed=ALL_BUT_AFFECTED)
    settle(results, fault, *measured)


@pytest.mark.long
def test_a_rate_limit_row_locked(site, results):
    customer = 0

    @contextmanager
    def locked(load):
        [key] = victims
        row = f"SELECT key FROM {site.names.counts_table} WHERE key = %s FOR UPDATE"
        with site.locked(row, key):
            load.burst(REQUESTS_AT_ONCE, customer)
            yield

    site.service.tokens, site.service.shows = site.names.tokens, site.names.shows
    assert site.service.book(customer, 5_000).status == 201
    victims = site.counts()
    fault = f"a customer's rate-limit row locked, {REQUESTS_AT_ONCE} of their requests at once"
    measured = site.measure(
        fault,
        locked,
        undisturbed=ALL_BUT_AFFECTED,
        affected_customers=[customer] * CLIENTS_ON_AFFECTED,
    )
    settle(results, fault, *measured)


def measure_a_frozen_worker(site, results, fault, service, **limits):
    """Freeze the worker in which a hold waits for the show's lock, and then release the lock."""

    @contextmanager
    def worker_frozen(load):
        with ExitStack() as freeze:
            with site.show_locked():
                hold = (0, site.affected_show, 9_999, service.port)
                Thread(target=load.hold, args=hold, daemon=True).start()
                freeze.enter_context(frozen(site.worker_that_waits_for_a_lock(service)))
            stretches[:] = [freeze.enter_context(site.watched_lock())]
            yield

    stretches = []
    measured, broken = site.measure(
        fault, worker_frozen, undisturbed=ALL_BUT_AFFECTED, without_in_flight=True, **limits
    )
    seconds = max(stretches[0])
    if seconds > LOCKED_SECONDS:
        broken.append(f"show locked for {seconds:.1f} s")
    settle(results, f"{fault}; its show stays locked for {seconds:.1f} s", measured, broken)


@pytest.mark.long
def test_a_worker_frozen_in_the_middle_of_a_hold(site, results):
    fault = "a worker frozen (`SIGSTOP`) in the middle of a hold"
    measure_a_frozen_worker(site, results, fault, site.service, is_cut=True)


@pytest.mark.long
def test_a_second_server_frozen_in_the_middle_of_a_hold(site, results, tmp_path):
    fault = "a second server, which gets no other request, frozen in the middle of a hold"
    with site.second_server(tmp_path) as service:
        measure_a_frozen_worker(site, results, fault, service)


@pytest.mark.long
def test_slow_bodies(site, results, options):
    bodies = []

    @contextmanager
    def slow_bodies(load):
        path = f"/api/shows/{site.affected_show}/book/"
        seconds = options.fault_seconds
        bodies.extend(SlowBody(site.service.port, path, site.names.tokens[0], seconds) for _ in range(SLOW_BODIES))
        yield
        for body in bodies:
            body.thread.join(10)

    fault = f"{SLOW_BODIES} requests whose body comes a byte every {SlowBody.BYTE_SECONDS:.0f} s"
    measured, broken = site.measure(fault, slow_bodies, undisturbed=(AFFECTED, *ALL_BUT_AFFECTED))
    late = [body for body in bodies if (body.seconds_until_cut or float("inf")) > BODY_SECONDS]
    if late:
        broken.append(f"slow bodies not cut within {BODY_SECONDS} s: {len(late)}")
    settle(results, fault, measured, broken)


@pytest.mark.long
def test_sqlite_locked(site_on_sqlite, results):
    site = site_on_sqlite
    fault = "SQLite locked by another process"
    settle(results, fault, *site.measure(fault, lambda load: site.locked(), undisturbed=(READS,)))
