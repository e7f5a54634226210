"""The worker as a process: it ends when it is told to, and when its parent has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

pytestmark = pytest.mark.server
SECONDS = 30


def handles_sigterm(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return int(caught, 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_when_it_is_told_to(tmp_path, number):
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    worker = subprocess.Popen([sys.executable, "manage.py", "db_worker"], env=environment)
    try:
        deadline = monotonic() + SECONDS
        while not handles_sigterm(worker.pid) and monotonic() < deadline:
            assert worker.poll() is None
        worker.send_signal(number)
        assert worker.wait(SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()
