"""Runs a real PgBouncer with the configuration of deploy/pgbouncer/, in front of a test's PostgreSQL."""

import configparser
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import psycopg

from tests.postgres_server import NOBODY, PostgresServer
from tests.service import PROJECT, free_port, wait_until

# Debian installs it in a folder that is not in every user's PATH.
PROGRAM = which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def pgbouncer(server: PostgresServer, **settings: str) -> Iterator[str]:
    """Run PgBouncer with the file in deploy/ and these settings, and yield its address."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir="/tmp") as name:
        folder, port = Path(name), free_port()
        _configure(folder, server, {"listen_port": str(port), **settings})
        process = _start(folder)
        url = f"postgres://postgres@127.0.0.1:{port}/postgres"

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                psycopg.connect(url).close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            wait_until(answers)
            yield url
        finally:
            process.terminate()
            process.wait()


def _configure(folder: Path, server: PostgresServer, settings: dict[str, str]) -> None:
    config = configparser.ConfigParser()
    config.read(PROJECT / "deploy" / "pgbouncer" / "pgbouncer.ini")
    config["databases"] = {"postgres": f"host={server.folder} user=postgres"}
    config["pgbouncer"].update({"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_type": "any", **settings})
    del config["pgbouncer"]["auth_file"]
    with (folder / "pgbouncer.ini").open("w") as file:
        config.write(file)
    folder.chmod(0o755)


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    # It ends with this process, and refuses to run as root.
    command = ["setpriv", "--pdeathsig", "TERM"]
    if os.getuid() == 0:
        command += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [*command, str(PROGRAM), str(folder / "pgbouncer.ini")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
