"""Runs the service as in production: deploy/start in separate processes, on their own database or the test's."""

import fcntl
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from uuid import uuid4

from django.db import connection

from tests.factories import make_show, make_user
from tests.postgres_server import postgres_server

PROJECT = Path(__file__).parents[1]
CUSTOMERS = 8
SHOWS = 4
WORKERS = 2
PATIENCE_SECONDS = 60
# An address without a database.
NOWHERE = "postgres://nobody@127.0.0.1:1/nowhere"

# Coverage does not trace processes whose code other tests run, because tracing is slow.
UNTRACED = {"COVERAGE_PROCESS_CONFIG": ""}


def environment(database_url, **settings):
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DJANGO_SETTINGS_MODULE": "movieticket.settings",
        "DATABASE_URL": database_url,
        "DEBUG": "false",
        "SECRET_KEY": "only-for-tests-only-for-tests-only-for-tests",
        "TICKET_SIGNING_KEY": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24",
        "ALLOWED_HOSTS": "127.0.0.1",
        "LIMIT_BOOKING": "1000000/minute",
        "MAX_SEATS_PER_USER": "10000",
        # Those of a template are used for as long as the suite runs.
        "ACCESS_TOKEN_MINUTES": "600",
        **settings,
    }


def run(database_url, *command, **settings):
    """Run Python with the settings of the service."""
    return subprocess.run(
        [sys.executable, *command],
        env=environment(database_url, **settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )


def database_url():
    """Return the address of the database that the test runs on."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    password = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    # A folder with a Unix socket is written as a path.
    host = f"/{settings['HOST']}" if settings["HOST"].startswith("/") else settings["HOST"]
    return f"postgres://{settings['USER']}{password}@{host}{port}/{settings['NAME']}"


def python(*arguments, **environment):
    """Start a Python process on the test's database."""
    own = {"DJANGO_SETTINGS_MODULE": "movieticket.settings", "DATABASE_URL": database_url()}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **UNTRACED, **own, **environment},
    )


def fill():
    """Create tables, shows and customers in a separate process; prints the shows' ids and the customers' tokens."""
    from django.core.management import call_command

    from booking.infrastructure.tokens import AccessToken

    call_command("migrate", verbosity=0)
    shows = [make_show(total_seats=5_000, seats_per_row=50).pk for _ in range(SHOWS)]
    tokens = [str(AccessToken.for_user(make_user(password=None))) for _ in range(CUSTOMERS)]
    print(json.dumps([shows, tokens]))


def _filled(database_url):
    code = "import django; django.setup(); from tests.service import fill; fill()"
    done = run(database_url, "-c", code, **UNTRACED)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def template(name, fill_folder):
    """Return a folder that `fill_folder` has filled once for all processes of pytest, and its result."""
    folder = Path(os.environ["TEMPLATES"]) / name
    data = folder / "data.json"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not data.exists():
            folder.mkdir(exist_ok=True)
            data.write_text(json.dumps(fill_folder(folder)))
    return folder, json.loads(data.read_text())


def _fill_sqlite(folder):
    return _filled(f"sqlite:///{folder}/db.sqlite3")


def _fill_postgres(folder):
    with postgres_server() as server:
        data = _filled(server.url)
        server.save(folder / "data")
    return data


def _collect_static(folder):
    settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.settings", "STATIC_ROOT": str(folder)}
    done = run(NOWHERE, "manage.py", "collectstatic", "--no-input", "--verbosity", "0", **settings, **UNTRACED)
    assert done.returncode == 0, done.stderr
    return settings


def with_static_files():
    """Return settings with which the service has the static files of its pages."""
    return template("static", _collect_static)[1]


def filled_sqlite(folder):
    """Return the address of a new SQLite database in this folder, the shows' ids and the customers' tokens."""
    source, (shows, tokens) = template("sqlite", _fill_sqlite)
    copy(source / "db.sqlite3", folder)
    return f"sqlite:///{folder}/db.sqlite3", shows, tokens


@contextmanager
def filled_postgres():
    """Yield a separate PostgreSQL server, the shows' ids and the customers' tokens."""
    source, (shows, tokens) = template("postgresql", _fill_postgres)
    with postgres_server(source / "data") as server:
        yield server, shows, tokens


@dataclass
class Answer:
    status: int
    retry_after: str | None
    replayed: str | None
    body: dict


@dataclass
class Service:
    port: int
    shows: list[int]
    tokens: list[str]
    process: "subprocess.Popen[bytes]"
    stdout: Path
    stderr: Path

    def ask(self, method, path, body=None, **headers):
        """Send a request over a new connection, and return the response's status, headers and text."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            # The server may refuse a body before it has read it, and close the connection.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, {name.replace("_", "-"): headers[name] for name in headers})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def book(self, customer, seat_number, key=None):
        """Book a seat of the customer's own show, and return the response."""
        path = f"/api/shows/{self.shows[customer % SHOWS]}/book/"
        keys = {"Idempotency_Key": key} if key else {}
        token = f"Bearer {self.tokens[customer]}"
        body = json.dumps({"seat_number": seat_number})
        status, headers, text = self.ask(
            "POST", path, body, Authorization=token, Content_Type="application/json", **keys
        )
        return Answer(status, headers["Retry-After"], headers["Idempotency-Replayed"], json.loads(text))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def accepts(port):
    """Return whether a server listens at the port."""
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def wait_until(condition, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def served(database_url, shows, tokens, folder, *, traced=False, **settings):
    """Run the service during the block; its output goes into files in `folder`. Coverage may be `traced`."""
    port = free_port()
    stdout, stderr = folder / f"{uuid4().hex}.out", folder / f"{uuid4().hex}.err"
    settings = {"PORT": str(port), "WORKERS": str(WORKERS), "THREADS": "4", "TMPDIR": str(folder)} | settings
    if not traced:
        settings |= UNTRACED
    with stdout.open("w") as output, stderr.open("w") as errors:
        process = subprocess.Popen(
            [PROJECT / "deploy" / "start"],
            env=environment(database_url, **settings),
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )

    def is_up():
        assert process.poll() is None, stderr.read_text()
        started = len(re.findall(r'"Started worker-\d+"', stderr.read_text()))
        # A worker says that it has started a moment before it listens.
        return started == int(settings["WORKERS"]) and accepts(port)

    try:
        wait_until(is_up)
        yield Service(port, shows, tokens, process, stdout, stderr)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


@contextmanager
def serving(workers=1, **settings):
    """Run the service on the test's database, and yield its port."""
    with TemporaryDirectory() as folder:
        limits = {"LIMIT_BOOKING": "60/minute", "MAX_SEATS_PER_USER": "10"}
        with served(database_url(), [], [], Path(folder), **(limits | {"WORKERS": str(workers)} | settings)) as service:
            yield service.port
