"""Which seats are best, on small halls drawn as text: "." is free, "x" is taken."""

from itertools import combinations, pairwise
from random import Random

import pytest

from booking.services.seating import best_seats, largest_block, nearest_block


def read(hall):
    """The arguments that stand for a drawn hall: all rows but the last are equally long."""
    rows = hall.split()
    seats = "".join(rows)
    return len(seats), len(rows[0]), [number for number, seat in enumerate(seats, start=1) if seat == "x"]


def drawn(hall, seats):
    """The hall with the seats marked "o", row by row."""
    text = "".join(hall.split())
    marked = "".join("o" if number in (seats or ()) else seat for number, seat in enumerate(text, start=1))
    width = len(hall.split()[0])
    return " ".join(marked[start : start + width] for start in range(0, len(marked), width))


@pytest.mark.parametrize(
    ("hall", "best"),
    [
        # The middle first, across and along.
        (".....", "..o.."),
        ("..... ..... .....", "..... ..o.. ....."),
        # The row in the middle is full, so the next one.
        ("..... xxxxx .....", "..o.. xxxxx ....."),
        # The shorter last row counts to the hall.
        ("..... ..... ..", "..... ..o.. .."),
        # A free seat beside a wall is not between two taken ones.
        (".x...", ".xo.."),
        # The middle would strand a seat; the place beside it does not.
        ("x...x", "xo..x"),
        # It can't be avoided.
        ("x..x", "xo.x"),
    ],
)
def test_one_seat(hall, best):
    assert drawn(hall, best_seats(*read(hall), 1)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        (".......", 3, "..ooo.."),
        # Two together before the middle.
        ("..... .x.x. .....", 2, ".oo.. .x.x. ....."),
        # Nobody sits in two rows.
        ("..x .xx ...", 3, "..x .xx ooo"),
        # The seats nearer to the middle would strand one.
        ("x.....x", 3, "xooo..x"),
        ("x....x ...... x....x", 4, "x....x .oooo. x....x"),
        (".. x. ..", 2, "oo x. .."),
        # No block is without a stranded seat, so the nearest.
        ("x...x..", 2, "x...xoo"),
        ("x...x", 2, "xoo.x"),
    ],
)
def test_seats_together(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count)) == best


@pytest.mark.parametrize(("hall", "count"), [("xxx", 1), ("..x..", 3), ("..", 3), (".. ..", 3), ("x.x", 2)])
def test_no_row_has_so_many_side_by_side(hall, count):
    assert best_seats(*read(hall), count) is None


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        # Together where that can be.
        ("... xx. ...", 3, "ooo xx. ..."),
        # As few blocks as can be.
        (".x.x ..x. x.x.", 3, ".xox oox. x.x."),
        # Two and two strand nobody, three and one would.
        ("x...x..x..x", 4, "x...xooxoox"),
        # The blocks of two near the middle.
        ("..x.. ..x.. ..x..", 4, "..x.. ooxoo ..x.."),
        (".x.x.", 3, "oxoxo"),
    ],
)
def test_seats_apart(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, split=True)) == best


def test_seats_apart_need_as_many_free_seats():
    assert best_seats(*read(".x. x.x"), 4, split=True) is None
    assert best_seats(*read("xx"), 1, split=True) is None


@pytest.mark.parametrize(("hall", "size"), [("xxx", 0), ("x.x", 1), (".. ..", 2), (".... x...", 4), ("", 0)])
def test_the_largest_block(hall, size):
    assert largest_block(*(read(hall) if hall else (0, 1, []))) == size


@pytest.mark.parametrize(
    ("hall", "wanted", "nearest"),
    [
        ("x....", [1], "xo..."),
        ("xx...", [1, 2], "xxoo."),
        ("..... .xx.. .....", [7, 8], ".oo.. .xx.. ....."),
        (".. xx ..", [3, 4], "oo xx .."),
        # Those that were wanted and are free can be part of it.
        ("..x.. .....", [2, 3], "oox.. ....."),
        ("x.x.x", [1, 2], "x.x.x"),
    ],
)
def test_the_nearest_block(hall, wanted, nearest):
    assert drawn(hall, nearest_block(*read(hall), wanted)) == nearest


# --- Against every choice there is ------------------------------------------------------------


def value(total, width, taken, seats):
    """What makes a choice good, as plainly as can be: blocks, stranded seats, distance from the middle."""
    rows = -(-total // width)
    blocks = 1 + sum(b != a + 1 or a % width == 0 for a, b in pairwise(seats))

    def stranded(full):
        return {
            seat
            for seat in range(1, total + 1)
            if seat not in full and seat % width not in (0, 1) and {seat - 1, seat + 1} <= full
        }

    left_alone = len(stranded(set(taken) | set(seats)) - stranded(set(taken)))
    middle = sum(
        (2 * ((seat - 1) // width) - (rows - 1)) ** 2 + (2 * ((seat - 1) % width) - (width - 1)) ** 2 for seat in seats
    )
    return blocks, left_alone, middle


def some_halls(number):
    luck = Random(5)
    for _ in range(number):
        width, total, count = luck.randint(1, 7), luck.randint(1, 16), luck.randint(1, 4)
        taken = [seat for seat in range(1, total + 1) if luck.random() < luck.choice((0.2, 0.5, 0.8))]
        yield total, width, taken, count


@pytest.mark.parametrize("split", [False, True])
def test_no_choice_is_better(split):
    for total, width, taken, count in some_halls(400):
        free = [seat for seat in range(1, total + 1) if seat not in taken]
        values = [value(total, width, taken, seats) for seats in combinations(free, count)]
        found = best_seats(total, width, taken, count, split=split)
        possible = [one for one in values if split or one[0] == 1]
        assert (value(total, width, taken, found) if found else None) == min(possible, default=None)
        assert largest_block(total, width, taken) >= count or found is None or split
