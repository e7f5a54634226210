"""Runs the service under load: the server of `make serve`, wrk and pgbench."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.postgres_server import PostgresServer

HERE = Path(__file__).parent
PROJECT = HERE.parent
WORKERS = 2
# As deploy/start.
THREADS = os.environ.get("THREADS", "4")
BEGIN = perf_counter()


def progress(step: str) -> None:
    """Prints a step and the seconds since the start to standard error."""
    print(f"{perf_counter() - BEGIN:7.1f} s  {step}", file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(environment: dict[str, str], project: Path = PROJECT) -> Iterator[tuple[int, int]]:
    """Run the service from the folder `project`; its port and the id of its main process."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(WORKERS), "--blocking-threads", THREADS, "--no-ws", "--runtime-mode", "st"),
        "movieticket.wsgi:application",
    ]
    environment = environment | {"PYTHONPATH": str(project), "THREADS": THREADS}
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_up(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def wait_until_up(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            ask(port, "/bare/")
        except OSError:
            continue
        return
    raise RuntimeError("The service did not start.")


def ask(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def header(port: int, path: str, name: str) -> str:
    """Return a header of the response to a request for `path`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().headers[name]
    finally:
        connection.close()


def wrk(port: int, clients: int, seconds: int, mode: str, lines: Sequence[str]) -> dict[str, Any]:
    """Runs wrk and returns its counts. load.lua describes the content of the file, `lines`."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"load-{port}.txt"
    path.write_text("\n".join(lines))
    try:
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(HERE / "load.lua")]
        out = subprocess.check_output([*command, f"http://127.0.0.1:{port}", "--", mode, str(path)], text=True)
        counts: dict[str, Any] = json.loads(out.splitlines()[-1])
        return counts
    finally:
        path.unlink()


# The locks and writes of a booking, without its reads.
TRANSACTION = """
\\set show random({shows})
\\set user random({users})
\\set seat random(1000000, 2000000000)
BEGIN;
SELECT id FROM booking_show WHERE id = :show FOR NO KEY UPDATE;
INSERT INTO booking_order (show_id, reference, user_id, name, email, phone, folded_name, created_at)
  VALUES (:show, lpad(to_hex(:seat), 8, '0'), :user, '', '', '', '', now());
INSERT INTO booking_booking
  (show_id, reference, user_id, seat_number, seat_label, category, ticket_type_id, price, status, created_at)
  VALUES (:show, lpad(to_hex(:seat), 8, '0'), :user, :seat, 'A1', 'S', {ticket_type}, 12, 'booked', now());
COMMIT;
"""


def pgbench(server: PostgresServer, clients: int, seconds: int, **values: str) -> float:
    """Return the number of booking transactions per second, with these values in TRANSACTION."""
    script = server.folder / "booking.sql"
    script.write_text(TRANSACTION.format(**values))
    command = [server.command("pgbench"), "-n", "-h", str(server.folder), "-U", "postgres", "-f", str(script)]
    out = subprocess.check_output([*command, f"-c{clients}", "-j1", f"-T{seconds}", "postgres"], text=True)
    return next(float(line.split()[2]) for line in out.splitlines() if line.startswith("tps"))


def memory_of_workers(pid: int) -> float:
    """Mean resident memory of the worker processes of `pid`, in MiB."""
    sizes = [
        int(Path(f"/proc/{child}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for child in workers(pid)
    ]
    return max(sizes) / 2**20


def cpu_of_workers(pid: int) -> float:
    """Seconds of CPU that the worker processes of `pid` have used."""
    # The name of the process, in brackets, may contain blanks.
    stats = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in workers(pid)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def workers(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
