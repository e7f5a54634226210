"""One node's programs, started and ended without systemd."""

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
# PostgreSQL refuses to run as root, and the others have no need to.
UNPRIVILEGED = 65534
PATIENCE_SECONDS = 120.0
# Each program, how it is started, and Debian's package of it. In the order in which they are started.
PROGRAMS = {
    "etcd": (["etcd", "--config-file", "{etc}/etcd.yml"], "etcd-server"),
    "patroni": (["patroni", "{etc}/patroni.yml"], "patroni"),
    "haproxy": (["haproxy", "-db", "-f", "{etc}/haproxy.cfg"], "haproxy"),
    "pgbouncer": (["pgbouncer", "{etc}/pgbouncer.ini"], "pgbouncer"),
}
SERVICE = "service"
# As deploy/start does, which would leave the node's folder, by which its processes are found.
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
    """A line for each program that is not installed."""
    found = [(name, shutil.which(command[0], path=PATH), package) for name, (command, package) in PROGRAMS.items()]
    found.append(("postgres", shutil.which("postgres", path=POSTGRESQL_BIN), "postgresql-15"))
    return [f"{name} is missing; Debian's package {package} has it." for name, path, package in found if not path]


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Raises TimeoutError, which says for what."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} seconds for {what}.")
        time.sleep(0.1)


@dataclass
class Node:
    """A machine: a folder of its own, and all processes whose working directory is in there."""

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
        """Where clients reach the service."""
        return self.network.doors[self.number - 1]

    def start(self, *names: str) -> None:
        """Starts these programs, or all."""
        for name in names or [*PROGRAMS, SERVICE]:
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
        # Should we be killed, the programs end too.
        drop = ["setpriv", "--pdeathsig", "TERM"]
        if name == SERVICE:
            values = {"host": self.door, "port": self.port, "workers": self.workers, "threads": self.threads}
            return [*drop, sys.executable, *GRANIAN.format(**values).split()]
        if os.getuid() == 0:
            drop += [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
        return [*drop, *(part.format(etc=self.folder) for part in PROGRAMS[name][0])]

    def _environment(self, name: str) -> dict[str, str]:
        if name == SERVICE:
            return self.service_environment()
        return {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(self.folder)}

    def service_environment(self) -> dict[str, str]:
        """What the service and its commands run with."""
        lines = [line for line in (self.folder / "service.env").read_text().splitlines() if line[:1] not in {"", "#"}]
        own = dict(line.split("=", 1) for line in lines)
        return {**os.environ, "PYTHONPATH": str(PROJECT), **own}

    def migrate(self) -> None:
        """Past PgBouncer, as migrations set things on their connection. Raises CalledProcessError."""
        url = self.service_environment()["MIGRATIONS_URL"]
        self.manage("migrate", "--verbosity", "0", DATABASE_URL=url, DATABASE_POOLED="false")

    def manage(self, *command: str, **environment: str) -> str:
        """What a command of manage.py prints, run on this node. Raises CalledProcessError."""
        return self.python(str(PROJECT / "manage.py"), *command, **environment)

    def python(self, *arguments: str, **environment: str) -> str:
        """What Python prints, run on this node with the service's environment. Raises CalledProcessError."""
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
        """All that run on this node, or in a folder of it, however they were started."""
        folder = self.folder / within
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal() and (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
        return found

    def signal(self, number: int, within: str = "") -> None:
        """Sends it to all of the node's processes."""
        for pid in self.processes(within):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """As when the machine's power goes: everything at once, nothing said."""
        while self.processes():
            self.signal(signal.SIGKILL)
            time.sleep(0.02)
        for process in self._started.values():
            process.wait()
        self._started.clear()

    def kill_postgresql(self) -> None:
        """PostgreSQL, and Patroni, which would start it again."""
        self.kill_program("patroni")
        while self.processes("postgresql"):
            self.signal(signal.SIGKILL, "postgresql")
            time.sleep(0.02)

    def kill_program(self, name: str) -> None:
        """One program, not what it has started."""
        process = self._started.pop(name)
        process.kill()
        process.wait()

    def stop(self, *names: str) -> None:
        """Ends these programs, or all of them, in good order."""
        for name in names or reversed(list(self._started)):
            self._started[name].terminate()
            self._started.pop(name).wait(PATIENCE_SECONDS)

    def mend(self) -> None:
        """Wakes the node and starts what it lacks."""
        self.signal(signal.SIGCONT)
        lacking = [name for name in (*PROGRAMS, SERVICE) if name not in self._started or name in self.ended()]
        if lacking:
            self.start(*lacking)

    def ended(self) -> list[str]:
        """Which of the programs that were started run no more."""
        return [name for name, process in self._started.items() if process.poll() is not None]

    @property
    def postmaster(self) -> int:
        """The id of PostgreSQL's first process."""
        return int((self.folder / "postgresql" / "postmaster.pid").read_text().split()[0])
