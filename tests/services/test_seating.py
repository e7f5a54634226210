"""The choice of the best seats, in small halls drawn as text.

S is a seat, L one half of a sofa, W a wheelchair space, a dot a gap. Small letters are taken, "o" are the seats found.
"""

from functools import partial
from itertools import combinations, permutations
from random import Random

import pytest

from booking.models.layouts import parse, read_layout
from booking.services.seats.seating import Kinds, best_seats, largest_block, nearest_block


def read(drawing):
    """Return the hall and the taken seats."""
    seats = filter(str.isalpha, drawing)
    hall = parse(str(read_layout(drawing.upper().replace(" ", "\n"))), accessible="WV", paired="LV")
    return hall, [number for number, seat in enumerate(seats, start=1) if seat.islower()]


def drawn(drawing, seats):
    """Return the drawing with the seats marked "o"."""
    numbers = iter(range(1, len(drawing) + 1))
    return "".join("o" if cell.isalpha() and next(numbers) in (seats or ()) else cell for cell in drawing)


@pytest.mark.parametrize(
    ("hall", "best"),
    [
        # The middle comes first in both directions.
        ("SSSSS", "SSoSS"),
        ("SSSSS SSSSS SSSSS", "SSSSS SSoSS SSSSS"),
        # The row in the middle is full, so the next one.
        ("SSSSS sssss SSSSS", "SSoSS sssss SSSSS"),
        # The shorter last row counts to the hall.
        ("SSSSS SSSSS SS", "SSSSS SSoSS SS"),
        # A free seat at the end of the row is not between two taken ones.
        ("SsSSS", "SsoSS"),
        # The middle would strand a seat; the place beside it does not.
        ("sSSSs", "soSSs"),
        # A stranded seat can't be avoided.
        ("sSSs", "soSs"),
    ],
)
def test_one_seat(hall, best):
    assert drawn(hall, best_seats(*read(hall), 1)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        ("SSSSSSS", 3, "SSoooSS"),
        # Two adjacent seats are better than the middle.
        ("SSSSS SsSsS SSSSS", 2, "SooSS SsSsS SSSSS"),
        # Adjacent seats are in one row.
        ("SSs Sss SSS", 3, "SSs Sss ooo"),
        # The seats nearer to the middle would strand one.
        ("sSSSSSs", 3, "soooSSs"),
        ("sSSSSs SSSSSS sSSSSs", 4, "sSSSSs SooooS sSSSSs"),
        ("SS sS SS", 2, "oo sS SS"),
        # Every block strands a seat, so the nearest is chosen.
        ("sSSSsSS", 2, "sSSSsoo"),
        ("sSSSs", 2, "sooSs"),
    ],
)
def test_adjacent_seats(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count)) == best


@pytest.mark.parametrize(("hall", "count"), [("sss", 1), ("SSsSS", 3), ("SS", 3), ("SS SS", 3), ("sSs", 2)])
def test_too_few_adjacent_seats(hall, count):
    assert best_seats(*read(hall), count) is None


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        # In one block if possible.
        ("SSS ssS SSS", 3, "ooo ssS SSS"),
        # As few blocks as possible.
        ("SsSs SSsS sSsS", 3, "Ssos oosS sSsS"),
        # Two and two strand nobody, three and one would.
        ("sSSSsSSsSSs", 4, "sSSSsoosoos"),
        # The blocks of two near the middle.
        ("SSsSS SSsSS SSsSS", 4, "SSsSS oosoo SSsSS"),
        ("SsSsS", 3, "ososo"),
    ],
)
def test_split_seats(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, split=True)) == best


def test_split_seats_need_enough_free_seats():
    assert best_seats(*read("SsS sSs"), 4, split=True) is None
    assert best_seats(*read("ss"), 1, split=True) is None


@pytest.mark.parametrize(("hall", "size"), [("sss", 0), ("sSs", 1), ("SS SS", 2), ("SSSS sSSS", 4)])
def test_the_largest_block(hall, size):
    assert largest_block(*read(hall)) == size


@pytest.mark.parametrize(
    ("hall", "wanted", "nearest"),
    [
        ("sSSSS", [1], "soSSS"),
        ("ssSSS", [1, 2], "ssooS"),
        ("SSSSS SssSS SSSSS", [7, 8], "SooSS SssSS SSSSS"),
        ("SS ss SS", [3, 4], "oo ss SS"),
        # Requested seats that are free can be part of it.
        ("SSsSS SSSSS", [2, 3], "oosSS SSSSS"),
        ("sSsSs", [1, 2], "sSsSs"),
    ],
)
def test_the_nearest_block(hall, wanted, nearest):
    assert drawn(hall, nearest_block(*read(hall), wanted)) == nearest


# --- Gaps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        # Seats on either side of an aisle are not neighbours.
        ("SSS.SSS", 3, "ooo.SSS"),
        ("SS.SS SSS.S", 3, "SS.SS ooo.S"),
        # A free seat beside an aisle is not between two taken ones.
        ("sSSS.SSSs", 1, "sSSo.SSSs"),
        ("sSSS.SSSSSSSs", 2, "sSSS.ooSSSSSs"),
        # The middle is that of the drawing, with its gaps.
        ("SS......SSSS", 1, "SS......oSSS"),
        ("..SSS SSSSS", 1, "..oSS SSSSS"),
        # A line without seats, such as stairs, counts too.
        ("S . . S S", 1, "S . . o S"),
        ("SSS . . SSS SSS", 2, "SSS . . ooS SSS"),
        # The row with the nearest seat is not the best one.
        ("SSSSSSSSS . ssssssSSS . . . s", 3, "SSSoooSSS . ssssssSSS . . . s"),
    ],
)
def test_seats_near_gaps(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count)) == best


def test_a_gap_ends_a_block():
    assert best_seats(*read("SS.SS . SS"), 3) is None
    assert drawn("SS.SS", best_seats(*read("SS.SS"), 3, split=True)) == "oo.oS"
    assert largest_block(*read("SS.SSS . SsSS")) == 3


# --- Sofas ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        # One half is taken only if nothing else is free.
        ("LLLL SLLL", 1, "LLLL oLLL"),
        ("LLLL", 1, "LoLL"),
        # If the other half is taken, a half is a seat like any other.
        ("lLLL", 1, "loLL"),
        ("SSlLSSS", 2, "SSlooSS"),
        # The third seat of three is not half of a sofa.
        ("LLLSS", 2, "LLooS"),
        # Two customers get one sofa, not halves of two.
        ("SLLLLS", 2, "SooLLS"),
        # A stranded seat is better than a split sofa.
        ("sSLLSs", 3, "soooSs"),
        # No block of four leaves both sofas whole.
        ("LLSLL", 4, "ooooL"),
    ],
)
def test_a_sofa_is_not_split(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        ("LLLL SlL", 3, "ooLL Slo"),
        # Two blocks in one run, which strand a seat.
        ("LLSLL", 4, "ooSoo"),
        # Each choice splits one sofa, so a block.
        ("LLLL", 3, "oooL"),
    ],
)
def test_split_seats_do_not_split_a_sofa(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, split=True)) == best


# --- Accessible seats -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        # Near the middle or stranding no seat doesn't matter.
        ("SSWWS", 2, "ooWWS"),
        ("WWWsSs WW", 1, "WWWsos WW"),
        # A sofa is split first.
        ("sWs LL", 1, "sWs Lo"),
        # As few as possible.
        ("SSWWS", 3, "oooWS"),
        # V is one half of a sofa with wheelchair spaces.
        ("VV.SS", 1, "VV.oS"),
        ("VVV", 1, "VVo"),
    ],
)
def test_accessible_seats_are_the_last_choice(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        ("SSWWS", 3, "ooWWo"),
        ("SSWSS", 4, "ooWoo"),
        ("SSWSS", 5, "ooooo"),
        # The seats nearer to the middle would strand one.
        ("sSSWWSSSs", 4, "soSWWooos"),
        ("sSSSWWSSs", 4, "soooWWSos"),
    ],
)
def test_split_seats_are_better_than_accessible_seats(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, split=True)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        ("SSSSS WWSSS", 1, "SSSSS WoSSS"),
        ("SSSSS WWSSS", 3, "SSSSS oooSS"),
        ("SSSSS wWSSS", 3, "SSSSS woooS"),
        ("WSSSW", 2, "ooSSW"),
        # None is free, there is none, or none has a free neighbour.
        ("SSSSS wwSSS", 1, "SSSSS wwSSS"),
        ("SSSS", 1, "SSSS"),
        ("SSS.W SSSS", 2, "SSS.W SSSS"),
    ],
)
def test_requested_accessible_seats(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, accessible=True)) == best


@pytest.mark.parametrize(
    ("hall", "count", "best"),
    [
        ("SSS.W SSSS", 2, "SSo.o SSSS"),
        ("WWSSWW W", 5, "ooSSoo o"),
        ("SSSS ww", 1, "SSSS ww"),
    ],
)
def test_split_accessible_seats(hall, count, best):
    assert drawn(hall, best_seats(*read(hall), count, split=True, accessible=True)) == best


@pytest.mark.parametrize(
    ("hall", "wanted", "nearest"),
    [
        # Nearness is that of the drawing, not of the seat numbers.
        ("SS.s . SSSSS", [3], "So.s . SSSSS"),
        ("s . . S.... ......S", [1], "s . . o.... ......S"),
        ("SSss.SS SSSS", [3, 4], "SSss.SS SSoo"),
        # No sofa is split, unless the wanted seat is one half itself.
        ("sLLSSS", [1], "sLLoSS"),
        ("SLlLLLSS", [3], "SolLLLSS"),
        ("LLLLLS", [2], "LoLLLS"),
        ("LLllS SLLS", [3, 4], "LLllS SooS"),
        # If the other half is taken, a half is a seat like any other.
        ("ssslLSSS", [3], "sssloSSS"),
        ("SSSLlsss", [6], "SSSolsss"),
        # Accessible seats only for accessible seats.
        ("sWSS", [1], "sWoS"),
        ("wSSW", [1], "wSSo"),
        ("sWW", [1], "soW"),
        ("SWw.SW.WSWW", [2, 3], "SWw.SW.WSoo"),
        # A sofa is split first.
        ("sWLL", [1], "sWoL"),
    ],
)
def test_the_nearest_block_in_a_drawn_hall(hall, wanted, nearest):
    assert drawn(hall, nearest_block(*read(hall), wanted)) == nearest


# --- Against every choice there is ------------------------------------------------------------


def neighbours(hall, number):
    """Return the seats beside this one, by their positions."""
    here = hall.seat(number)
    return {seat.number for seat in hall.seats if seat.y == here.y and abs(seat.x - here.x) == 1}


def stranded(hall, full):
    free = {seat.number for seat in hall.seats} - full
    return {number for number in free if len(neighbours(hall, number) & full) == 2}


def split_sofas(hall, taken, seats):
    return sum(number in hall.partners and hall.partners[number] not in {*taken, *seats} for number in seats)


def value(hall, taken, seats, accessible):
    """Return the criteria for a choice, the most important one first."""
    seats = set(seats)
    costly = sum((number in hall.accessible) != accessible for number in seats)
    blocks = sum(number - 1 not in neighbours(hall, number) & seats for number in seats)
    left_alone = len(stranded(hall, seats | set(taken)) - stranded(hall, set(taken)))
    places = [hall.seat(number) for number in seats]
    middle = sum((2 * seat.y - hall.height + 1) ** 2 + (2 * seat.x - hall.width + 1) ** 2 for seat in places)
    return costly, split_sofas(hall, taken, seats), blocks, left_alone, middle


def difference(hall, taken, seats, wanted):
    """Return the criteria for alternatives to the wanted seats, the most important one first."""
    others = abs(len(hall.accessible.intersection(seats)) - len(hall.accessible.intersection(wanted)))
    splits = 0 if split_sofas(hall, (), wanted) else split_sofas(hall, taken, seats)
    pairs = [(hall.seat(one), hall.seat(two)) for one, two in zip(seats, wanted, strict=True)]
    return others, splits, sum(one.x - two.x for one, two in pairs) ** 2 + sum(one.y - two.y for one, two in pairs) ** 2


def some_halls(number):
    """Drawn halls of up to 12 seats with aisles, stairs, sofas and accessible seats, and a number of seats."""
    luck = Random(5)
    for _ in range(number):
        kinds, share = luck.choice(("S", "SSSW", "LLLLS", "SSLLW", "VVWLS")), luck.choice((0, 0.2, 0.5, 0.8))
        sizes = luck.choice(((12,), (6, 6), (5, 2, 5), (4, 4, 4), (3, 3, 3, 3), (1, 5, 1), (3,)))
        rows = ["".join("." * (luck.random() < 0.1) + luck.choice(kinds) for _ in range(size)) for size in sizes]
        drawing = luck.choice((" ", " ", " . ")).join(rows)
        yield "".join(cell.lower() if luck.random() < share else cell for cell in drawing), luck.randint(1, 4)


@pytest.mark.parametrize("accessible", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_the_choice_is_optimal(split, accessible):
    for drawing, count in some_halls(200):
        hall, taken = read(drawing)
        free = [seat.number for seat in hall.seats if seat.number not in taken]
        values = {seats: value(hall, taken, seats, accessible) for seats in combinations(free, count)}
        best = min((one for one in values.values() if split or one[2] == 1), default=None)
        # The first number counts the seats that are not accessible.
        expected = None if best and accessible and best[0] == count else best
        found = best_seats(hall, taken, count, split=split, accessible=accessible)
        assert (values[tuple(found)] if found else None) == expected, drawing


def are_sold_as(letters, types):
    """Return whether the seats are sold as a type each; a type is the kinds of seats that are sold as it."""
    return any(all(map(str.__contains__, some, letters)) for some in permutations(types, len(letters)))


@pytest.mark.parametrize("accessible", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_the_choice_among_seats_of_kinds_that_fit_together_is_optimal(split, accessible):
    luck = Random(7)
    for drawing, count in some_halls(200):
        hall, taken = read(drawing)
        types = [luck.choice(["A", "B", "C", "AB", "BC", "ABC"]) for _ in range(count)]
        kinds = Kinds("".join(luck.choices("ABC", k=hall.total_seats)), partial(are_sold_as, types=types))
        free = [seat.number for seat in hall.seats if seat.number not in taken]
        values = {
            seats: value(hall, taken, seats, accessible)
            for seats in combinations(free, count)
            if are_sold_as([kinds.letters[number - 1] for number in seats], types)
        }
        best = min((one for one in values.values() if split or one[2] == 1), default=None)
        expected = None if best and accessible and best[0] == count else best
        found = best_seats(hall, taken, count, split=split, accessible=accessible, kinds=kinds)
        assert (values[tuple(found)] if found else None) == expected, (drawing, kinds.letters, types)


def test_the_nearest_block_is_optimal():
    for drawing, count in some_halls(300):
        hall, taken = read(drawing)
        wanted = range(1, hall.total_seats + 1)[:: count + 1][:count]
        starts = range(1, hall.total_seats - len(wanted) + 2)
        blocks = [tuple(range(first, first + len(wanted))) for first in starts]
        blocks = [seats for seats in blocks if value(hall, taken, seats, False)[2] == 1 and not {*seats} & {*taken}]
        differences = {seats: difference(hall, taken, seats, wanted) for seats in blocks}
        found = nearest_block(hall, taken, wanted)
        assert (differences[tuple(found)] if found else None) == min(differences.values(), default=None), drawing


def test_the_largest_block_is_available():
    for drawing, _ in some_halls(300):
        hall, taken = read(drawing)
        size = largest_block(hall, taken)
        assert size == 0 or best_seats(hall, taken, size) is not None, drawing
        assert best_seats(hall, taken, size + 1) is None, drawing


def test_the_largest_block_of_kinds_that_fit_together_is_available():
    luck = Random(9)
    for drawing, count in some_halls(300):
        hall, taken = read(drawing)
        types = luck.choices(["A", "B", "AB"], k=count)
        kinds = Kinds("".join(luck.choices("AB", k=hall.total_seats)), partial(are_sold_as, types=types))
        size = largest_block(hall, taken, kinds)
        assert size == 0 or best_seats(hall, taken, size, kinds=kinds) is not None, drawing
        assert best_seats(hall, taken, size + 1, kinds=kinds) is None, drawing
