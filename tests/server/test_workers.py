"""Workers end with the server's main process, and a worker that crashes again and again ends the service."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from movieticket.workers import (
    EXPLANATION,
    KILLED,
    MISSED_HEARTBEATS,
    STOPPED,
    STOPPED_CHECKS,
    Watchdog,
    _time_of,
    end_with_parent,
    watch_other_workers,
)
from tests.service import NOWHERE, WORKERS, served, wait_until
from tests.worker_processes import (
    processes,
    set_and_report,
    signal_at_parents_end,
    start_worker_and_end,
    watch_and_report,
)

pytestmark = pytest.mark.server

linux = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux ends a process with its parent")


@pytest.fixture
def service(tmp_path):
    with served(NOWHERE, [], [], tmp_path, traced=True) as service:
        try:
            yield service
        finally:
            # Workers that a failed test has left; they are in the main process's group.
            if service.process.poll() is not None:
                with suppress(ProcessLookupError):
                    os.killpg(service.process.pid, signal.SIGKILL)


def spawned(service):
    """Return the ids of all workers so far, in the order of their start."""
    return [int(pid) for pid in re.findall(r"Spawning worker-\d+ with PID: (\d+)", service.stderr.read_text())]


def started(service):
    return len(re.findall(r'"Started worker-\d+"', service.stderr.read_text()))


def is_gone(pid):
    """Return whether the process has ended, even if its exit status was not collected."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def is_refused(service):
    """Return whether the port is closed; a worker's last thread may close it shortly after the worker has ended."""
    try:
        service.ask("GET", "/healthz")
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    raise AssertionError("A worker answers.")


def assert_end_with_main_process(service, workers):
    service.process.kill()
    assert service.process.wait() == -signal.SIGKILL
    wait_until(lambda: all(is_gone(pid) for pid in workers))
    wait_until(lambda: is_refused(service))
    # As granian does, whose closed connections keep the port from others for a minute.
    socket.create_server(("127.0.0.1", service.port), reuse_port=True).close()


def test_a_crash_loop_of_a_worker_ends_the_service_and_is_explained(service):
    first, second = spawned(service)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(spawned(service)) == WORKERS + 1)
    third = spawned(service)[-1]
    os.kill(third, signal.SIGKILL)
    assert service.process.wait(30) == 1
    assert all(is_gone(pid) for pid in (first, second, third))
    lines = [json.loads(line) for line in service.stderr.read_text().splitlines() if line.startswith("{")]
    assert [line["level"] for line in lines if line["message"] == EXPLANATION] == ["ERROR"]


# --- Which processes end with their parent ----------------------------------------------------


def start(target, **options):
    """Start a process, and return it with its pipe."""
    ours, theirs = processes.Pipe()
    process = processes.Process(target=target, args=[theirs], **options)
    process.start()
    # So that reading ends when the process does.
    theirs.close()
    return process, ours


@linux
@pytest.mark.parametrize(("name", "number"), [("granian-worker", signal.SIGKILL), ("another", 0)])
def test_only_a_worker_ends_with_its_parent(name, number):
    process, pipe = start(set_and_report, name=name)
    assert pipe.recv() == number
    process.join()


@linux
def test_a_process_that_no_server_started_continues():
    end_with_parent()
    assert signal_at_parents_end() == 0


@linux
def test_a_worker_whose_parent_has_already_ended_ends():
    parent, pipe = start(start_worker_and_end)
    parent.join()
    assert pipe.recv() == "has outlived its parent"
    with pytest.raises(EOFError):
        pipe.recv()


# --- Workers that are frozen ------------------------------------------------------------------


@linux
def test_a_stopped_worker_is_replaced_and_all_workers_end_with_the_main_process_and_not_before(service):
    first, second = spawned(service)
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: started(service) == WORKERS + 1)
    third = spawned(service)[-1]
    assert {service.ask("GET", "/healthz")[0] for _ in range(20)} == {200}
    assert [is_gone(pid) for pid in (first, second, third)] == [True, False, False]
    lines = [json.loads(line) for line in service.stderr.read_text().splitlines() if line.startswith("{")]
    assert [line["level"] for line in lines if line["message"] == STOPPED % first] == ["ERROR"]
    assert_end_with_main_process(service, [second, third])


@pytest.fixture
def child():
    """A process that does nothing."""
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()


def file_of(pid, folder):
    path = folder / f"{os.getpid()}-{pid}.beat"
    path.touch()
    return path


@pytest.fixture
def watchdog(tmp_path):
    """Watches the children of this process."""
    watchdog = Watchdog(tmp_path, os.getpid())
    assert watchdog.send_heartbeat()
    return watchdog


@linux
def test_a_worker_without_heartbeats_is_killed_after_some_checks(watchdog, child, tmp_path, caplog):
    file_of(child.pid, tmp_path)
    for _ in range(MISSED_HEARTBEATS):
        watchdog.check()
    assert child.poll() is None
    watchdog.check()
    assert child.wait() == -signal.SIGKILL
    assert [record.getMessage() for record in caplog.records] == [KILLED % child.pid]


@linux
def test_a_stopped_worker_is_killed_at_the_second_check(watchdog, child, tmp_path):
    file_of(child.pid, tmp_path)
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: "\nState:\tT" in Path(f"/proc/{child.pid}/status").read_text())
    for _ in range(STOPPED_CHECKS - 1):
        watchdog.check()
    assert child.poll() is None
    watchdog.check()
    assert child.wait() == -signal.SIGKILL


@linux
def test_a_worker_that_continues_is_not_killed(watchdog, child, tmp_path):
    path = file_of(child.pid, tmp_path)
    for second in range(2 * STOPPED_CHECKS):
        os.utime(path, (second, second))
        state = "TS"[second % 2]
        child.send_signal(signal.SIGSTOP if state == "T" else signal.SIGCONT)
        wait_until(lambda state=state: f"\nState:\t{state}" in Path(f"/proc/{child.pid}/status").read_text())
        watchdog.check()
    assert child.poll() is None


@linux
def test_a_worker_with_heartbeats_is_not_killed(watchdog, child, tmp_path):
    path = file_of(child.pid, tmp_path)
    for second in range(3 * MISSED_HEARTBEATS):
        os.utime(path, (second, second - second % 2))
        watchdog.check()
    assert child.poll() is None


@linux
def test_a_process_that_is_not_a_worker_of_this_server_is_not_killed(watchdog, child, tmp_path):
    watchdog = Watchdog(tmp_path, os.getppid())
    path = tmp_path / f"{os.getppid()}-{child.pid}.beat"
    path.touch()
    for _ in range(2 * MISSED_HEARTBEATS):
        watchdog.check()
    assert (child.poll(), path.exists()) == (None, False)


@linux
@pytest.mark.parametrize("is_waited_for", [True, False])
def test_the_file_of_a_worker_that_has_ended_is_removed(watchdog, child, tmp_path, is_waited_for):
    path = file_of(child.pid, tmp_path)
    child.kill()
    wait_until(lambda: is_gone(child.pid))
    if is_waited_for:
        child.wait()
    watchdog.check()
    assert not path.exists()


def test_a_file_that_another_worker_has_removed_has_no_time(tmp_path):
    assert _time_of(tmp_path / "1-2.beat") == 0


class Over(Exception):
    """Ends the loop of a watchdog."""


def run_for_some_checks(watchdog):
    rounds = iter(range(2 * MISSED_HEARTBEATS))

    def pause(seconds):
        if next(rounds, None) is None:
            raise Over

    with pytest.raises(Over):
        watchdog.run(pause)


@linux
def test_a_worker_that_sends_heartbeats_checks_the_others(watchdog, child, tmp_path):
    file_of(child.pid, tmp_path)
    run_for_some_checks(watchdog)
    assert child.wait() == -signal.SIGKILL


@linux
def test_a_worker_without_heartbeats_of_its_own_kills_no_other(watchdog, child, tmp_path):
    file_of(child.pid, tmp_path)
    # A file can't be made in a folder that is missing.
    watchdog._own = tmp_path / "missing" / "own.beat"
    run_for_some_checks(watchdog)
    assert child.poll() is None


@linux
def test_only_workers_watch_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    before = threading.active_count()
    watch_other_workers()
    assert threading.active_count() == before
    process, pipe = start(watch_and_report, name="granian-worker")
    assert pipe.recv() == [f"{os.getpid()}-{process.pid}.beat"]
    process.join()
