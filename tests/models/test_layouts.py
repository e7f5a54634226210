"""Seat plans as text: their errors and positions, and the hall that a text describes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.models.layouts import LayoutError, changed_labels, full_rows, parse, read_layout, row_label
from tests.hostile import bounded


def hall_of(text, **codes):
    return parse(str(read_layout(text)), **codes)


def labels(hall):
    return " ".join(seat.label for seat in hall.seats)


# --- The canonical form -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("A SS", "A SS"),
        # Rows without a label get one by their position.
        ("SS\nSS", "A SS\nB SS"),
        ("SS\n\nSS", "A SS\n\nB SS"),
        ("X SS\nSS", "X SS\nB SS"),
        # Labels are in upper case; categories are as they are written.
        ("a1 Ss", "A1 Ss"),
        # Surrounding space and gaps to the right of the last seat are ignored.
        ("  A\t\tSS  \r\n B  S.S..\r\n", "A SS\nB S.S"),
        # So are gaps to the left of all seats, and lines without seats before the first and after the last row.
        ("\n...\nA ..SS\nB .S.S\n..\n", "A .SS\nB S.S"),
        # Between rows, such a line is a gap.
        ("A S\n\n   \n....\nB S", "A S\n\n\n\nB S"),
    ],
)
def test_the_canonical_form(text, canonical):
    assert str(read_layout(text)) == canonical


CELLS = st.text("SLW.", min_size=1, max_size=12)
LABELS = st.text("ABZ019", min_size=1, max_size=3)
ROWS = st.lists(
    st.tuples(LABELS, CELLS) | st.just(("", "")), min_size=1, max_size=8, unique_by=lambda row: row[0] or object()
)


@given(ROWS)
@bounded(200)
def test_seats_are_where_they_are_drawn(rows):
    drawn = [(label, cells) for label, cells in rows if cells.strip(".")]
    text = "\n".join(f"{label} {cells}" if cells.strip(".") else "." for label, cells in rows)
    if not drawn:
        with pytest.raises(LayoutError):
            read_layout(text)
        return
    hall = hall_of(text)
    lines = [cells if cells.strip(".") else "" for _, cells in rows]
    top = next(y for y, cells in enumerate(lines) if cells)
    left = min(len(cells) - len(cells.lstrip(".")) for cells in lines if cells)
    assert [(seat.x, seat.y, seat.category) for seat in hall.seats] == [
        (x - left, y - top, cell) for y, cells in enumerate(lines) for x, cell in enumerate(cells) if cell != "."
    ]
    assert [seat.row for seat in hall.seats] == [label for label, cells in drawn for cell in cells if cell != "."]


@given(ROWS)
@bounded(200)
def test_equal_halls_have_equal_texts(rows):
    text = "\n".join(f"{label} S{cells}" if label else "" for label, cells in [("X", ""), *rows])
    canonical, hall = str(read_layout(text)), hall_of(text)
    assert str(read_layout(canonical)) == canonical
    assert parse(canonical).seats == hall.seats
    with_space = "\n\n" + "\n".join(f"\t{line.replace(' ', ' ..')}.. " for line in text.split("\n"))
    assert str(read_layout(with_space)) == canonical


@given(ROWS)
@bounded(200)
def test_labels_are_unique(rows):
    hall = hall_of("\n".join(f"{label} S{cells}" if label else "" for label, cells in [("X", ""), *rows]))
    assert [hall.seat_number(seat.label) for seat in hall.seats] == list(range(1, hall.total_seats + 1))


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "The hall has no seat."),
        (" \n...\n", 1, 1, "The hall has no seat."),
        ("A SS\nB ...", 2, 1, "Row B has no seat."),
        ("A SS\n\nB SSX", 3, 5, "There is no seat category 'X'; there are L, S."),
        ("A SS\n  ..s", 2, 5, "There is no seat category 's'; there are L, S."),
        ("A SS\nB S1S", 2, 4, "'1' is neither a category's letter nor a gap ('.')."),
        ("A SÄ", 1, 4, "'Ä' is neither a category's letter nor a gap ('.')."),
        ("A S\0", 1, 4, r"'\x00' is neither a category's letter nor a gap ('.')."),
        ("A SS\n\nB SS\na SS", 4, 1, "Row label A is used twice; line 1 has it, too."),
        ("A S S", 1, 5, "A row is a label and its seats; a gap is written as '.', not as a space."),
        ("   S  S S S", 1, 9, "A row is a label and its seats; a gap is written as '.', not as a space."),
        ("ABCDE SS", 1, 1, "A row label has 1 to 4 letters (A to Z) or digits."),
        (" A- SS", 1, 2, "A row label has 1 to 4 letters (A to Z) or digits."),
        # Its upper-case form is SS.
        ("ß SS", 1, 1, "A row label has 1 to 4 letters (A to Z) or digits."),
        ("S\n" * 101, 101, 1, "A hall has at most 100 rows."),
        ("\n.\nS" + "\n" * 199 + "S\nS", 203, 1, "A hall is at most 200 lines high, with the gaps between its rows."),
        ("A " + "S" * 101, 1, 103, "A row has at most 100 seats."),
        (" A .SSS." + "SS." * 49 + "S", 1, 154, "A row has at most 100 seats."),
        ("A " + "." * 200 + "S", 1, 203, "A row is at most 200 seats and gaps wide."),
        (("S" * 100 + "\n") * 50 + "S", 51, 1, "A hall has at most 5000 seats."),
        (" " * 50_000 + "S", 1, 1, "A seat plan has at most 50000 characters."),
    ],
)
def test_an_invalid_layout_is_refused(text, line, column, message):
    with pytest.raises(LayoutError) as refusal:
        read_layout(text, {"S", "L"})
    error = refusal.value
    assert (error.line, error.column, error.message) == (line, column, message)
    assert str(error) == f"Line {line}, column {column}: {message}"


def test_a_category_of_a_service_without_categories():
    with pytest.raises(LayoutError, match="there are none"):
        read_layout("S", ())


@pytest.mark.parametrize(
    ("text", "width", "height", "seats"),
    [
        ("S\n" * 100, 1, 100, 100),
        (("S" * 100 + "\n") * 50, 100, 50, 5000),
        ("S" + "\n" * 199 + "S", 1, 200, 2),
        ("A S" + "." * 198 + "S", 200, 1, 2),
    ],
)
def test_the_largest_halls(text, width, height, seats):
    hall = hall_of(text)
    assert (hall.width, hall.height, hall.total_seats) == (width, height, seats)


# --- Seats and labels -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SS.S\n\nS", "A1 A2 A3 B1"),
        ("AA SS\nR S", "AA1 AA2 R1"),
        # 1 and 12 would otherwise be like 11 and 2.
        ("1 SS\n11 S", "1-1 1-2 11-1"),
        ("A1 S\nA S\n1A S", "A1-1 A1 1A1"),
    ],
)
def test_labels(text, expected):
    assert labels(hall_of(text)) == expected


def test_the_seat_of_a_label_or_number():
    hall = hall_of("SS\nSS")
    assert (hall.seat_number("B1"), hall.label(3), hall.seat(3).label) == (3, "B1", "B1")
    assert [hall.has_seat(number) for number in (0, 1, 4, 5)] == [False, True, True, False]


def test_a_seat_that_does_not_exist():
    hall = hall_of("SS\nSS")
    assert hall.label(5) == "number 5"
    with pytest.raises(IndexError):
        hall.seat(0)
    with pytest.raises(ValueError, match="C1"):
        hall.seat_number("C1")


@pytest.mark.parametrize(
    ("index", "label"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")]
)
def test_the_label_of_a_row(index, label):
    assert row_label(index) == label


@pytest.mark.parametrize(
    ("total", "width", "layout"), [(6, 3, "A SSS\nB SSS"), (4, 3, "A SSS\nB S"), (2, 3, "A SS"), (2, 1, "A S\nB S")]
)
def test_full_rows(total, width, layout):
    assert full_rows(total, width, "S") == layout == str(read_layout(layout))


def test_seats_with_another_label_in_the_new_hall():
    old, new = hall_of("SSS\nSS"), hall_of("SSS.S\nSS")
    assert changed_labels([1, 3, 4, 5], old, new) == [4, 5]
    assert changed_labels([3, 5], old, hall_of("SSS\nS")) == [5]


# --- Rows, blocks, categories, sofas ----------------------------------------------------------


def test_rows():
    hall = hall_of("SS\n\nS.S")
    assert [[seat.number for seat in row] for row in hall.rows] == [[1, 2], [3, 4]]


def test_blocks_end_at_gaps_and_at_the_end_of_a_row():
    hall = hall_of("SS..S\n\n.SSS")
    assert [(block.first, block.last, block.x, block.y) for block in hall.blocks] == [
        (1, 2, 0, 0),
        (3, 3, 4, 0),
        (4, 6, 1, 2),
    ]


def test_categories():
    hall = hall_of("SSW\nWLL", accessible="WX")
    assert hall.categories == {"S", "W", "L"}
    assert hall.accessible == {3, 4}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("LLLL", {(1, 2), (3, 4)}),
        # The third of three has no other half.
        ("LLLS", {(1, 2)}),
        # Not across gaps, rows or categories.
        ("L.L\nLSL", set()),
        ("LPPL", {(2, 3)}),
        ("LPP", {(2, 3)}),
    ],
)
def test_sofas_are_pairs_from_the_left(text, pairs):
    partners = hall_of(text, paired="LP").partners
    assert partners == {one: other for pair in pairs for one, other in (pair, pair[::-1])}
