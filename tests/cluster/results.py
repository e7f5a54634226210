"""What was measured, as a table in Markdown."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from tests.cluster.site import DATABASE_SECONDS

PACKAGES = ("patroni", "etcd-server", "haproxy", "pgbouncer", "postgresql-15")
INTRODUCTION = """# What the cluster went through

`make cluster-test` wrote this on {date}: three nodes on one machine of {cores} cores ({machine}), which others worked
on too. Customers book over HTTP through all three service nodes all the while, with `DATABASE_SECONDS={seconds}`.

{packages}

“Pause” is the longest time after the fault in which no booking was acknowledged; “lost” are bookings answered with 201
that were not there when all was mended. A customer who gets no answer (“nobody there”, “broken off”) goes on to the
next node; whoever isn't served sends the same request again, with the same `Idempotency-Key`.

| fault | pause, s | acknowledged | lost | seats twice | statuses | no answer | most sends of one request |
|---|---|---|---|---|---|---|---|
"""


class Results:
    def __init__(self):
        self._rows = []

    def add(self, fault, crowd, since, lost, sold_twice):
        statuses = ", ".join(f"{status}: {number}" for status, number in _sorted(crowd, int))
        unanswered = ", ".join(f"{kind}: {number}" for kind, number in _sorted(crowd, str)) or "none"
        self._rows.append(
            f"| {fault} | {crowd.pause(since):.1f} | {len(crowd.acknowledged)} | {lost} | {sold_twice} "
            f"| {statuses} | {unanswered} | {crowd.most_attempts} |"
        )
        print(self._rows[-1])

    def write(self, path):
        introduction = INTRODUCTION.format(
            date=datetime.now(timezone.utc).date(),
            cores=os.cpu_count(),
            machine=platform.machine(),
            packages="\n".join(f"- {line}" for line in _versions()),
            seconds=DATABASE_SECONDS,
        )
        Path(path).write_text(introduction + "\n".join(self._rows) + "\n")


def _sorted(crowd, kind):
    return sorted((outcome, number) for outcome, number in crowd.outcomes().items() if isinstance(outcome, kind))


def _versions():
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
