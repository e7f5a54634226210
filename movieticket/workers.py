"""Additions to granian's handling of its worker processes."""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import current_process, parent_process
from pathlib import Path
from threading import Thread
from typing import NamedTuple

logger = logging.getLogger(__name__)

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
CRASH_LOOP = "Worker crash loop detected, exiting"
EXPLANATION = (
    f"{CRASH_LOOP}: a worker ended again within 5.5 s of its last respawn. All workers stop and the service "
    "exits with status 1, so that systemd or the container engine starts it again."
)


# States of processes (proc(5)) that have ended; "" is for one that has been waited for, too.
ENDED = ("", "Z")
HEARTBEAT_SECONDS = 0.1
# A worker without a heartbeat at this many checks of another worker is killed, after 3 s.
MISSED_HEARTBEATS = 30
# A stopped worker can't go on by itself, so it is killed at the second check that finds it stopped. Not at the first:
# when the whole server is stopped and continues, a worker may run a moment before the others do.
STOPPED_CHECKS = 2
KILLED = f"Worker with PID %d has not responded for {MISSED_HEARTBEATS * HEARTBEAT_SECONDS:.0f} s and is killed"
STOPPED = "Worker with PID %d is stopped and is killed"


def _parent_of_worker() -> int | None:
    """Return the id of granian's main process if this process is one of its workers on Linux."""
    parent = parent_process()
    if sys.platform != "linux" or parent is None or current_process().name != "granian-worker":
        return None
    return parent.pid


def end_with_parent() -> None:
    """Makes the kernel kill this process, if it is a worker of granian, as soon as its parent has ended.

    A main process that is ended by SIGKILL can't stop its workers, and they would serve beside a new server. The
    kernel sends the signal when the thread that started the worker ends. That is granian's main thread, which starts
    and respawns all workers and lives as long as its process. Only Linux can do this; elsewhere nothing happens.
    """
    parent = _parent_of_worker()
    if parent is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        # The signal is not sent for a parent that ended before.
        if os.getppid() != parent:
            sys.exit("The server has ended.")


def watch_other_workers() -> None:
    """Starts a thread that kills other workers of this server that are frozen or hang, if this is a worker.

    The server replaces a killed worker. A frozen one would keep its share of the new connections, because on Linux
    each worker has a listening socket of its own. The thread needs PROMETHEUS_MULTIPROC_DIR, a folder that all workers
    share and can write to; deploy/start creates it.
    """
    parent, folder = _parent_of_worker(), os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if parent is not None and folder:
        Thread(target=Watchdog(Path(folder), parent).run, name="watchdog", daemon=True).start()


class Watchdog:
    """Sends the heartbeats of this worker and checks those of the others.

    A heartbeat touches the worker's file, which works on a full disk too. Missed heartbeats are counted in this
    worker's own checks, not in seconds: on a machine that is paused or overloaded, the worker that counts is as late as
    the others.
    """

    def __init__(self, folder: Path, parent: int) -> None:
        self._folder, self._parent = folder, parent
        self._own = folder / f"{parent}-{os.getpid()}.beat"
        self._seen: dict[int, _Seen] = {}

    def run(self, pause: Callable[[float], None] = time.sleep) -> None:
        while True:
            # If this worker can't send one, the others can't either, and their files say nothing.
            if self.send_heartbeat():
                self.check()
            pause(HEARTBEAT_SECONDS)

    def send_heartbeat(self) -> bool:
        """Return whether it was possible."""
        with suppress(OSError):
            self._own.touch()
            return True
        return False

    def check(self) -> None:
        """Kills each other worker without a heartbeat at MISSED_HEARTBEATS checks, or stopped at STOPPED_CHECKS."""
        before, self._seen = self._seen, {}
        for path in self._folder.glob(f"{self._parent}-*.beat"):
            pid = int(path.stem.rpartition("-")[2])
            if path == self._own:
                continue
            state = self._state_of(pid)
            if state in ENDED:
                path.unlink(missing_ok=True)
                continue
            seen = self._seen[pid] = before.get(pid, _Seen()).next(_time_of(path), is_stopped=state == "T")
            if seen.missed >= MISSED_HEARTBEATS or seen.stopped >= STOPPED_CHECKS:
                logger.error(STOPPED if seen.stopped else KILLED, pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _state_of(self, pid: int) -> str:
        """Return the worker's state as in /proc, "" if it has ended. Another process may have its id by now."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return ""
        # After the name, which is in parentheses and may contain spaces.
        state, parent = stat.rpartition(")")[2].split()[:2]
        return state if int(parent) == self._parent else ""


class _Seen(NamedTuple):
    """The state of another worker, as the checks found it."""

    # The time of its last heartbeat (ns), and the number of checks since.
    heartbeat: int = 0
    missed: int = 0
    # The number of checks for which it has been stopped.
    stopped: int = 0

    def next(self, heartbeat: int, *, is_stopped: bool) -> "_Seen":
        """Return the state after one more check."""
        missed = self.missed + 1 if heartbeat == self.heartbeat else 0
        return _Seen(heartbeat, missed, self.stopped + 1 if is_stopped else 0)


def _time_of(path: Path) -> int:
    """Return when the file was touched, or 0 if its worker has ended and another one has removed it."""
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


class ExplainCrashLoop(logging.Filter):
    """Replaces granian's message about a crash loop by one that states the reason and what happens next."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == CRASH_LOOP:
            record.msg = EXPLANATION
        return True
