"""`make run` and `make serve`: the service and the worker of tasks, which start and end together."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copy, copytree

import pytest

from tests.service import PROJECT, UNTRACED, environment, filled_sqlite, free_port, wait_until

# Tables, demo data, static files and three processes.
START_SECONDS = 180
pytestmark = pytest.mark.server
NO_MAIL = "EMAIL_URL is not set, so the service sends no mail."


@pytest.fixture
def project(tmp_path):
    """A copy of the project, whose commands write files beside it."""
    for name in ("Makefile", "manage.py", "requirements.txt"):
        copy(PROJECT / name, tmp_path)
    for name in ("booking", "movieticket", "deploy"):
        copytree(PROJECT / name, tmp_path / name)
    with (tmp_path / "movieticket" / "settings.py").open("a") as settings:
        # Compressing static files takes longer than all tests of this file.
        settings.write('\nWHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css", "js", "map", "svg"]\n')
    return tmp_path


class Make:
    """The processes of `make TARGET`, with the port on which they serve."""

    def __init__(self, folder, target, **settings):
        self.port, self.output = free_port(), folder / "output"
        # With its tables, so that `migrate` has little to do.
        database_url, *_ = filled_sqlite(folder)
        # The virtual environment is the one that runs this test.
        variables = [f"BIN={Path(sys.executable).parent}", f"PORT={self.port}", "WORKERS=1"]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                ["make", "-o", ".venv/.installed", target, *variables],
                cwd=folder,
                env={**environment(database_url), **UNTRACED, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def commands(self):
        """Return the command lines of all processes of the session that have not ended."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal() and os.getsid(int(entry.name)) == self.process.pid:
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
        # A process that has ended and whose status nobody has collected has no command line.
        return [command for command in found if command]

    def ask(self, path, body=None, **headers):
        """Return the response to a GET, or to a POST of the body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def is_up(self):
        """Return whether the service responds and the worker runs."""
        assert self.process.poll() is None, self.output.read_text()
        with suppress(OSError):
            self.ask("/api/movies/")
            return any("db_worker" in command for command in self.commands)
        return False


@contextmanager
def made(folder, target, **settings):
    make = Make(folder, target, **settings)
    try:
        wait_until(make.is_up, START_SECONDS)
        yield make
    finally:
        with suppress(ProcessLookupError):
            os.killpg(make.process.pid, signal.SIGKILL)
        make.process.wait()


def has_same_python():
    """Return whether the system has a Python of the version that runs this test, with venv."""
    check = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    with suppress(FileNotFoundError):
        return not subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True).returncode
    return False


@pytest.mark.parametrize("is_optimized", [True, False])
def test_a_python_without_optimizations_is_replaced_by_the_system_s_of_the_same_version(is_optimized, tmp_path):
    python = tmp_path / "python3"
    arguments = "--enable-optimizations" if is_optimized else "--enable-shared"
    preset = f"import sysconfig; sysconfig.get_config_vars()['CONFIG_ARGS'] = '{arguments}'; "
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{preset}$2"\n')
    python.chmod(0o755)
    command = ["make", "--no-print-directory", "--eval", "chosen: ; @echo $(PYTHON)", "chosen"]
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    chosen = subprocess.run(command, cwd=PROJECT, env=own, capture_output=True, text=True)
    is_replaced = not is_optimized and has_same_python()
    assert chosen.stdout.strip() == ("/usr/bin/python3" if is_replaced else "python3"), chosen.stderr


@pytest.mark.parametrize(("exists", "status"), [(True, 0), (False, 2)])
def test_an_existing_environment_keeps_its_python(exists, status, tmp_path):
    copy(PROJECT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    if exists:
        python.parent.mkdir(parents=True)
        python.symlink_to("/bin/true")
    # This PYTHON can't create an environment.
    command = ["make", ".venv/.installed", "PYTHON=/bin/false", "UV="]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == status, done.stderr


def end_by_ctrl_c(make):
    os.killpg(make.process.pid, signal.SIGINT)
    wait_until(lambda: not make.commands)


def book_by_mail(make):
    """Book a seat for a customer with an e-mail address."""
    account = {"username": "ann", "password": "a fine pass phrase"}
    make.ask("/api/signup/", {**account, "email": "ann@example.com"})
    token = make.ask("/api/token/", account)["access"]
    show = make.ask("/api/shows/")["results"][-1]
    make.ask(f"/api/shows/{show['id']}/book/", {"seat_number": 1}, Authorization=f"Bearer {token}")


def test_make_run_prints_mail_until_ctrl_c_ends_the_service_and_its_worker(project):
    (project / "order_confirmed.txt").write_text("Subject: Yours in our own words: {{ movie }}\n")
    with made(project, "run", DEBUG="true", MAIL_TEMPLATES_DIR=str(project)) as make:
        book_by_mail(make)
        wait_until(lambda: "Subject: Yours in our own words" in make.output.read_text())
        end_by_ctrl_c(make)
        assert NO_MAIL not in make.output.read_text()


def test_make_serve_sends_no_mail_until_ctrl_c_ends_the_service_and_its_worker(project):
    with made(project, "serve") as make:
        end_by_ctrl_c(make)
        assert NO_MAIL in make.output.read_text()
