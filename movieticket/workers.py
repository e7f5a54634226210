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

logger = logging.getLogger(__name__)

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
CRASH_LOOP = "Worker crash loop detected, exiting"
EXPLANATION = (
    f"{CRASH_LOOP}: a worker ended again within 5.5 s of its last respawn. All workers stop and the service "
    "exits with status 1, so that systemd or the container engine starts it again."
)


HEARTBEAT_SECONDS = 0.5
# A worker without a heartbeat at this many checks of another worker is killed, after 3 to 3.5 s.
MISSED_HEARTBEATS = 6
KILLED = f"Worker with PID %d has not responded for {MISSED_HEARTBEATS * HEARTBEAT_SECONDS:.0f} s and is killed"


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
        # By worker: the time of its last heartbeat (ns), and the number of checks since.
        self._seen: dict[int, tuple[int, int]] = {}

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
        """Kills each other worker without a heartbeat at MISSED_HEARTBEATS checks."""
        before, self._seen = self._seen, {}
        for path in self._folder.glob(f"{self._parent}-*.beat"):
            pid = int(path.stem.rpartition("-")[2])
            if path == self._own:
                continue
            if not self._is_worker(pid):
                path.unlink(missing_ok=True)
                continue
            heartbeat, (last, missed) = _time_of(path), before.get(pid, (0, 0))
            self._seen[pid] = (heartbeat, missed + 1 if heartbeat == last else 0)
            if self._seen[pid][1] >= MISSED_HEARTBEATS:
                logger.error(KILLED, pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _is_worker(self, pid: int) -> bool:
        """Return whether the worker lives. Another process may have its id by now."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        # After the name, which is in parentheses and may contain spaces.
        state, parent = stat.rpartition(")")[2].split()[:2]
        return int(parent) == self._parent and state != "Z"


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
