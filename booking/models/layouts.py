"""The text of a seat plan and the hall that it describes, without database access.

A layout has one line per row, from the screen backwards: an optional row label, then one character per seat width,
which is the code of a seat category or a gap. A line without seats is a gap between rows:

    A ..SSSS..SSSS
    B SSSSSS..SSSSSS

    C LLLLLL..WWSSSS

Seats are numbered from 1, row by row, without the gaps. Rows without a label get A, B, … by their position.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

GAP = "."
MAX_ROWS = 100
MAX_SEATS_PER_ROW = 100
# Including gaps.
MAX_WIDTH = 200
MAX_HEIGHT = 200
MAX_SEATS = 5_000
# Of the text; more than the largest hall needs.
MAX_LENGTH = 50_000
ROW_LABEL = re.compile(r"[A-Za-z0-9]{1,4}")


class LayoutError(ValueError):
    """The text is not a layout; line and column count from 1."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat; x and y are its column and line in the drawing, from 0."""

    number: int
    label: str
    row: str
    x: int
    y: int
    category: str


@dataclass(frozen=True)
class Block:
    """Adjacent seats `first` to `last`, between gaps or the ends of the row; x and y are the position of the first."""

    first: int
    last: int
    x: int
    y: int


# Halls compare by identity: a hash of up to 5,000 seats would cost more than what is cached by hall.
@dataclass(frozen=True, eq=False)
class Hall:
    """A parsed layout, with the codes of the categories whose seats are accessible or sold in pairs."""

    seats: tuple[Seat, ...]
    accessible_codes: frozenset[str] = frozenset()
    paired_codes: frozenset[str] = frozenset()

    @property
    def total_seats(self) -> int:
        return len(self.seats)

    @cached_property
    def width(self) -> int:
        return max(seat.x for seat in self.seats) + 1

    @cached_property
    def height(self) -> int:
        """The number of lines, including those without seats."""
        return self.seats[-1].y + 1

    @cached_property
    def rows(self) -> tuple[tuple[Seat, ...], ...]:
        """The seats of each row, from the screen backwards."""
        rows: dict[int, list[Seat]] = {}
        for seat in self.seats:
            rows.setdefault(seat.y, []).append(seat)
        return tuple(map(tuple, rows.values()))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All maximal blocks of adjacent seats, in the order of the seat numbers."""
        blocks: list[Block] = []
        first = self.seats[0]
        for seat, following in zip(self.seats, (*self.seats[1:], None), strict=True):
            if following is None or (following.y, following.x) != (seat.y, seat.x + 1):
                blocks.append(Block(first.number, seat.number, first.x, first.y))
                first = following or first
        return tuple(blocks)

    @cached_property
    def categories(self) -> frozenset[str]:
        """The codes of the categories that occur."""
        return frozenset(seat.category for seat in self.seats)

    @cached_property
    def accessible(self) -> frozenset[int]:
        """The numbers of the accessible seats."""
        return frozenset(seat.number for seat in self.seats if seat.category in self.accessible_codes)

    @cached_property
    def partners(self) -> dict[int, int]:
        """For each half of a sofa the number of its other half. Adjacent seats of a category pair up from the left."""
        partners: dict[int, int] = {}
        for block in self.blocks:
            number = block.first
            while number < block.last:
                code = self.seats[number - 1].category
                if code in self.paired_codes and code == self.seats[number].category:
                    partners[number], partners[number + 1] = number + 1, number
                    number += 1
                number += 1
        return partners

    @cached_property
    def _by_label(self) -> dict[str, int]:
        return {seat.label: seat.number for seat in self.seats}

    def has_seat(self, number: int) -> bool:
        return 1 <= number <= len(self.seats)

    def seat(self, number: int) -> Seat:
        """Return the seat. Raises IndexError if the hall has no such seat."""
        if not self.has_seat(number):
            raise IndexError(number)
        return self.seats[number - 1]

    def represent(self, seat: Seat) -> dict[str, Any]:
        """Return the seat as the API and the plan editor show it."""
        return {
            "seat_number": seat.number,
            "label": seat.label,
            "row": seat.row,
            "x": seat.x,
            "y": seat.y,
            "category": seat.category,
            "accessible": seat.number in self.accessible,
        }

    def label(self, number: int) -> str:
        """Return the seat's label. A number outside the hall is returned as it is, for old rows and error messages."""
        return self.seats[number - 1].label if self.has_seat(number) else f"number {number}"

    def seat_number(self, label: str) -> int:
        """Return the number of the seat with this label. Raises ValueError if there is none."""
        try:
            return self._by_label[label]
        except KeyError:
            raise ValueError(label) from None


def row_label(index: int) -> str:
    """Return the label of a row without its own: 0 is A; rows are A…Z, AA, AB…"""
    letters = ""
    while index >= 0:
        index, letter = divmod(index, 26)
        letters = chr(ord("A") + letter) + letters
        index -= 1
    return letters


def full_rows(total_seats: int, seats_per_row: int, category: str) -> str:
    """Return the layout of a hall without gaps; the last row may be shorter."""
    lines = []
    for index, first in enumerate(range(0, total_seats, seats_per_row)):
        lines.append(f"{row_label(index)} {category * min(seats_per_row, total_seats - first)}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a layout's text, with the column where its cells begin; both count from 1.

    A line without cells is a gap between rows.
    """

    number: int
    column: int
    label: str
    cells: str


@dataclass(frozen=True)
class Layout:
    """A text that was read: its lines, and the number of gaps that all rows have on their left."""

    lines: tuple[Line, ...]
    margin: int

    @property
    def rows(self) -> list[Line]:
        return [line for line in self.lines if line.cells]

    def __str__(self) -> str:
        """Return the canonical form, in which equal halls have equal texts and every row has its label."""
        # Gaps that are left of all seats would move the middle of the drawing.
        return "\n".join(f"{line.label} {line.cells[self.margin :]}".strip() for line in self.lines).strip("\n")


def read_layout(text: str, codes: Collection[str] | None = None) -> Layout:
    """Read a layout. Raises LayoutError. With `codes`, only these categories are allowed."""
    if len(text) > MAX_LENGTH:
        raise LayoutError(f"A seat plan has at most {MAX_LENGTH} characters.", 1)
    used: dict[str, int] = {}
    lines: list[Line] = []
    total = 0
    for number, line in enumerate(text.splitlines(), start=1):
        label, cells, column = _split(line, number)
        _check_cells(cells, codes, number, column)
        total += len(cells) - cells.count(GAP)
        _check_size(cells, used, total, number, column)
        if not cells.strip(GAP):
            if label:
                raise LayoutError(f"Row {label} has no seat.", number)
            lines.append(Line(number, column, "", ""))
            continue
        label = label or row_label(len(used))
        if label in used:
            raise LayoutError(f"Row label {label} is used twice; line {used[label]} has it, too.", number)
        used[label] = number
        lines.append(Line(number, column, label, cells.rstrip(GAP)))
    if not used:
        raise LayoutError("The hall has no seat.", 1)
    margin = min(len(line.cells) - len(line.cells.lstrip(GAP)) for line in lines if line.cells)
    return Layout(tuple(lines), margin)


def _check_size(cells: str, used: Mapping[str, int], total: int, line: int, column: int) -> None:
    """`used` has the lines of the rows before this one, `total` is the number of seats up to the end of this one."""
    seats = [offset for offset, cell in enumerate(cells) if cell != GAP]
    if seats and len(used) == MAX_ROWS:
        raise LayoutError(f"A hall has at most {MAX_ROWS} rows.", line)
    if seats and line - next(iter(used.values()), line) >= MAX_HEIGHT:
        raise LayoutError(f"A hall is at most {MAX_HEIGHT} lines high, with the gaps between its rows.", line)
    if len(seats) > MAX_SEATS_PER_ROW:
        raise LayoutError(f"A row has at most {MAX_SEATS_PER_ROW} seats.", line, column + seats[MAX_SEATS_PER_ROW])
    if total > MAX_SEATS:
        raise LayoutError(f"A hall has at most {MAX_SEATS} seats.", line)


def _split(line: str, number: int) -> tuple[str, str, int]:
    """Return the row's label in upper case, or an empty string, its cells, and the column where these begin."""
    words = list(re.finditer(r"\S+", line))
    if not words:
        return "", "", 1
    if len(words) > 2:
        raise LayoutError(
            f"A row is a label and its seats; a gap is written as {GAP!r}, not as a space.",
            number,
            words[2].start() + 1,
        )
    cells, column = words[-1].group(), words[-1].start() + 1
    if len(words) == 1:
        return "", cells, column
    if not ROW_LABEL.fullmatch(words[0].group()):
        raise LayoutError("A row label has 1 to 4 letters (A to Z) or digits.", number, words[0].start() + 1)
    return words[0].group().upper(), cells, column


def _check_cells(cells: str, codes: Collection[str] | None, line: int, column: int) -> None:
    for offset, cell in enumerate(cells):
        if cell == GAP:
            continue
        if not (cell.isascii() and cell.isalpha()):
            raise LayoutError(f"{cell!r} is neither a category's letter nor a gap ({GAP!r}).", line, column + offset)
        if codes is not None and cell not in codes:
            known = ", ".join(sorted(codes)) or "none"
            raise LayoutError(f"There is no seat category {cell!r}; there are {known}.", line, column + offset)
    if len(cells) > MAX_WIDTH:
        raise LayoutError(f"A row is at most {MAX_WIDTH} seats and gaps wide.", line, column + MAX_WIDTH)


def parse(layout: str, *, accessible: Collection[str] = (), paired: Collection[str] = ()) -> Hall:
    """Return the hall of a canonical layout: the text of a Layout.

    `accessible` and `paired` are the codes of the categories whose seats are accessible or sold in pairs.
    """
    seats: list[Seat] = []
    for y, line in enumerate(layout.split("\n")):
        if not line:
            continue
        row, cells = line.split(" ")
        # Between digits, a hyphen separates row and place: 1-12 and 11-2 would both be 112.
        separator = "-" if row[-1].isdigit() else ""
        place = 0
        for x, cell in enumerate(cells):
            if cell != GAP:
                place += 1
                seats.append(Seat(len(seats) + 1, f"{row}{separator}{place}", row, x, y, cell))
    return Hall(tuple(seats), frozenset(accessible), frozenset(paired))


def changed_labels(seat_numbers: Sequence[int], old: Hall, new: Hall) -> list[int]:
    """Return those of the seats that have another label in the new hall, or don't exist there."""
    return [number for number in seat_numbers if old.label(number) != new.label(number)]
