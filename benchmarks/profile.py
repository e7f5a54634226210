"""make profile: plots the time of each step of a booking."""

import argparse
from collections import defaultdict
from pathlib import Path
from pstats import Stats
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.plots import plot_steps
from benchmarks.run import FULL, IMAGES, TINY, Bench, loaded

# Functions by the end of their file's path; none of them calls another one.
STEPS = {
    "read the token": [("booking/authentication.py", "get_validated_token")],
    "find the user, count the attempt": [("services/accounts/limits.py", "find_account_and_count")],
    "read the body": [("booking/views/common.py", "validated")],
    "lock the show, read the facts": [("services/seats/facts.py", "lock_and_read")],
    "check the rules": [("rules/__init__.py", "choose_seats")],
    "write, commit": [("services/seats/sales.py", "_save")],
    "make the response": [("booking/serializers/bookings.py", "to_representation")],
    "write the response": [("booking/renderers.py", "__init__")],
    "log and metrics": [("movieticket/requests.py", "_log")],
}


def milliseconds_by_step(stats: Any, samples: int) -> dict[str, float]:
    """Return the mean of each step, and of everything else."""
    taken: dict[tuple[str, str], float] = defaultdict(float)
    names = {name for functions in STEPS.values() for name in functions}
    for (file, _, function), (_, _, _, cumulative, _) in stats.items():
        for ending, name in names:
            if function == name and file.endswith(ending):
                taken[ending, name] += cumulative * 1000 / samples
    if set(taken) != names:
        raise RuntimeError(f"Not called: {names - set(taken)}")
    steps = {step: sum(taken[name] for name in functions) for step, functions in STEPS.items()}
    total = sum(own for _, _, own, _, _ in stats.values()) * 1000 / samples
    return steps | {"Django, DRF and middleware": total - sum(steps.values())}


def draw(bench: Bench, picture: Path, samples: int) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "profile"
        bench.python("benchmarks.cpu", "profile", samples, file)
        plot_steps(picture, milliseconds_by_step(Stats(str(file)).stats, samples))  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a quick run to test the script; stores no plot")
    tiny = parser.parse_args().tiny
    with loaded(TINY if tiny else FULL) as bench, TemporaryDirectory() as folder:
        draw(bench, (Path(folder) if tiny else IMAGES) / "profile.svg", 10 if tiny else 2_000)


if __name__ == "__main__":
    main()
