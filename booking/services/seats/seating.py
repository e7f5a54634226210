"""Choosing the best seats: the geometry of a hall, without database access.

A block is a range of adjacent seats. A run is a maximal block of free seats. A choice strands a seat if it leaves that
seat free between two taken ones. It splits a sofa if it takes one half and leaves the other half free. It can be
limited to seats whose kinds fit together, such as a seat for an adult and one for a child.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache, lru_cache, partial
from heapq import nsmallest
from itertools import accumulate, chain
from operator import attrgetter, sub
from typing import NamedTuple

from booking.models.layouts import Hall, Seat

# The cost of a choice is one number: the number of accessible seats that were not asked for, then the number of split
# sofas, of blocks and of stranded seats, then the distance from the middle. Each term outweighs all later ones.
STRANDED = 10**12
BLOCK = 10**16
SPLIT_SOFA = 10**20
ACCESSIBLE = 10**24
INFINITE = 10**30


class Run(NamedTuple):
    """Free seats from `first` to `last`. A side is bounded if a taken seat is next to it, rather than a gap."""

    first: int
    last: int
    bounded_left: bool
    bounded_right: bool

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class Choice(NamedTuple):
    cost: int
    seats: Sequence[int]


NO_CHOICE = Choice(INFINITE, ())
COST = attrgetter("cost")


class Kinds:
    """The kinds of a hall's seats, and which of them fit together."""

    def __init__(self, letters: str, fit: Callable[[str], bool]) -> None:
        """`letters` has one letter per seat. `fit` says whether seats of some kinds, as sorted letters, fit together.

        Seats that fit together do so without some of them, too. More seats than wanted don't.
        """
        self.letters = letters
        self.fit = cache(fit)
        self.join = cache(self._join)

    def _join(self, some: str, others: str) -> str:
        """Return the sorted letters of all the seats, or "" if they don't fit together."""
        both = "".join(sorted(some + others))
        return both if self.fit(both) else ""

    def are_fit(self, seats: Sequence[int]) -> bool:
        """Return whether the adjacent seats fit together."""
        return self.fit("".join(sorted(self.letters[seats[0] - 1 : seats[-1]])))


class Costs:
    """The costs of the seats of a hall, and the best choices by these costs within a run.

    With `accessible`, each seat that is not accessible costs as much as an accessible one does otherwise.
    """

    def __init__(self, hall: Hall, *, accessible: bool) -> None:
        def cost(seat: Seat) -> int:
            # The unit of distance is a quarter of a seat², so that the numbers are integers.
            distance = (2 * seat.x - hall.width + 1) ** 2 + (2 * seat.y - hall.height + 1) ** 2
            return distance + ACCESSIBLE * ((seat.number in hall.accessible) != accessible)

        numbers = range(1, hall.total_seats + 1)
        self._seats = [0, *map(cost, hall.seats)]
        self._sums = list(accumulate(self._seats))
        self._left_halves = [0, *(hall.partners.get(number) == number + 1 for number in numbers)]
        self._right_halves = [0, *(hall.partners.get(number) == number - 1 for number in numbers)]
        # A block from a to b between free seats costs _ends[b] - _starts[a].
        self._ends = [total + SPLIT_SOFA * half for total, half in zip(self._sums, self._left_halves, strict=True)]
        self._starts = [
            0,
            *(total - SPLIT_SOFA * half for total, half in zip(self._sums, self._right_halves[1:], strict=False)),
        ]

    def cheapest(self, run: Run) -> int:
        """Return the cost of the cheapest seat in the run."""
        return min(self._seats[run.first : run.last + 1])

    def best_block(self, run: Run, size: int, limit: int = INFINITE) -> Choice:
        """Return the best block of `size` seats in the run, whatever the limit."""
        costs = self._block_costs(run, size)
        cost = min(costs)
        first = run.first + costs.index(cost)
        return Choice(BLOCK + cost, range(first, first + size))

    def best_fitting_block(self, run: Run, size: int, limit: int = INFINITE, *, kinds: Kinds) -> Choice:
        """Return the best block of `size` seats in the run that fit together; NO_CHOICE if none does."""
        costs = enumerate(self._block_costs(run, size), run.first)
        blocks = (Choice(BLOCK + cost, range(first, first + size)) for first, cost in costs)
        return min((block for block in blocks if kinds.are_fit(block.seats)), default=NO_CHOICE, key=COST)

    def _block_costs(self, run: Run, size: int) -> list[int]:
        """Return the costs of all blocks of `size` seats in the run, from the left, without BLOCK."""
        first, last, bounded_left, bounded_right = run
        if size == last - first + 1:
            return [self._sums[last] - self._sums[first - 1]]
        costs = list(map(sub, self._ends[first + size - 1 : last + 1], self._starts[first : last - size + 2]))
        # The other half of a sofa at an end of the run is taken.
        costs[0] -= SPLIT_SOFA * self._right_halves[first]
        costs[-1] -= SPLIT_SOFA * self._left_halves[last]
        if bounded_left:
            costs[1] += STRANDED
        if bounded_right:
            costs[-2] += STRANDED
        return costs

    def gaps_may_help(self, run: Run, best_block: Choice, limit: int) -> bool:
        """Return whether several blocks in the run may be better than the best block, and cost no more than `limit`."""
        if best_block.cost < SPLIT_SOFA:
            return False
        # Several blocks are better only if they cost less for accessible seats and split sofas.
        size = len(best_block.seats)
        cheap = run.length - (self._sums[run.last] - self._sums[run.first - 1]) // ACCESSIBLE
        costly = max(0, size - cheap)
        only_sofas = run.length % 2 == 0 and all(self._left_halves[run.first : run.last : 2])
        floor = ACCESSIBLE * costly + SPLIT_SOFA * (only_sofas and size % 2)
        distance = (size - costly) * self.cheapest(run) if cheap else 0
        return best_block.cost >= floor + SPLIT_SOFA and floor + 2 * BLOCK + distance <= limit

    def best_with_gaps(self, run: Run, count: int) -> list[Choice]:
        """Return the best choices of 1 to `count` seats in the run, in one block or in several.

        Dynamic programming, seat by seat. A choice is one number: its cost, followed by one bit per seat.
        """
        first, last, bounded_left, bounded_right = run
        shift = run.length
        none = INFINITE << shift
        # The best choices so far by number of seats: the last seat is chosen; it is free beside a taken one; it is
        # free, but not beside a taken one.
        chosen, beside, free = ([none] * (count + 1) for _ in range(3))
        chosen[1] = (BLOCK + self._seats[first] << shift) + 1
        (beside if bounded_left else free)[0] = 0
        for seat in range(first + 1, last + 1):
            split = SPLIT_SOFA * self._right_halves[seat] << shift
            adjacent = (self._seats[seat] << shift) + (1 << seat - first)
            apart = adjacent + split + (BLOCK << shift)
            stranding = apart + (STRANDED << shift)
            longer = [
                min(one + adjacent, two + stranding, three + apart)
                for one, two, three in zip(chosen, beside, free, strict=True)
            ]
            free = list(map(min, beside, free))
            beside = [one + split for one in chosen]
            chosen = [none, *longer[:-1]]
        beside = [two + (STRANDED * bounded_right << shift) for two in beside]
        return [
            Choice(best >> shift, [seat for seat in range(first, last + 1) if best >> seat - first & 1])
            for best in list(map(min, chosen, beside, free))[1:]
        ]

    def best_of_kinds(self, run: Run, kinds: Kinds) -> dict[str, Choice]:
        """Return the best choices of seats in the run that fit together, by the kinds of the seats.

        As `best_with_gaps`, with the kinds of the chosen seats in place of their number.
        """
        first, last, bounded_left, bounded_right = run
        shift = run.length
        letter = kinds.letters[first - 1]
        chosen = {letter: (BLOCK + self._seats[first] << shift) + 1} if kinds.fit(letter) else {}
        beside, free = ({"": 0}, {}) if bounded_left else ({}, {"": 0})
        for seat in range(first + 1, last + 1):
            split = SPLIT_SOFA * self._right_halves[seat] << shift
            adjacent = (self._seats[seat] << shift) + (1 << seat - first)
            apart = adjacent + split + (BLOCK << shift)
            stranding = apart + (STRANDED << shift)
            letter = kinds.letters[seat - 1]
            longer: dict[str, int] = {}
            for choices, cost in ((chosen, adjacent), (beside, stranding), (free, apart)):
                for letters, best in choices.items():
                    more = kinds.join(letters, letter)
                    if more and (more not in longer or best + cost < longer[more]):
                        longer[more] = best + cost
            free = _cheapest(beside, free)
            beside = {letters: best + split for letters, best in chosen.items()}
            chosen = longer
        beside = {letters: best + (STRANDED * bounded_right << shift) for letters, best in beside.items()}
        return {
            letters: Choice(best >> shift, [seat for seat in range(first, last + 1) if best >> seat - first & 1])
            for letters, best in _cheapest(chosen, beside, free).items()
            if letters
        }


def _cheapest(*choices: dict[str, int]) -> dict[str, int]:
    """Return the cheapest choices of all kinds."""
    return {letters: min(some[letters] for some in choices if letters in some) for letters in {*chain(*choices)}}


class Candidate(NamedTuple):
    """A run with the cost of its cheapest seat and its length; `position` counts the runs, row by row."""

    cheapest: int
    position: int
    run: Run
    length: int


# Halls compare by identity, and each worker keeps the halls of its plans.
@lru_cache(maxsize=64)
def _costs(hall: Hall, accessible: bool) -> Costs:
    return Costs(hall, accessible=accessible)


def best_seats(
    hall: Hall,
    taken: Collection[int],
    count: int,
    *,
    split: bool = False,
    accessible: bool = False,
    kinds: Kinds | None = None,
) -> list[int] | None:
    """Return the best `count` free seats: side by side, stranding no seat if possible, near the middle.

    Sofas are not split and accessible seats are not taken as long as there is another choice. With `accessible`, as
    many accessible seats as possible are taken, and the result is None if it would have none.

    Returns None if `count` free seats are nowhere side by side. With `split`, the seats are then in as few blocks as
    possible, and the result is None only if fewer seats are free. Such a choice also comes before a block that splits
    a sofa or takes an accessible seat. With `kinds`, only seats that fit together are chosen.
    """
    if accessible and hall.accessible.issubset(taken):
        return None
    costs = _costs(hall, accessible)
    candidates = sorted(
        Candidate(costs.cheapest(run), position, run, run.length) for position, run in enumerate(_runs(hall, taken))
    )
    best_block = partial(costs.best_fitting_block, kinds=kinds) if kinds else costs.best_block
    together = _best_of_size(best_block, candidates, count, 1)
    best = together[0][1] if together else None
    if split and (best is None or best.cost >= SPLIT_SOFA):
        best = _best_of_kinds(costs, candidates, count, kinds) if kinds else _best_of_runs(costs, candidates, count)
    if best is None or (accessible and hall.accessible.isdisjoint(best.seats)):
        return None
    return list(best.seats)


def largest_block(hall: Hall, taken: Collection[int], kinds: Kinds | None = None) -> int:
    """Return the length of the longest block of free seats; with `kinds`, of seats that fit together."""
    runs = list(_runs(hall, taken))
    if kinds is None:
        return max((run.length for run in runs), default=0)
    size = 0
    for first, last, *_ in runs:
        while any(kinds.are_fit(range(seat, seat + size + 1)) for seat in range(first, last - size + 1)):
            size += 1
    return size


def nearest_block(hall: Hall, taken: Collection[int], wanted: Sequence[int]) -> list[int]:
    """Return the block of the same size that is nearest to the `wanted` seats, or [] if there is none.

    Blocks with another number of accessible seats come last, and before them blocks that split a sofa, unless the
    wanted seats split one.
    """
    size, partners = len(wanted), hall.partners
    seats = [hall.seat(number) for number in wanted]
    middle_x, middle_y = sum(seat.x for seat in seats), sum(seat.y for seat in seats)
    accessible = len(hall.accessible.intersection(wanted))
    may_split = any(number in partners and partners[number] not in wanted for number in wanted)

    def cost(run: Run, first: int) -> tuple[int, int, int]:
        last, seat = first + size - 1, hall.seats[first - 1]
        others = abs(len(hall.accessible.intersection(range(first, last + 1))) - accessible)
        left = partners.get(first) == first - 1 >= run.first
        right = partners.get(last) == last + 1 <= run.last
        # The squared distance of the centres, multiplied by the number of seats so that it is an integer.
        across = sum(range(seat.x, seat.x + size)) - middle_x
        along = size * seat.y - middle_y
        return others, 0 if may_split else left + right, across * across + along * along

    blocks = ((run, first) for run in _runs(hall, taken) for first in range(run.first, run.last - size + 2))
    nearest = min(blocks, default=None, key=lambda block: cost(*block))
    return list(range(nearest[1], nearest[1] + size)) if nearest else []


def _runs(hall: Hall, taken: Collection[int]) -> Iterator[Run]:
    """Yield all runs, row by row."""
    taken = sorted(set(taken))
    for block in hall.blocks:
        first = block.first
        for seat in (*taken[bisect_left(taken, first) : bisect_right(taken, block.last)], block.last + 1):
            if first < seat:
                yield Run(first, seat - 1, first > block.first, seat <= block.last)
            first = seat + 1


def _best_of_runs(costs: Costs, candidates: Sequence[Candidate], count: int) -> Choice | None:
    """Return the best choice of `count` seats over all runs, or None if they have fewer seats.

    Dynamic programming: for each number of seats up to `count`, the best choice among the runs so far.
    """
    best = [0, *[INFINITE] * count]
    seats: list[tuple[Sequence[int], ...]] = [()] * (count + 1)
    for choices in _choices_in_runs(costs, candidates, count):
        # From `count` downwards, so that each run is used once.
        for total in range(count, 0, -1):
            for cost, chosen in choices:
                rest = total - len(chosen)
                if rest >= 0 and best[rest] + cost < best[total]:
                    best[total] = best[rest] + cost
                    seats[total] = (*seats[rest], chosen)
    return Choice(best[count], list(chain.from_iterable(seats[count]))) if best[count] < INFINITE else None


def _best_of_kinds(costs: Costs, candidates: Sequence[Candidate], count: int, kinds: Kinds) -> Choice | None:
    """Return the best choice of `count` seats over all runs that fit together, or None if there is none.

    As `_best_of_runs`, with the kinds of the chosen seats in place of their number.
    """
    best = {"": Choice(0, ())}
    for choices in _choices_of_kinds(costs, candidates, count, kinds):
        so_far = list(best.items())
        for letters, (cost, chosen) in choices:
            for others, (cost_so_far, seats) in so_far:
                both = kinds.join(letters, others)
                if both and (both not in best or cost_so_far + cost < best[both].cost):
                    best[both] = Choice(cost_so_far + cost, (*seats, *chosen))
    return min((choice for choice in best.values() if len(choice.seats) == count), default=None, key=COST)


def _choices_of_kinds(
    costs: Costs, candidates: Sequence[Candidate], count: int, kinds: Kinds
) -> list[list[tuple[str, Choice]]]:
    """Return the choices in each run, with their kinds, as `_choices_in_runs` does."""
    of_kinds: dict[str, list[tuple[int, int, Choice]]] = {}
    for _, position, run, _ in candidates:
        for letters, choice in costs.best_of_kinds(run, kinds).items():
            of_kinds.setdefault(letters, []).append((choice.cost, position, choice))
    of_runs: dict[int, list[tuple[str, Choice]]] = {}
    for letters, found in of_kinds.items():
        for _, position, choice in nsmallest(count - len(letters) + 1, found):
            of_runs.setdefault(position, []).append((letters, choice))
    return [choices for _, choices in sorted(of_runs.items())]


def _choices_in_runs(costs: Costs, candidates: Sequence[Candidate], count: int) -> list[list[Choice]]:
    """Return the choices in each run, row by row, that the best choice of `count` seats can consist of."""

    @cache
    def with_gaps(run: Run) -> list[Choice]:
        return costs.best_with_gaps(run, min(run.length, count))

    def choose(run: Run, size: int, limit: int) -> Choice:
        block = costs.best_block(run, size)
        return with_gaps(run)[size - 1] if costs.gaps_may_help(run, block, limit) else block

    of_runs: dict[int, list[Choice]] = {}
    for size in range(1, count + 1):
        candidates = [candidate for candidate in candidates if candidate.length >= size]
        # If one run has `size` of the seats, all other seats are in at most `count - size` runs.
        for position, choice in _best_of_size(choose, candidates, size, count - size + 1):
            of_runs.setdefault(position, []).append(choice)
    return [choices for _, choices in sorted(of_runs.items())]


def _best_of_size(
    choose: Callable[[Run, int, int], Choice], candidates: Sequence[Candidate], size: int, number: int
) -> list[tuple[int, Choice]]:
    """Return the `number` best choices of `size` seats in one run each, with the positions of the runs.

    The candidates are in the order of their cheapest seats, so that only the first ones have to be computed.
    """
    best: list[tuple[int, int, Choice]] = []
    limit = INFINITE
    for cheapest, position, run, length in candidates:
        if BLOCK + size * cheapest > limit:
            break
        choice = choose(run, size, limit) if length >= size else NO_CHOICE
        if choice.cost < INFINITE:
            insort(best, (choice.cost, position, choice))
            if len(best) >= number:
                del best[number:]
                limit = best[-1][0]
    return [(position, choice) for _, position, choice in best]
