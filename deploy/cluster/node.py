"""Starts and stops the programs of one node without systemd."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.cluster.files import POSTGRESQL_BIN

PROJECT = Path(__file__).resolve().parents[2]
# PostgreSQL refuses to run as root, and the other programs don't need to.
UNPRIVILEGED = 65534
TIMEOUT_SECONDS = 120.0
# The command and the Debian package of each program, in the order in which they are started.
PROGRAMS = {
    "etcd": (["etcd", "--config-file", "{etc}/etcd.yml"], "etcd-server"),
    "patroni": (["patroni", "{etc}/patroni.yml"], "patroni"),
    "haproxy": (["haproxy", "-db", "-f", "{etc}/haproxy.cfg"], "haproxy"),
    "pgbouncer": (["pgbouncer", "{etc}/pgbouncer.ini"], "pgbouncer"),
}
SERVICE = "service"
WORKER = "worker"
# Like deploy/start, which can't be used because it changes the working directory, by which processes are found.
GRANIAN = (
    "-m granian --interface wsgi --host {host} --port {port} --workers {workers} --blocking-threads {threads} --no-ws "
    "--runtime-mode st --http 1 --http1-buffer-size 65536 --http1-header-read-timeout 10000 --respawn-failed-workers "
    "--workers-kill-timeout 10 movieticket.wsgi:application"
)
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Network(Protocol):
    addresses: list[str]
    doors: list[str]
    network: str

    def command(self, number: int, command: Sequence[str]) -> list[str]: ...
    def set_up(self) -> None: ...
    def tear_down(self) -> None: ...


def missing() -> list[str]:
    """Return a line for each program that is not installed."""
    found = [(name, shutil.which(command[0], path=PATH), package) for name, (command, package) in PROGRAMS.items()]
    found.append(("postgres", shutil.which("postgres", path=POSTGRESQL_BIN), "postgresql-15"))
    return [f"{name} is missing; Debian's package {package} has it." for name, path, package in found if not path]


def wait_until(condition: Callable[[], object], what: str, seconds: float = TIMEOUT_SECONDS) -> None:
    """Waits until the condition is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} seconds for {what}.")
        time.sleep(0.1)


@dataclass
class Node:
    """A simulated machine: a folder, and all processes whose working directory is in it."""

    number: int
    folder: Path
    network: Network
    port: int
    workers: int = 1
    threads: int = 4

    def __post_init__(self) -> None:
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return self.network.addresses[self.number - 1]

    @property
    def door(self) -> str:
        """The address at which clients reach the service."""
        return self.network.doors[self.number - 1]

    def start(self, *names: str) -> None:
        """Starts these programs, by default all."""
        for name in names or [*PROGRAMS, SERVICE, WORKER]:
            self._started[name] = self._run(name)

    def _run(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.network.command(self.number, self._command(name)),
                cwd=self.folder,
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _command(self, name: str) -> list[str]:
        # The programs end when this process is killed.
        drop = ["setpriv", "--pdeathsig", "TERM"]
        if name == SERVICE:
            values = {"host": self.door, "port": self.port, "workers": self.workers, "threads": self.threads}
            return [*drop, sys.executable, *GRANIAN.format(**values).split()]
        if name == WORKER:
            return [*drop, sys.executable, str(PROJECT / "manage.py"), "db_worker"]
        if os.getuid() == 0:
            drop += [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
        return [*drop, *(part.format(etc=self.folder) for part in PROGRAMS[name][0])]

    def _environment(self, name: str) -> dict[str, str]:
        if name in (SERVICE, WORKER):
            return self.service_environment()
        return {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(self.folder)}

    def service_environment(self) -> dict[str, str]:
        """Return the environment of the service and its commands."""
        lines = [line for line in (self.folder / "service.env").read_text().splitlines() if line[:1] not in {"", "#"}]
        own = dict(line.split("=", 1) for line in lines)
        return {**os.environ, "PYTHONPATH": str(PROJECT), **own}

    def migrate(self) -> None:
        """Migrates without PgBouncer, because migrations change settings of the session. Raises CalledProcessError."""
        url = self.service_environment()["MIGRATIONS_URL"]
        self.manage("migrate", "--verbosity", "0", DATABASE_URL=url, DATABASE_POOLED="false")

    def manage(self, *command: str, **environment: str) -> str:
        """Runs a command of manage.py on this node and returns its output. Raises CalledProcessError."""
        return self.python(str(PROJECT / "manage.py"), *command, **environment)

    def python(self, *arguments: str, **environment: str) -> str:
        """Runs Python with the service's environment on this node and returns its output. Raises CalledProcessError."""
        done = subprocess.run(
            self.network.command(self.number, [sys.executable, *arguments]),
            env=self.service_environment() | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def processes(self, within: str = "") -> list[int]:
        """Return the ids of all processes on this node, or in a folder of it."""
        folder = self.folder / within
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
        return found

    def signal(self, number: int, within: str = "") -> None:
        """Sends a signal to all of the node's processes."""
        for pid in self.processes(within):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kills all processes, as a power failure does."""
        while self.processes():
            self.signal(signal.SIGKILL)
            time.sleep(0.02)
        for process in self._started.values():
            process.wait()
        self._started.clear()

    def kill_postgresql(self) -> None:
        """Kills PostgreSQL, and Patroni, which would restart it."""
        self.kill_program("patroni")
        while self.processes("postgresql"):
            self.signal(signal.SIGKILL, "postgresql")
            time.sleep(0.02)

    def kill_program(self, name: str) -> None:
        """Kills one program, but not its children."""
        process = self._started.pop(name)
        process.kill()
        process.wait()

    def stop(self, *names: str) -> None:
        """Terminates these programs, by default all, in reverse order."""
        for name in names or reversed(list(self._started)):
            self._started[name].terminate()
            self._started.pop(name).wait(TIMEOUT_SECONDS)

    def repair(self) -> None:
        """Continues stopped processes and starts missing programs."""
        self.signal(signal.SIGCONT)
        stopped = [name for name in (*PROGRAMS, SERVICE, WORKER) if name not in self._started or name in self.ended()]
        if stopped:
            self.start(*stopped)

    def ended(self) -> list[str]:
        """Return the programs that were started and have ended."""
        return [name for name, process in self._started.items() if process.poll() is not None]

    @property
    def postmaster(self) -> int:
        """The process id of PostgreSQL's postmaster."""
        return int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])
