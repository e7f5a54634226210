"""make compare REV=…: measures the working tree against a git revision, in turns, in one run on one machine.

Both run on the same PostgreSQL server. Each fills and serves its own database with its own code, settings and
migrations. Only one of them gets requests at a time. The requests always come from this tree's load.lua.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.run import FULL, TINY, Bench
from benchmarks.service import PROJECT, progress, serve
from tests.postgres_server import postgres_server

ROUNDS, TINY_ROUNDS = 5, 1
# The first ten shows are for bookings on one show, the last one is for refusals, the others for bookings on all shows.
SINGLE_SHOWS = 10


@dataclass
class Figure:
    name: str
    measure: Callable[[Bench], float]
    # Rates per second of REV and of this tree, one pair per round.
    rounds: list[tuple[float, float]]

    def __str__(self) -> str:
        there, here = (median(column) for column in zip(*self.rounds, strict=True))
        ratios = [new / old if old else float("nan") for old, new in self.rounds]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        return f"| {self.name} | {there:,.0f}/s | {here:,.0f}/s | {median(ratios):.2f} | {spread} |"


def figures() -> list[Figure]:
    return [
        Figure("bookings over all shows, 16 clients", over_all_shows("book"), []),
        Figure("bookings on one show, 16 clients", on_one_show, []),
        Figure("refusals of taken seats while a show sells, 64 clients", Bench.refusals, []),
        Figure("three seats in one request, 16 clients", over_all_shows("several"), []),
        Figure("holds that are then booked, 16 clients", over_all_shows("hold"), []),
    ]


def over_all_shows(mode: str) -> Callable[[Bench], float]:
    return lambda bench: bench.created(bench.first + SINGLE_SHOWS, bench.last - 1, mode)


def on_one_show(bench: Bench) -> float:
    """Bookings per second on one of the first shows, the one with the most free seats."""
    shows = range(bench.first, bench.first + SINGLE_SHOWS)
    show = min(shows, key=lambda show: bench.next_seats[show])
    return bench.created(show, show)


@contextmanager
def exported(revision: str) -> Iterator[Path]:
    """A temporary folder with the files of `revision`. Nothing is written to the repository."""
    with TemporaryDirectory(prefix="compare-") as folder:
        files = subprocess.run(["git", "archive", revision], cwd=PROJECT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=files, check=True)
        yield Path(folder)


def commit_of(revision: str) -> str:
    command = ["git", "rev-parse", "--verify", "--quiet", "--short", "--end-of-options", f"{revision}^{{commit}}"]
    found = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    if found.returncode:
        sys.exit(f"This repository has no revision {revision}.")
    return found.stdout.strip()


@contextmanager
def running(commit: str, *, tiny: bool, seconds: int | None) -> Iterator[list[Bench]]:
    """The services of the revision and of the working tree, both running."""
    size = TINY if tiny else FULL
    size = replace(size, seconds=seconds or size.seconds)
    with ExitStack() as stack:
        progress(f"export {commit}")
        folder = stack.enter_context(exported(commit))
        progress("start PostgreSQL")
        server = stack.enter_context(postgres_server(fsync="on", full_page_writes="on", shared_buffers="512MB"))
        benches = []
        for project, name in ((folder, "revision"), (PROJECT, "this_tree")):
            progress(f"load the data of {name}")
            subprocess.run([server.command("createdb"), "-h", str(server.folder), "-U", "postgres", name], check=True)
            benches.append(Bench(size, server, project=project, database=name))
        for bench in benches:
            bench.gather_statistics()
        benches[0].sql("CHECKPOINT")
        for bench in benches:
            bench.port, _ = stack.enter_context(serve(bench.environment, bench.project))
            progress(f"{bench.database}: http://127.0.0.1:{bench.port}/ on {bench.environment['DATABASE_URL']}")
        yield benches


def compare(benches: list[Bench], rounds: int) -> list[Figure]:
    measured = figures()
    for bench in benches:
        progress(f"warm up {bench.database}")
        bench.seconds = 1
        for figure in measured:
            figure.measure(bench)
        bench.seconds = bench.size.seconds
        bench.gather_statistics()
    for number in range(rounds):
        for figure in measured:
            # The order alternates, so that neither is always measured first.
            order = benches if number % 2 == 0 else benches[::-1]
            rates = {}
            for bench in order:
                rates[bench.database] = figure.measure(bench)
                rate = f"{rates[bench.database]:,.0f}/s"
                progress(f"round {number + 1} of {rounds}, {figure.name}, {bench.database}: {rate}")
            figure.rounds.append((rates[benches[0].database], rates[benches[1].database]))
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", metavar="REV", help="what to compare with, such as HEAD or main")
    parser.add_argument("--rounds", type=int, help=f"how often each figure is measured ({ROUNDS})")
    parser.add_argument("--seconds", type=int, help=f"how long each measurement takes ({FULL.seconds})")
    parser.add_argument("--tiny", action="store_true", help="a quick run to test the script")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("The benchmark needs wrk, the HTTP load generator; on Debian: apt-get install wrk")
    commit = commit_of(options.revision)
    with running(commit, tiny=options.tiny, seconds=options.seconds) as benches:
        measured = compare(benches, options.rounds or (TINY_ROUNDS if options.tiny else ROUNDS))
    print(f"| figure | {commit} | this tree | ratio | min-max of a round |\n|---|---|---|---|---|")
    print(*measured, sep="\n", flush=True)
    for bench in benches:
        if bench.unexpected:
            share = f"{bench.unexpected:,} of {bench.responses:,}"
            progress(f"WARNING: DO NOT TRUST THESE FIGURES: {share} responses of {bench.database} were unexpected")


if __name__ == "__main__":
    main()
