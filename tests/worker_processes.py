"""The code of processes that are named like granian's workers; it does not import Django."""

import ctypes
import os
import time
from multiprocessing import get_context
from pathlib import Path

from movieticket.workers import end_with_parent, watch_other_workers

# Coverage measures processes that are started in this way.
processes = get_context("spawn")
# From <linux/prctl.h>.
PR_GET_PDEATHSIG = 2


def signal_at_parents_end():
    """Return the signal that the kernel sends this process when its parent ends; 0 for none."""
    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(number))
    return number.value


def set_and_report(pipe):
    end_with_parent()
    pipe.send(signal_at_parents_end())


def watch_and_report(pipe):
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    watch_other_workers()
    while not (found := list(folder.iterdir())):
        time.sleep(0.05)
    pipe.send([path.name for path in found])


def start_worker_and_end(pipe):
    processes.Process(name="granian-worker", target=outlive_parent, args=[os.getpid(), pipe]).start()
    # Without waiting for the worker.
    os._exit(0)


def outlive_parent(parent, pipe):
    while os.getppid() == parent:
        time.sleep(0.05)
    pipe.send("has outlived its parent")
    end_with_parent()
    pipe.send("goes on")
