"""The worker as a process: it ends after a signal, and after its parent has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.service import wait_until

pytestmark = pytest.mark.server
SECONDS = 30


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}


def handles_sigterm(pid):
    """Return whether the process has installed its signal handlers, which it does before its first task."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return int(caught, 16) >> (signal.SIGTERM - 1) & 1


def has_ended(pid):
    """Return whether the process has ended; in a container, its status may not be collected."""
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_after_a_signal(environment, number):
    worker = subprocess.Popen([sys.executable, "manage.py", "db_worker"], env=environment)
    try:
        wait_until(lambda: handles_sigterm(worker.pid))
        worker.send_signal(number)
        assert worker.wait(SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_ends_after_its_parent(environment):
    command = f"{sys.executable} manage.py db_worker --parent $$ & echo $!; exec cat"
    parent = subprocess.Popen(["sh", "-c", command], env=environment, stdin=PIPE, stdout=PIPE, text=True)
    worker = int(parent.stdout.readline())
    wait_until(lambda: handles_sigterm(worker))
    parent.communicate()
    wait_until(lambda: has_ended(worker))


def test_a_worker_ends_whose_parent_has_ended_before(environment):
    command = f"{sys.executable} manage.py db_worker --parent $$ >/dev/null & echo $!"
    parent = subprocess.run(["sh", "-c", command], env=environment, stdout=PIPE, text=True)
    worker = int(parent.stdout)
    wait_until(lambda: has_ended(worker))
