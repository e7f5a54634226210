"""Which seats are best: the geometry of a hall, without a database.

A hall is `total_seats` seats numbered row by row from 1, `seats_per_row` in each, the last row perhaps shorter.
A block is seats side by side in one row; a run is as many free seats side by side as there are. A seat
is stranded where it is free, has a taken neighbour on either side, and was not so before.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from itertools import accumulate
from operator import itemgetter, sub

# A choice is valued by one number, the less the better: first how many blocks it is in, then how many seats it
# strands, then how far it is from the middle. Each outweighs all that come after it.
STRANDED = 10**12
BLOCK = 10**16
NEVER = 10**24


@dataclass(frozen=True)
class Run:
    """Free seats from `first` to `last`, and whether a taken seat, not a wall, is next to either."""

    first: int
    last: int
    bounded_left: bool
    bounded_right: bool

    def __len__(self) -> int:
        return self.last - self.first + 1

    def blocks(self, size: int) -> Iterator[range]:
        """Every block of `size` seats in it."""
        return (range(first, first + size) for first in range(self.first, self.last - size + 2))


@dataclass(frozen=True)
class Hall:
    total_seats: int
    seats_per_row: int

    @property
    def rows(self) -> int:
        return -(-self.total_seats // self.seats_per_row)

    def runs(self, taken: Collection[int]) -> Iterator[Run]:
        """All runs, row by row."""
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
        """The best block of `size` seats in the run, after its value."""
        first, last, distances = run.first, run.last, _distances(self)
        values = list(map(sub, distances[first + size - 1 : last + 1], distances[first - 1 : last - size + 1]))
        spare = last - first + 1 - size
        if spare and run.bounded_left:
            values[1] += STRANDED
        if spare and run.bounded_right:
            values[spare - 1] += STRANDED
        value: int = min(values)
        first += values.index(value)
        return value, range(first, first + size)


@lru_cache
def _distances(hall: Hall) -> list[int]:
    """For each seat, the distances from the middle of the hall of it and of all seats before, added up.

    A seat's distance is squared and in quarters of a seat², so that it stays whole.
    """
    last_row, last_place = hall.rows - 1, hall.seats_per_row - 1
    places = (divmod(seat, hall.seats_per_row) for seat in range(hall.total_seats))
    return list(
        accumulate(((2 * row - last_row) ** 2 + (2 * place - last_place) ** 2 for row, place in places), initial=0)
    )


def best_seats(
    total_seats: int, seats_per_row: int, taken: Collection[int], count: int, *, split: bool = False
) -> list[int] | None:
    """The best `count` free seats: together in one row, stranding no seat if that can be avoided, near the middle.

    None where no row has so many side by side, unless they may be `split`: then in as few blocks as can
    be, and None only where the hall has fewer free seats.
    """
    hall = Hall(total_seats, seats_per_row)
    runs = list(hall.runs(taken))
    together = [hall.best_block(run, count) for run in runs if len(run) >= count]
    if together:
        return list(min(together, key=itemgetter(0))[1])
    return _split(hall, runs, count) if split else None


def largest_block(total_seats: int, seats_per_row: int, taken: Collection[int]) -> int:
    """How many free seats there are side by side at most."""
    return max((len(run) for run in Hall(total_seats, seats_per_row).runs(taken)), default=0)


def nearest_block(total_seats: int, seats_per_row: int, taken: Collection[int], wanted: Sequence[int]) -> list[int]:
    """The block of as many free seats that is nearest to the `wanted` ones; none where there is no such block."""
    hall = Hall(total_seats, seats_per_row)
    size = len(wanted)
    rows, places = zip(*(divmod(seat - 1, seats_per_row) for seat in wanted), strict=True)

    def distance(block: range) -> int:
        row, place = divmod(block[0] - 1, seats_per_row)
        # Between the centres, times the number of seats, so that it stays whole; squared.
        across: int = sum(range(place, place + size)) - sum(places)
        along: int = size * row - sum(rows)
        return across * across + along * along

    blocks = (block for run in hall.runs(taken) for block in run.blocks(size))
    return list(min(blocks, default=(), key=distance))


def _split(hall: Hall, runs: Sequence[Run], count: int) -> list[int] | None:
    """The best choice of blocks, one of a run at most: two blocks of one run would be better off as one.

    Goes through the runs and keeps, for each number of seats up to `count`, the best choice so far of so many.
    """
    values = [0, *[NEVER] * count]
    chosen: list[tuple[range, ...]] = [()] * (count + 1)
    of_runs = [[hall.best_block(run, size) for size in range(1, min(len(run), count) + 1)] for run in runs]
    for blocks in _worth_a_thought(of_runs, count):
        # From the most seats down, so that a run is used once.
        for total in range(count, 0, -1):
            for size, (value, block) in enumerate(blocks[:total], start=1):
                if values[total - size] + BLOCK + value < values[total]:
                    values[total] = values[total - size] + BLOCK + value
                    chosen[total] = (*chosen[total - size], block)
    return [seat for block in chosen[count] for seat in block] if values[count] < NEVER else None


def _worth_a_thought(of_runs: Sequence[list[tuple[int, range]]], count: int) -> list[list[tuple[int, range]]]:
    """The runs among the `count` best for a size: no choice has more blocks, so one of these is always left."""
    chosen: set[int] = set()
    for size in range(count):
        fitting = [index for index, blocks in enumerate(of_runs) if len(blocks) > size]
        chosen.update(nsmallest(count, fitting, key=lambda index: of_runs[index][size][0]))
    return [of_runs[index] for index in sorted(chosen)]
