"""The service on its own database, and functions that cause faults in either."""

import json
import os
import select
import signal
import socket
import sqlite3
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from types import SimpleNamespace

import psycopg

from tests.faults.load import CLIENTS_ON_AFFECTED, CUSTOMERS, KINDS, SHOWS, Load, Measured, Names
from tests.faults.results import broken_limits, false_conflicts, lost, recovery
from tests.postgres_server import postgres_server
from tests.service import free_port, run, served, wait_until

# The duration of the load before the fault, the minimum after it, and the maximum until everything has recovered.
BEFORE_SECONDS, AFTER_SECONDS, RECOVERED_SECONDS = 3.0, 6.0, 45.0
FILL = "import django; django.setup(); from tests.faults.site import fill; fill()"
STARTED = time.monotonic()


def step(text):
    """Print a line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", file=sys.stderr, flush=True)


def fill():
    """Create tables, shows, customers and a member of staff in a separate process; prints the Names."""
    from django.apps import apps
    from django.core.management import call_command
    from django.test import Client

    from booking.infrastructure.tokens import AccessToken
    from booking.models import User
    from tests.factories import make_show, make_user

    call_command("migrate", verbosity=0)
    staff = Client()
    staff.force_login(User.objects.create_superuser("boss"))
    [counts] = [
        model._meta.db_table
        for model in apps.get_models()
        if {"key", "number", "ends_at"} <= {field.name for field in model._meta.fields}
    ]
    names = {
        "shows": [make_show(total_seats=5_000, seats_per_row=50).pk for _ in range(SHOWS)],
        "tokens": [str(AccessToken.for_user(make_user(password=None))) for _ in range(CUSTOMERS)],
        "session": staff.cookies["sessionid"].value,
        "counts_table": counts,
    }
    print(json.dumps(names))


def filled(url):
    done = run(url, "-c", FILL)
    assert done.returncode == 0, done.stderr
    return Names(**json.loads(done.stdout.splitlines()[-1]))


class Site:
    """The running service, its load and its database."""

    def __init__(self, service, names, options):
        self.service, self.names, self.options = service, names, options
        self.affected_show = names.shows[0]

    @contextmanager
    def load(self, affected_customers=tuple(range(CLIENTS_ON_AFFECTED))):
        load = Load(self.service.port, self.names, affected_customers)
        with load.running():
            time.sleep(BEFORE_SECONDS)
            yield load

    def measure(self, fault, break_it, *, undisturbed=(), without_in_flight=False, is_cut=False, **load_options):
        """Run the load while the context manager `break_it(load)` causes a fault, and check the limits.

        What `break_it` yields, if anything, waits in place of `time.sleep`. Returns the measured answers and the list
        of broken limits, to which a test may add its own.
        """
        step(f"{fault}: load starts")
        with self.load(**load_options) as load:
            began = time.monotonic()
            with break_it(load) as wait:
                step(f"{fault}: broken")
                began = time.monotonic() if without_in_flight else began
                (wait or time.sleep)(self.options.fault_seconds)
            ended = time.monotonic()
            step(f"{fault}: mended")
            while not self._is_over(load, ended):
                time.sleep(0.1)
        measured = Measured.of(load, began, ended, without_in_flight=without_in_flight)
        broken = list(broken_limits(measured, self.options.database_seconds, undisturbed, is_cut=is_cut))
        stored = self.stored()
        for name, seats in (("lost", lost(load, stored)), ("false 409", false_conflicts(load, stored))):
            if seats:
                broken.append(f"{name}: {len(seats)}")
        step(f"{fault}: recovered after {recovery(measured):.1f} s; limits broken: {'; '.join(broken) or 'none'}")
        return measured, broken

    @staticmethod
    def _is_over(load, ended):
        passed = time.monotonic() - ended
        return passed > RECOVERED_SECONDS or (
            passed > AFTER_SECONDS and all(load.good(kind, since=ended) for kind in KINDS)
        )


class PostgresSite(Site):
    def __init__(self, database, url, proxy, *arguments):
        super().__init__(*arguments)
        self.database, self.url, self.proxy = database, url, proxy

    def run(self, sql, *parameters):
        """Return a connection of a superuser whose commits don't wait for a replica."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            connection.execute("SET synchronous_commit = local")
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def stored(self):
        return self.run("SELECT id, show_id, seat_number, status FROM booking_booking")

    def counts(self):
        return {key for (key,) in self.run(f"SELECT key FROM {self.names.counts_table} WHERE key LIKE 'booking:%%'")}

    @contextmanager
    def locked(self, sql, *parameters):
        """Run `sql`, and hold its locks during the block."""
        with closing(psycopg.connect(self.url, connect_timeout=5)) as connection:
            connection.execute(sql, parameters)
            yield
            with suppress(psycopg.OperationalError):
                connection.rollback()

    def show_locked(self):
        return self.locked("SELECT id FROM booking_show WHERE id = %s FOR UPDATE", self.affected_show)

    @contextmanager
    def watched_lock(self):
        """Try the affected show's lock ten times a second, and record for how long (seconds) it has been held."""
        stretches, is_over = [0.0], Event()
        statement = "SELECT id FROM booking_show WHERE id = %s FOR NO KEY UPDATE NOWAIT"

        def watch():
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                began = None
                while not is_over.wait(0.1):
                    try:
                        connection.execute(statement, [self.affected_show])
                        began = None
                    except psycopg.errors.LockNotAvailable:
                        began = began or time.monotonic()
                        stretches.append(time.monotonic() - began)

        thread = Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield stretches
        finally:
            is_over.set()
            thread.join(5)

    def want_replica(self, name):
        self.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.run("SELECT pg_reload_conf()")
        wait_until(lambda: self.run("SHOW synchronous_standby_names") == [(name,)])

    @contextmanager
    def second_server(self, folder):
        """Start a server with one worker on the same database."""
        with served(self.url, [], [], folder, **self.options.environment | {"WORKERS": "1"}) as service:
            yield service

    def worker_that_waits_for_a_lock(self, service):
        """Return the process of this service whose statement waits for a row's lock, by its connection."""
        pids, found = descendants(service.process.pid), []

        def waits():
            rows = self.run(
                "SELECT client_port FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND client_port > 0"
            )
            found[:] = processes_of_ports(pids, {port for (port,) in rows})
            return found

        wait_until(waits)
        return found[0]


class SqliteSite(Site):
    def __init__(self, path, *arguments):
        super().__init__(*arguments)
        self.path = path

    def stored(self):
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute("SELECT id, show_id, seat_number, status FROM booking_booking").fetchall()

    @contextmanager
    def locked(self):
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


@contextmanager
def postgres_site(folder, options, *, behind_proxy=False):
    port = free_port()
    with ExitStack() as stack:
        database = stack.enter_context(postgres_server(listen_addresses="127.0.0.1", port=str(port)))
        url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        names = filled(url)
        relay = stack.enter_context(proxy(port)) if behind_proxy else None
        service = stack.enter_context(served(relay.url if relay else url, [], [], folder, **options.environment))
        site = PostgresSite(database, url, relay, service, names, options)
        # The first reader of a row may mark it, and such a mark waits for a replica too.
        site.run("VACUUM")
        yield site


@contextmanager
def sqlite_site(folder, options):
    path = folder / "db.sqlite3"
    url = f"sqlite:///{path}"
    names = filled(url)
    with served(url, [], [], folder, **options.environment) as service:
        yield SqliteSite(path, service, names, options)


# --- Processes --------------------------------------------------------------------------------


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if parent(child := int(stat.parent.name)) == pid:
                found.append(child)
    return found


@contextmanager
def frozen(*pids):
    """Stop these processes and their children with SIGSTOP."""
    stopped = []
    try:
        for pid in pids:
            # The parent first, so that it starts no further child.
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
            for child in children(pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGSTOP)
                    stopped.append(child)
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def descendants(pid):
    return [pid, *(found for child in children(pid) for found in descendants(child))]


def processes_of_ports(pids, ports):
    """Return those of the processes that have a loopback TCP connection on one of these ports."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inodes = {f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) in ports}
    return [pid for pid in pids if inodes & sockets(pid)]


def sockets(pid):
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(descriptor.readlink()))
    return found


# --- A network that passes nothing on ---------------------------------------------------------


class Relay(BaseRequestHandler):
    """Forwards one connection's bytes in both directions, and none while the network is cut; closes nothing."""

    def handle(self):
        self.server.flows.wait()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.target), timeout=5) as database:
            other = {self.request: database, database: self.request}
            while not self.server.is_over.is_set():
                for source in select.select(list(other), [], [], 0.5)[0]:
                    self.server.flows.wait()
                    message = source.recv(65536)
                    if not message:
                        return
                    other[source].sendall(message)


class Proxy(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Relay)
        self.target = target
        self.flows, self.is_over = Event(), Event()
        self.flows.set()

    @property
    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.server_address[1]}/postgres"

    @contextmanager
    def cut(self):
        self.flows.clear()
        try:
            yield
        finally:
            self.flows.set()


@contextmanager
def proxy(target):
    with Proxy(target) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.flows.set()
            server.shutdown()
            thread.join(5)


# --- Slow bodies ------------------------------------------------------------------------------


class SlowBody:
    """A request whose body is sent a byte every few seconds; records when the server ended it."""

    BYTE_SECONDS = 3.0

    def __init__(self, port, path, token, seconds):
        self.seconds_until_cut = None
        self._arguments = port, path, token, seconds
        self.thread = Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self):
        port, path, token, seconds = self._arguments
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(head.encode())
            began = time.monotonic()
            while time.monotonic() < began + seconds:
                # Readable means a response or the connection's end.
                if select.select([connection], [], [], self.BYTE_SECONDS)[0]:
                    self.seconds_until_cut = time.monotonic() - began
                    return
                try:
                    connection.sendall(b" ")
                except OSError:
                    self.seconds_until_cut = time.monotonic() - began
                    return


def options(*, is_short):
    """Return the options of the service, and the duration of the faults."""
    start = (Path(__file__).parents[2] / "deploy" / "start").read_text()
    default = start.partition("${THREADS:-")[2].partition("}")[0]
    threads = os.environ.get("THREADS") or default
    seconds = 3 if is_short else 10
    return SimpleNamespace(
        is_short=is_short,
        database_seconds=seconds,
        fault_seconds=6.0 if is_short else 25.0,
        threads=threads,
        environment={"THREADS": threads, "WORKERS": "2", "DATABASE_SECONDS": str(seconds)},
    )
