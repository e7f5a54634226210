"""make bench: measures the service against the limit that its database and Django set, all in one run."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.service import wrk
from tests.postgres_server import PostgresServer

HERE = Path(__file__).parent
ROUNDS = 3


@dataclass
class Size:
    shows: int
    users: int
    seconds: float
    many_bookings: int
    many_requests: int


FULL = Size(shows=1000, users=500, seconds=4, many_bookings=10_000_000, many_requests=100_000)
TINY = Size(shows=20, users=10, seconds=0.5, many_bookings=20_000, many_requests=2_000)


@dataclass
class Figure:
    name: str
    against: str
    reach: str
    here: str
    ratio: str


class Bench:
    def __init__(self, size: Size, server: PostgresServer) -> None:
        self.size = size
        self.server = server
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "DATABASE_URL": server.url,
            "DEBUG": "false",
            "SECRET_KEY": "only-for-a-benchmark-on-this-machine",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "ERROR",
        }
        self.data("load", size.shows, size.users)
        self.tokens = self.data("tokens").split()
        [[self.first]] = self.sql("SELECT min(id) FROM booking_show")
        [[self.user]] = self.sql("SELECT min(id) FROM booking_user")
        self.last = int(self.first) + size.shows - 1
        # No two runs want the same seat of a show.
        self.next_seat = 1

    def data(self, *arguments: object) -> str:
        command = [sys.executable, "-m", "benchmarks.data", *map(str, arguments)]
        return subprocess.check_output(command, env=self.environment, text=True)

    def sql(self, statement: str) -> list[list[str]]:
        command = [
            self.server.command("psql"),
            "-h",
            str(self.server.folder),
            "-U",
            "postgres",
            "-qtAF,",
            "-c",
            statement,
        ]
        return [line.split(",") for line in subprocess.check_output(command, text=True).splitlines()]

    def header(self, first: int, last: int) -> str:
        return f"{first} {last} {self.next_seat}"

    def book(self, clients: int, first: int, last: int, mode: str = "book") -> dict[str, Any]:
        answers = wrk(self.port, clients, self.size.seconds, mode, [self.header(first, last), *self.tokens])
        wanted = answers["created"] + answers["refused"] + answers["other"] + clients
        self.next_seat += wanted // (last - first + 1) + 2
        return answers

    def get(self, path: str) -> float:
        answers = wrk(self.port, 16, self.size.seconds, "get", [path])
        return float(answers["ok"] / answers["seconds"])


def in_turns(*measures: Callable[[], float]) -> list[float]:
    """The median of each measure over some rounds, taken in turns."""
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    return [median(column) for column in zip(*rounds, strict=True)]
