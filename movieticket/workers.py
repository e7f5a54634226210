"""Additions to granian's handling of its worker processes."""

import ctypes
import logging
import os
import signal
import sys
from multiprocessing import current_process, parent_process

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
CRASH_LOOP = "Worker crash loop detected, exiting"
EXPLANATION = (
    f"{CRASH_LOOP}: a worker ended again within 5.5 s of its last respawn. All workers stop and the service "
    "exits with status 1, so that systemd or the container engine starts it again."
)


def end_with_parent() -> None:
    """Makes the kernel kill this process, if it is a worker of granian, as soon as its parent has ended.

    A main process that is ended by SIGKILL can't stop its workers, and they would serve beside a new server. The
    kernel sends the signal when the thread that started the worker ends. That is granian's main thread, which starts
    and respawns all workers and lives as long as its process. Only Linux can do this; elsewhere nothing happens.
    """
    parent = parent_process()
    if sys.platform == "linux" and parent is not None and current_process().name == "granian-worker":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        # The signal is not sent for a parent that ended before.
        if os.getppid() != parent.pid:
            sys.exit("The server has ended.")


class ExplainCrashLoop(logging.Filter):
    """Replaces granian's message about a crash loop by one that states the reason and what happens next."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == CRASH_LOOP:
            record.msg = EXPLANATION
        return True
