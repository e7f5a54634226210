"""Choosing the best seats: the geometry of a hall, without database access.

A hall has `total_seats` seats, numbered row by row from 1, with `seats_per_row` in each row; the last row may be
shorter. A block is a range of adjacent seats in one row. A run is a maximal block of free seats. A choice strands a
seat if it leaves that seat free between two taken ones.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from itertools import accumulate
from operator import itemgetter, sub

# The cost of a choice is one number: the number of blocks, then the number of stranded seats, then the distance from
# the middle. Each term outweighs all later ones.
STRANDED = 10**12
BLOCK = 10**16
INFINITE = 10**24


@dataclass(frozen=True)
class Run:
    """Free seats from `first` to `last`. A side is bounded if the next seat is taken, rather than the row's end."""

    first: int
    last: int
    bounded_left: bool
    bounded_right: bool

    def __len__(self) -> int:
        return self.last - self.first + 1

    def blocks(self, size: int) -> Iterator[range]:
        """Yield every block of `size` seats in the run."""
        return (range(first, first + size) for first in range(self.first, self.last - size + 2))


@dataclass(frozen=True)
class Hall:
    total_seats: int
    seats_per_row: int

    @property
    def rows(self) -> int:
        return -(-self.total_seats // self.seats_per_row)

    def runs(self, taken: Collection[int]) -> Iterator[Run]:
        """Yield all runs, row by row."""
        taken = set(taken)
        for start in range(1, self.total_seats + 1, self.seats_per_row):
            end = min(start + self.seats_per_row - 1, self.total_seats)
            first = start
            for seat in range(start, end + 2):
                if seat <= end and seat not in taken:
                    continue
                if first < seat:
                    yield Run(first, seat - 1, bounded_left=first > start, bounded_right=seat <= end)
                first = seat + 1

    def best_block(self, run: Run, size: int) -> tuple[int, range]:
        """Return the cost of the best block of `size` seats in the run, and the block."""
        first, last, distances = run.first, run.last, _distances(self)
        costs = list(map(sub, distances[first + size - 1 : last + 1], distances[first - 1 : last - size + 1]))
        spare = last - first + 1 - size
        if spare and run.bounded_left:
            costs[1] += STRANDED
        if spare and run.bounded_right:
            costs[spare - 1] += STRANDED
        cost: int = min(costs)
        first += costs.index(cost)
        return cost, range(first, first + size)


@lru_cache
def _distances(hall: Hall) -> list[int]:
    """Return the prefix sums of the seats' squared distances from the middle of the hall.

    The unit is a quarter of a seat², so that the numbers are integers.
    """
    last_row, last_place = hall.rows - 1, hall.seats_per_row - 1
    places = (divmod(seat, hall.seats_per_row) for seat in range(hall.total_seats))
    return list(
        accumulate(((2 * row - last_row) ** 2 + (2 * place - last_place) ** 2 for row, place in places), initial=0)
    )


def best_seats(
    total_seats: int, seats_per_row: int, taken: Collection[int], count: int, *, split: bool = False
) -> list[int] | None:
    """Return the best `count` free seats: side by side, stranding no seat if possible, near the middle.

    Returns None if no row has `count` free seats side by side. With `split`, the seats are then in as few blocks as
    possible, and the result is None only if fewer seats are free.
    """
    hall = Hall(total_seats, seats_per_row)
    runs = list(hall.runs(taken))
    together = [hall.best_block(run, count) for run in runs if len(run) >= count]
    if together:
        return list(min(together, key=itemgetter(0))[1])
    return _split(hall, runs, count) if split else None


def largest_block(total_seats: int, seats_per_row: int, taken: Collection[int]) -> int:
    """Return the length of the longest run of free seats."""
    return max((len(run) for run in Hall(total_seats, seats_per_row).runs(taken)), default=0)


def nearest_block(total_seats: int, seats_per_row: int, taken: Collection[int], wanted: Sequence[int]) -> list[int]:
    """Return the block of the same size that is nearest to the `wanted` seats, or [] if there is none."""
    hall = Hall(total_seats, seats_per_row)
    size = len(wanted)
    rows, places = zip(*(divmod(seat - 1, seats_per_row) for seat in wanted), strict=True)

    def distance(block: range) -> int:
        row, place = divmod(block[0] - 1, seats_per_row)
        # The squared distance of the centres, multiplied by the number of seats so that it is an integer.
        across: int = sum(range(place, place + size)) - sum(places)
        along: int = size * row - sum(rows)
        return across * across + along * along

    blocks = (block for run in hall.runs(taken) for block in run.blocks(size))
    return list(min(blocks, default=(), key=distance))


def _split(hall: Hall, runs: Sequence[Run], count: int) -> list[int] | None:
    """Return the best choice of blocks, at most one per run, because one block costs less than two in the same run.

    Dynamic programming: for each number of seats up to `count`, the best choice among the runs so far.
    """
    costs = [0, *[INFINITE] * count]
    chosen: list[tuple[range, ...]] = [()] * (count + 1)
    of_runs = [[hall.best_block(run, size) for size in range(1, min(len(run), count) + 1)] for run in runs]
    for blocks in _candidates(of_runs, count):
        # From `count` downwards, so that each run is used once.
        for total in range(count, 0, -1):
            for size, (cost, block) in enumerate(blocks[:total], start=1):
                if costs[total - size] + BLOCK + cost < costs[total]:
                    costs[total] = costs[total - size] + BLOCK + cost
                    chosen[total] = (*chosen[total - size], block)
    return [seat for block in chosen[count] for seat in block] if costs[count] < INFINITE else None


def _candidates(of_runs: Sequence[list[tuple[int, range]]], count: int) -> list[list[tuple[int, range]]]:
    """Return the runs that are among the `count` best for some size; a choice never has more than `count` blocks."""
    chosen: set[int] = set()
    for size in range(count):
        fitting = [index for index, blocks in enumerate(of_runs) if len(blocks) > size]
        chosen.update(nsmallest(count, fitting, key=lambda index: of_runs[index][size][0]))
    return [of_runs[index] for index in sorted(chosen)]
