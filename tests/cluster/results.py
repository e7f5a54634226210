"""The measurements, as a table in Markdown."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from tests.cluster.site import DATABASE_SECONDS

PACKAGES = ("patroni", "etcd-server", "haproxy", "pgbouncer", "postgresql-15")
INTRODUCTION = """# Faults of the cluster and their effects

`make cluster-test` wrote this on {date}: three nodes on one machine of {cores} cores ({machine}), the
tests included. Customers book over HTTP through all three service nodes meanwhile, with `DATABASE_SECONDS={seconds}`.

{packages}

“Pause” is the longest time after the fault in which no booking was acknowledged; “lost” are bookings answered with 201
that were not in the database in the end; “slowest” is of the requests that were answered. A customer who gets no
answer (“nobody there”, “broken off”) goes on to the next node, and sends a request that was not carried out again, with
the same `Idempotency-Key`.

"""
COLUMNS = (
    "fault",
    "pause, s",
    "slowest answer, s",
    "slowest `/healthz`, s",
    "acknowledged",
    "lost",
    "seats twice",
    "statuses",
    "no answer",
    "most sends of one request",
)


class Results:
    def __init__(self):
        self._rows = []

    def add(self, fault, crowd, since, lost, sold_twice):
        statuses = ", ".join(f"{status}: {number}" for status, number in _sorted(crowd, int))
        unanswered = ", ".join(f"{kind}: {number}" for kind, number in _sorted(crowd, str)) or "none"
        cells = [
            fault,
            f"{crowd.pause(since):.1f}",
            f"{crowd.slowest:.1f}",
            f"{max(crowd.probes):.2f}",
            len(crowd.acknowledged),
            lost,
            sold_twice,
            statuses,
            unanswered,
            crowd.most_attempts,
        ]
        self._rows.append(_row(cells))
        print(self._rows[-1])

    def write(self, path):
        introduction = INTRODUCTION.format(
            date=datetime.now(timezone.utc).date(),
            cores=os.cpu_count(),
            machine=platform.machine(),
            packages="\n".join(f"- {line}" for line in _versions()),
            seconds=DATABASE_SECONDS,
        )
        head = [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        Path(path).write_text(introduction + "\n".join([*head, *self._rows]) + "\n")


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _sorted(crowd, kind):
    return sorted((outcome, number) for outcome, number in crowd.outcomes().items() if isinstance(outcome, kind))


def _versions():
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
