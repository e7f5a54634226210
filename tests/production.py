"""The service as `make serve` starts it, for tests of what only real processes show."""

import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from django.db import connection

PROJECT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60


def database_url():
    """The address of the database that the test runs on."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    password = f":{settings['PASSWORD']}" if settings["PASSWORD"] else ""
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    # A folder with a Unix socket is written as a path.
    host = f"/{settings['HOST']}" if settings["HOST"].startswith("/") else settings["HOST"]
    return f"postgres://{settings['USER']}{password}@{host}{port}/{settings['NAME']}"


def python(*arguments, **environment):
    """A Python process on the test's database."""
    own = {"DJANGO_SETTINGS_MODULE": "movieticket.settings", "DATABASE_URL": database_url()}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **own, **environment},
    )


def command_of_make_serve(port, workers):
    """What the Makefile's last line of `serve` runs, with this Python."""
    made = ["make", "--dry-run", "--always-make", "serve", f"PORT={port}", f"WORKERS={workers}"]
    # Not as a part of the `make` that runs the tests.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"
    }
    lines = subprocess.check_output(made, cwd=PROJECT, env=environment, text=True).replace("\\\n", " ").splitlines()
    [command] = [line for line in lines if "bin/granian " in line]
    return ["-m", "granian", *shlex.split(command)[1:]]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serving(workers=1, **environment):
    """The port of the service in production mode on the test's database."""
    port = free_port()
    production = {"DEBUG": "false", "SECRET_KEY": "k" * 32, "ALLOWED_HOSTS": "127.0.0.1", **environment}
    process = python(*command_of_make_serve(port, workers), **production)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def answers(port):
    client = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        client.request("GET", "/api/no-such-path/")
        return client.getresponse().status == 404
    except ConnectionRefusedError:
        return False
    finally:
        client.close()
