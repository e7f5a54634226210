"""The limits, and the measurements as a table in Markdown."""

import os
import platform
from datetime import datetime, timezone
from pathlib import Path

from tests.faults.load import HEALTHZ, KINDS, NO_ANSWER

HEALTHZ_SECONDS = 0.5
RECOVERY_SECONDS = 5.0
# The limit of the time without a good response for clients that a fault does not affect.
UNDISTURBED_SECONDS = 5.0
BEGIN, END = "<!-- fault-test: begin -->", "<!-- fault-test: end -->"
INTRODUCTION = """`make fault-test` measured this on {date} on a machine of {cores} cores ({machine}) with a load of
{load:.1f} at the start: {workers} workers of {threads} threads, `DATABASE_SECONDS={seconds}`, faults of
{fault_seconds:.0f} s unless the row says otherwise. A cell has the slowest answer and the number of answers by status,
from the fault's start until some seconds after its end. “Recovery” is the time from the fault's end until each kind of
request had a good answer.

| fault | {kinds} | recovery | limits broken |
|---{columns}|---|---|
"""


def broken_limits(measured, database_seconds, undisturbed, *, is_cut=False):
    """Return a sentence for each measurement above its limit.

    With `is_cut`, connections to a process that the fault stops may be cut.
    """
    limits = {kind: HEALTHZ_SECONDS if kind == HEALTHZ else database_seconds + 1 for kind in KINDS}
    for kind in KINDS:
        if (seconds := measured.slowest(kind)) > limits[kind]:
            yield f"{kind} {seconds:.1f} s"
        statuses = measured.statuses(kind)
        wrong = _wrong(statuses) - ({NO_ANSWER} if is_cut else set())
        yield from (f"{kind} {status}: {statuses[status]}" for status in sorted(wrong, key=str))
    if (seconds := recovery(measured)) > RECOVERY_SECONDS:
        yield f"recovery {seconds:.1f} s"
    for kind in undisturbed:
        if (seconds := measured.pause(kind)) > UNDISTURBED_SECONDS:
            yield f"{kind} without a good answer for {seconds:.1f} s"


def _wrong(statuses):
    """Return the statuses that no fault explains."""
    return set(statuses) - {200, 201, 409, 503}


def recovery(measured):
    return max(measured.recovery(kind) for kind in KINDS)


class Results:
    def __init__(self, **facts):
        self._facts = facts | {"load": os.getloadavg()[0]}
        self._rows = []

    def add(self, fault, measured, broken):
        cells = " | ".join(_cell(measured, kind) for kind in KINDS)
        self._rows.append(f"| {fault} | {cells} | {recovery(measured):.1f} s | {'; '.join(broken) or 'none'} |")

    def write(self, path):
        table = INTRODUCTION.format(
            date=datetime.now(timezone.utc).date(),
            cores=os.cpu_count(),
            machine=platform.machine(),
            kinds=" | ".join(KINDS),
            columns="|---" * len(KINDS),
            **self._facts,
        )
        table += "\n".join(self._rows) + "\n"
        path = Path(path)
        text = path.read_text() if path.exists() else ""
        if BEGIN in text:
            before, _, rest = text.partition(BEGIN)
            table = f"{before}{BEGIN}\n{table}{END}{rest.partition(END)[2]}"
        path.write_text(table)


def _cell(measured, kind):
    counts = sorted(measured.statuses(kind).items(), key=str)
    statuses = ", ".join(f"{status}: {number}" for status, number in counts)
    return f"{measured.slowest(kind):.2f} s, {statuses or NO_ANSWER}"


def lost(load, stored):
    """Return the acknowledged bookings that are not stored."""
    booked = {row[:3] for row in stored if row[3] == "booked"}
    return {answer.booking for answer in load.answers if answer.booking} - booked


def false_conflicts(load, stored):
    """Return the free seats that were reported as taken."""
    occupied = {(show, seat) for _, show, seat, status in stored if status != "cancelled"}
    return {answer.taken for answer in load.answers if answer.taken} - occupied
