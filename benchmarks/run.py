"""make bench: compares the service with the limits that its database and Django set, in one run.

Both figures of a row are measured in turns, so that other load on the machine affects both equally.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.door import DOORS, scan_all
from benchmarks.payments import CLIENTS as PAYING
from benchmarks.plots import plot_clients, plot_growth
from benchmarks.service import PROJECT, cpu_of_workers, header, memory_of_workers, pgbench, progress, serve, wrk
from tests.postgres_server import PostgresServer, postgres_server

HERE = Path(__file__).parent
IMAGES = PROJECT / "docs" / "images"
CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass
class Size:
    shows: int
    users: int
    rounds: int
    seconds: int
    bookings: tuple[int, ...]
    few_requests: int
    many_requests: int
    samples: int
    people: int
    # Shows whose people are scanned while memory is measured.
    full_houses: int
    orders: int


FULL = Size(
    shows=1000,
    # With fewer customers, some would get more than 10 seats of a show, which production refuses.
    users=2_000,
    rounds=3,
    seconds=4,
    bookings=(10_000, 100_000, 1_000_000, 10_000_000),
    few_requests=1_000,
    many_requests=100_000,
    samples=400,
    people=1_000,
    full_houses=30,
    orders=1_000,
)
TINY = Size(
    shows=30,
    users=10,
    rounds=1,
    seconds=1,
    bookings=(100, 1_000),
    few_requests=100,
    many_requests=300,
    samples=10,
    people=100,
    full_houses=3,
    orders=60,
)


@dataclass
class Row:
    figure: str
    against: str
    reach: str
    measured: str
    ratio: float

    def __str__(self) -> str:
        return f"| {self.figure} | {self.against} | {self.reach} | {self.measured} | {self.ratio:.2f} |"


class Bench:
    """A loaded database, and loads on the service that serves it.

    `project` is the folder of the code that fills and serves the database.
    """

    port: int

    def __init__(
        self, size: Size, server: PostgresServer, *, project: Path = PROJECT, database: str = "postgres"
    ) -> None:
        self.size = size
        self.seconds = size.seconds
        self.server = server
        self.project = project
        self.database = database
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DATABASE_URL": server.url.removesuffix("postgres") + database,
            "DEBUG": "false",
            "SECRET_KEY": "only-for-a-benchmark-on-this-machine",
            "TICKET_SIGNING_KEY": "b25seS1mb3ItYS1iZW5jaG1hcmstaGVyZS1wbGVhc2U",
            "ALLOWED_HOSTS": "127.0.0.1",
            "PYTHONPATH": str(project),
        }
        self.python("benchmarks.data", "load", size.shows, size.users)
        self.tokens = self.python("benchmarks.data", "tokens").split()
        self.first = int(self.sql("SELECT min(id) FROM booking_show"))
        self.last = self.first + size.shows - 1
        # benchmarks.data creates the sold-out show after them.
        self.full = self.last + 1
        # The first seat of each show that no run has used. The first hundred seats are for requests for taken seats.
        self.next_seats: defaultdict[int, int] = defaultdict(lambda: 101)
        # The number of responses, and of those that are neither 201 nor an expected 409.
        self.responses = self.unexpected = 0

    @cached_property
    def movie(self) -> int:
        """The movie of the shows that are half sold."""
        return int(self.sql("SELECT movie_id FROM booking_show ORDER BY id DESC LIMIT 1"))

    def python(self, module: str, *arguments: object, **environment: str) -> str:
        command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
        # The output is the result, so it must not contain log lines.
        own = {"LOG_FORMAT": "text", **environment}
        return subprocess.check_output(command, cwd=self.project, env=self.environment | own, text=True)

    def sql(self, statement: str) -> str:
        command = [self.server.command("psql"), "-h", str(self.server.folder), "-U", "postgres", "-qtA"]
        return subprocess.check_output([*command, "-d", self.database, "-c", statement], text=True).strip()

    def gather_statistics(self) -> None:
        """Does what autovacuum does within minutes; a run is shorter, and plans without statistics read whole shows."""
        self.sql("VACUUM ANALYZE")

    def free_seats(self, first: int, last: int, seats: int) -> int:
        """Reserve `seats` seats, the same ones in each of the shows, and return the first of them."""
        seat = max(self.next_seats[show] for show in range(first, last + 1))
        self.next_seats.update(dict.fromkeys(range(first, last + 1), seat + seats))
        return seat

    def book(self, clients: int, first: int, last: int, mode: str = "book") -> dict[str, Any]:
        header = f"{first} {last} {self.free_seats(first, last, 0)}"
        counts = wrk(self.port, clients, self.seconds, mode, [header, *self.tokens])
        self.free_seats(first, last, counts["seats"])
        self.responses += sum(counts[kind] for kind in ("created", "held", "refused", "other"))
        unexpected = counts["other"] + (0 if mode == "hot" else counts["refused"])
        if unexpected:
            progress(f"WARNING: {unexpected:,} unexpected responses in the mode {mode}: {counts}")
            self.unexpected += unexpected
        return counts

    def created(self, first: int, last: int, mode: str = "book") -> float:
        counts = self.book(16, first, last, mode)
        return float(counts["created"] / counts["seconds"])

    def limit(self, first: int, last: int) -> float:
        users = self.sql("SELECT min(id) || ', ' || max(id) FROM booking_user")
        ticket_type = self.sql("SELECT min(id) FROM booking_tickettype")
        values = {"shows": f"{first}, {last}", "users": users, "ticket_type": ticket_type}
        return pgbench(self.server, 16, self.size.seconds, **values)

    def refusals(self) -> float:
        counts = self.book(64, self.last, self.last, "hot")
        return float(counts["refused"] / counts["seconds"])

    def get(self, *lines: str) -> float:
        counts = wrk(self.port, 16, self.size.seconds, "get", lines)
        return float(counts["ok"] / counts["seconds"])


def in_turns(rounds: int, **measures: Callable[[], float]) -> dict[str, float]:
    """Return the median of each measure over the rounds, measured in turns."""
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        for name, measure in measures.items():
            progress(f"round {number + 1} of {rounds}: {name.replace('_', ' ')}")
            rates[name].append(measure())
    return {name: median(measured) for name, measured in rates.items()}


def rate_row(figure: str, against: str, reach: str, here: float, there: float) -> Row:
    return Row(figure, against, reach, f"{here:,.0f}/s against {there:,.0f}/s", here / there)


def selling(bench: Bench) -> list[Row]:
    first, last = bench.first, bench.last
    progress("warm up")
    for mode in ("book", "several", "hold"):
        bench.created(first, last, mode)
    bench.gather_statistics()
    many = in_turns(
        bench.size.rounds,
        bookings=lambda: bench.created(first, last),
        refusals=bench.refusals,
        several_seats=lambda: bench.created(first, last, "several"),
        holds_then_bookings=lambda: bench.created(first, last, "hold"),
        pgbench=lambda: bench.limit(first, last),
    )
    one = in_turns(
        bench.size.rounds,
        bookings_on_one_show=lambda: bench.created(first, first),
        pgbench_on_one_row=lambda: bench.limit(first, first),
    )
    limit = "pgbench, what a booking locks and writes"
    over_many = f"{limit} over all shows"
    pgbench = many["pgbench"]
    return [
        rate_row(f"bookings over {bench.size.shows:,} shows, 16 clients", limit, "0.20", many["bookings"], pgbench),
        rate_row("bookings on one show, 16 clients", f"{limit} on one show", "0.45", *one.values()),
        rate_row(
            "refusals of taken seats while a show sells, 64 clients", over_many, "0.25", many["refusals"], pgbench
        ),
        rate_row("three seats in one request, 16 clients", over_many, "-", many["several_seats"], pgbench),
        rate_row("holds that are then booked, 16 clients", over_many, "-", many["holds_then_bookings"], pgbench),
    ]


def reading(bench: Bench) -> list[Row]:
    movies, shows, bare = in_turns(
        bench.size.rounds,
        list_of_movies=lambda: bench.get("/api/movies/?page_size=50"),
        list_of_shows=lambda: bench.get(f"/api/movies/{bench.movie}/shows/"),
        bare_view=lambda: bench.get("/bare/"),
    ).values()
    seat_map = f"/api/shows/{bench.full}/seats/"
    etag = header(bench.port, seat_map, "ETag")
    unchanged, whole = in_turns(
        bench.size.rounds,
        seat_map_unchanged=lambda: bench.get(seat_map, etag),
        seat_map_in_full=lambda: bench.get(seat_map),
    ).values()
    return [
        rate_row("`GET /api/movies/`, 50 rows", "a bare Django view", "0.25", movies, bare),
        rate_row("`GET /api/movies/<id>/shows/`, 20 shows half sold", "a bare Django view", "0.10", shows, bare),
        rate_row("`GET /api/shows/<id>/seats/`, 500 seats sold, unchanged (304)", "in full", "> 1", unchanged, whole),
    ]


def choosing_seats(bench: Bench) -> Row:
    progress("CPU of choosing seats")
    longest = float(bench.python("benchmarks.cpu", "choose", bench.size.samples))
    measured = f"{longest:.2f} ms against 2 ms"
    figure = "CPU of choosing the best 10 of 1,000 seats, in the slowest of ten halls"
    return Row(figure, "2 ms", "≤ 1", measured, longest / 2)


def cpu(bench: Bench) -> Row:
    progress("CPU of one booking request")
    booking, bare = map(float, bench.python("benchmarks.cpu", "compare", bench.size.samples).split())
    measured = f"{booking:.2f} ms against {bare:.3f} ms"
    return Row("CPU of one booking request, in process", "a bare Django view", "≤ 18", measured, booking / bare)


def signing_in(bench: Bench) -> Row:
    progress("CPU of signing in")
    whole, hashing = map(float, bench.python("benchmarks.cpu", "signin", max(1, bench.size.samples // 20)).split())
    measured = f"{whole:.1f} ms against {hashing:.1f} ms"
    return Row("CPU of signing in, in process", "the hash of the password alone", "≤ 2", measured, whole / hashing)


def latencies(bench: Bench, ports: Sequence[int]) -> dict[str, list[float]]:
    """Return the median milliseconds at each port by kind of request. Requests are sequential, the ports in turns."""
    tokens = cycle(bench.tokens)
    connections = [HTTPConnection("127.0.0.1", port) for port in ports]
    seat = f'{{"seat_number": {bench.free_seats(bench.first, bench.last, 1)}}}'

    def medians(requests: Iterable[tuple[str, ...]]) -> list[float]:
        times = [
            [ask(to, token, *request) for to in connections] for token, request in zip(tokens, requests, strict=False)
        ]
        return [median(column) for column in zip(*times, strict=True)]

    samples = range(bench.size.samples)
    return {
        "booking": medians(("POST", f"/api/shows/{show}/book/", seat) for show in shows(bench)),
        "my-bookings": medians(("GET", "/api/my-bookings/") for _ in samples),
        "shows list": medians(("GET", f"/api/movies/{bench.movie}/shows/") for _ in samples),
    }


def ask(connection: HTTPConnection, token: str, method: str, path: str, body: str | None = None) -> float:
    """Makes a request and returns its milliseconds."""
    begin = perf_counter()
    connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    if response.status not in (200, 201):
        raise RuntimeError(f"{method} {path} returned {response.status}")
    return (perf_counter() - begin) * 1000


def shows(bench: Bench) -> range:
    return range(bench.first, min(bench.last + 1, bench.first + bench.size.samples))


def with_past(bench: Bench) -> list[str]:
    """Copies the database with growing numbers of bookings of past shows, and returns the URLs of the copies."""
    urls = []
    last = "postgres"
    for stored in bench.size.bookings:
        progress(f"store {stored:,} bookings")
        name = f"stored_{stored}"
        bench.sql(f"CREATE DATABASE {name} TEMPLATE {last}")
        urls.append(bench.server.url.removesuffix("postgres") + name)
        bench.python("benchmarks.data", "past", stored, DATABASE_URL=urls[-1])
        last = name
    # Otherwise the data would be written to disk during the measurements.
    bench.sql("CHECKPOINT")
    return urls


def growth(bench: Bench, images: Path) -> list[Row]:
    """Measures the same requests with few and with many stored bookings."""
    with ExitStack() as stack:
        ports = [stack.enter_context(serve(bench.environment | {"DATABASE_URL": url}))[0] for url in with_past(bench)]
        progress("warm up")
        latencies(bench, ports)
        rounds = []
        for number in range(bench.size.rounds):
            progress(f"round {number + 1} of {bench.size.rounds}: latencies with few and with many bookings stored")
            rounds.append(latencies(bench, ports))
    measured = {name: [median(one[name][n] for one in rounds) for n in range(len(ports))] for name in rounds[0]}
    plot_growth(images / "growth.svg", bench.size.bookings, measured)
    least, most = bench.size.bookings[0], bench.size.bookings[-1]
    return [
        Row(
            f"p50 of {name} with {most:,} bookings stored",
            f"with {least:,}", "≤ 1.1", f"{many:.2f} ms against {few:.2f} ms", many / few,
        )
        for name, (few, *_, many) in measured.items()
    ]  # fmt: skip


def paying(bench: Bench, pid: int) -> Row:
    """Compares orders that are held and paid with orders that are held and booked, by the same clients."""
    orders, shows = bench.size.orders, bench.last - bench.first + 1
    seats = -(-orders // shows)
    costs: list[float] = []

    def rate(mode: str) -> float:
        seat, cpu = bench.free_seats(bench.first, bench.last, seats), cpu_of_workers(pid)
        rate = float(bench.python("benchmarks.payments", mode, bench.port, bench.first, bench.last, seat, orders))
        if mode == "pay":
            costs.append((cpu_of_workers(pid) - cpu) / orders * 1000)
        return rate

    progress("warm up payments")
    rate("pay")
    paid, booked = in_turns(
        bench.size.rounds, holds_then_payments=lambda: rate("pay"), holds_then_bookings=lambda: rate("book")
    ).values()
    measured = f"{paid:,.0f}/s against {booked:,.0f}/s, {median(costs):.1f} ms CPU of the service an order"
    figure = f"orders held, paid and booked by the event, {PAYING} clients"
    return Row(figure, "held and booked, two requests instead of three", "-", measured, paid / booked)


def doors(bench: Bench) -> Row:
    people = bench.size.people
    progress(f"{people:,} people at {DOORS} doors")
    rate, p99 = scan_all(bench.port, bench.python("benchmarks.door", people))
    figure = f"p99 of a scan, {people:,} people at {DOORS} doors of a show"
    return Row(figure, "100 ms", "≤ 1", f"{p99:.1f} ms, {rate:,.0f} scans/s", p99 / 100)


def clients(bench: Bench, images: Path) -> None:
    """Plots throughput and latency over the number of clients."""
    results = []
    for number in CLIENTS:
        progress(f"bookings by {number} clients")
        results.append(bench.book(number, bench.first, bench.last))
    rates = [result["created"] / result["seconds"] for result in results]
    plot_clients(images / "clients.svg", CLIENTS, rates, [result["p99_ms"] for result in results])


def memory(bench: Bench, pid: int) -> Row:
    progress(f"memory after {bench.size.few_requests:,} requests")
    path = ["/api/movies/?page_size=50"]
    while_few = count_up_to(bench, bench.size.few_requests, path)
    few = memory_of_workers(pid)
    progress(f"memory after {bench.size.many_requests:,} requests")
    count_up_to(bench, bench.size.many_requests - while_few, path)
    many = memory_of_workers(pid)
    figure = f"memory of a worker after {bench.size.many_requests:,} requests"
    against = f"after {bench.size.few_requests:,}"
    return Row(figure, against, "≤ 1.05", f"{many:.0f} MiB against {few:.0f} MiB", many / few)


def memory_of_doors(bench: Bench, pid: int) -> Row:
    """Compares the memory after the people of one show with that after those of many shows."""
    people, shows = bench.size.people, bench.size.full_houses
    sizes = []
    for number in range(1, shows + 1):
        scan_all(bench.port, bench.python("benchmarks.door", people))
        if number in (1, shows):
            progress(f"memory after {number * people:,} scans")
            sizes.append(memory_of_workers(pid))
    few, many = sizes
    figure = f"memory of a worker after {shows * people:,} scans"
    return Row(figure, f"after {people:,}", "≤ 1.05", f"{many:.0f} MiB against {few:.0f} MiB", many / few)


def count_up_to(bench: Bench, requests: int, lines: list[str]) -> int:
    number = 0
    while number < requests:
        number += wrk(bench.port, 16, 1, "get", lines)["ok"]
    return number


def machine() -> str:
    names = ("Django", "djangorestframework", "granian", "psycopg")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = cpus[0].partition(":")[2].strip() if cpus else platform.machine()
    return f"{os.cpu_count()} cores of {model}; Python {platform.python_version()}, {packages}, PostgreSQL 18"


@contextmanager
def loaded(size: Size) -> Iterator[Bench]:
    progress("start PostgreSQL")
    # As durable as in production: a confirmed booking is on disk.
    with postgres_server(fsync="on", full_page_writes="on", shared_buffers="512MB") as server:
        progress("load the data")
        yield Bench(size, server)


def measure(size: Size, images: Path) -> Iterator[Row]:
    with loaded(size) as bench:
        with serve(bench.environment) as (bench.port, pid):
            yield from selling(bench)
            yield from reading(bench)
            clients(bench, images)
            yield paying(bench, pid)
            yield doors(bench)
        yield from (cpu(bench), signing_in(bench), choosing_seats(bench))
        with serve(bench.environment) as (bench.port, pid):
            yield memory(bench, pid)
        with serve(bench.environment) as (bench.port, pid):
            yield memory_of_doors(bench, pid)
        yield from growth(bench, images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a quick run to test the script; writes no results")
    tiny = parser.parse_args().tiny
    if not shutil.which("wrk"):
        sys.exit("The benchmark needs wrk, the HTTP load generator; on Debian: apt-get install wrk")
    rows = []
    with TemporaryDirectory() as folder:
        for row in measure(TINY, Path(folder)) if tiny else measure(FULL, IMAGES):
            progress(f"{row.figure}: {row.measured}")
            rows.append(row)
    table = "\n".join(["| figure | against | reach | measured | ratio |", "|---|---|---|---|---|", *map(str, rows)])
    print(table)
    if not tiny:
        head = "# Results\n\nWritten by `make bench`. Both sides of a row were measured in turns in one run.\n"
        (HERE / "RESULTS.md").write_text(f"{head}\n{table}\n\nOn {machine()}.\n")


if __name__ == "__main__":
    main()
