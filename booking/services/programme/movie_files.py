"""Reading movies from CSV files as spreadsheets and distributors write them.

Encoding, separator, spelling of the header and order of day and month are recognised, and the result names them.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.core.exceptions import ValidationError

from booking.models import Movie
from booking.services.programme.movie_cells import DateOrder, read_date, read_duration, readings
from booking.services.refusals import Refusal

REQUIRED_COLUMNS = ("title", "duration_minutes", "certificate", "release_date", "genre", "director")
# The fields of an existing movie that an import may change.
DETAILS = ("duration_minutes", "certificate", "genre", "director", "description", "language")
# Other names of columns, in lower case and with single spaces.
ALIASES = {
    "title": ["movie", "movie title", "film", "film title", "name"],
    "duration_minutes": [
        "duration",
        "duration min",
        "running time",
        "running time min",
        "runtime",
        "length",
        "minutes",
    ],
    "certificate": ["certification", "rating", "mpaa rating", "age rating"],
    "release_date": ["release", "released", "opening date"],
    "genre": ["genres"],
    "director": ["directors", "directed by"],
    "description": ["synopsis", "plot"],
    "language": ["original language"],
}
COLUMNS = {name.replace("_", " "): name for name in ALIASES}
COLUMN_OF_ALIAS = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# The line with which spreadsheets announce the separator, perhaps filled up with empty cells.
SEPARATOR_LINE = re.compile(r'[ \t]*"?sep=(\\t|[^"\r\n])"?[ \t,;|]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
BYTE_ORDER_MARKS = [
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
]
WORKBOOK = "an Excel workbook (.xlsx)"
SIGNATURES = [
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
]
# Signatures of a ZIP archive, near its beginning or its end.
ARCHIVES = [(b"xl/", WORKBOOK), (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)")]
NUL_STAND_IN = "\1"


class UnreadableFile(Refusal):
    code = "unreadable_file"
    field = "file"


class DateOrderUnclear(Refusal):
    """The file's dates can be read with the day or with the month first."""

    code = "date_order_unclear"
    field = "dates"

    def __init__(self, line: int, text: str) -> None:
        day_first, month_first = (f"{day.day} {day:%B %Y}" if day else "no date" for day in readings(text))
        super().__init__(
            f"“{text}” on line {line} is {day_first} with the day first and {month_first} with the month first. "
            "Choose how the dates of this file are written."
        )


@dataclass
class MovieFile:
    """The movies of a file, unsaved; `refused` lists line numbers with reasons."""

    encoding: str
    separator: str
    ignored: list[str]
    date_order: DateOrder | None = None
    movies: list[Movie] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    @property
    def description(self) -> str:
        """Return how the file was read."""
        text = f"read as {self.encoding}, separated by {self.separator}"
        if self.date_order:
            text += f", dates with the {self.date_order.value} first"
        return text + (f"; ignored columns: {', '.join(self.ignored)}" if self.ignored else "")


def check_movie_file(content: bytes) -> None:
    """Raises UnreadableFile if the file as a whole can't be read. Its lines are not checked, which takes longer."""
    _read_table(content)


def read_movie_file(content: bytes, date_order: DateOrder | None = None) -> MovieFile:
    """Return the movies of a CSV file. Raises UnreadableFile, and DateOrderUnclear without a `date_order`."""
    file, records = _read_table(content)
    file.date_order = _find_date_order([(line, record["release_date"]) for line, record in records], date_order)
    _read_movies(records, file)
    return file


def _read_table(content: bytes) -> tuple[MovieFile, list[tuple[int, dict[str, str]]]]:
    """Return how the file was read, and the cells of each line by column."""
    text, encoding = _decode(content)
    separator, begin, lines_before = _find_separator(text)
    # Before Python 3.11, csv stops at a NUL. The stand-in makes only the line with the NUL invalid.
    lines = io.StringIO(text[begin:].replace("\0", NUL_STAND_IN), newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        rows = [(lines_before + reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise UnreadableFile(f"Line {lines_before + reader.line_num} is not CSV: {error}.") from None
    _, header = rows[0] if rows else (0, [])
    columns, ignored = _read_header(header)
    file = MovieFile(encoding, SEPARATORS[separator], ignored)
    return file, list(_read_records(columns, rows[1:], file))


def _decode(content: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding."""
    if kind := _kind_of_binary(content):
        raise UnreadableFile(f"This is {kind}, whatever its name is. Save it as CSV and choose that file.")
    codec, name, start = _find_encoding(content)
    try:
        text = content[start:].decode(codec)
    except UnicodeDecodeError:
        raise UnreadableFile("The file is not text in UTF-8, UTF-16 or Windows-1252.") from None
    if text.lstrip().startswith("<"):
        raise UnreadableFile("This is a web page or XML, whatever its name is. Save it as CSV and choose that file.")
    return text, name


def _kind_of_binary(content: bytes) -> str | None:
    kind = next((name for start, name in SIGNATURES if content.startswith(start)), None)
    if kind == "a ZIP archive":
        kind = next((name for part, name in ARCHIVES if part in content), kind)
    return kind


def _find_encoding(content: bytes) -> tuple[str, str, int]:
    """Return codec, name and number of bytes before the text."""
    for mark, codec, name in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return codec, name, len(mark)
    # Each second byte of European text in UTF-16 is a NUL.
    for start, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        if content[start::2].count(0) > len(content) / 4:
            return codec, "UTF-16", 0
    try:
        content.decode()
    except UnicodeDecodeError:
        return "cp1252", "Windows-1252", 0
    return "utf-8", "UTF-8", 0


def _find_separator(text: str) -> tuple[str, int, int]:
    """Return the separator, where the header begins, and the number of lines before it."""
    if announced := SEPARATOR_LINE.match(text):
        separator = announced[1].replace("\\t", "\t")
        if separator not in SEPARATORS:
            raise UnreadableFile(f"The first line says that “{separator}” separates the columns; use , ; | or tabs.")
        return separator, announced.end(), 1
    # The first line with a word; a row of empty cells tells nothing.
    header = re.search(r"[^\r\n]*\w[^\r\n]*", text)
    return max(SEPARATORS, key=lambda each: _known_columns(header[0], each) if header else 0), 0, 0


def _known_columns(header: str, separator: str) -> int:
    try:
        [names] = csv.reader([header], delimiter=separator, skipinitialspace=True)
    except csv.Error:
        return 0
    words = [_words(name) for name in names]
    return sum(name in COLUMNS or name in COLUMN_OF_ALIAS for name in words)


def _words(name: str) -> str:
    """Return a column's name in lower case, its words separated by single spaces."""
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def _read_header(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the column of each cell, empty if it is ignored, and the names of the ignored columns."""
    words = [_words(name) for name in names]
    exact = {COLUMNS[name] for name in words if name in COLUMNS}
    columns = []
    for name in words:
        alias = COLUMN_OF_ALIAS.get(name, "")
        columns.append(COLUMNS.get(name) or ("" if alias in exact else alias))
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise UnreadableFile(f"The first line lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.")
    repeated = {name for name in columns if name and columns.count(name) > 1}
    if repeated:
        raise UnreadableFile(f"The first line names {', '.join(sorted(repeated))} twice.")
    return columns, [name.strip() for name, column in zip(names, columns, strict=True) if name.strip() and not column]


def _read_records(
    columns: list[str], rows: list[tuple[int, list[str]]], file: MovieFile
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of each line by column; lines of another length are added to `file.refused`."""
    for line, cells in rows:
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(columns):
            number = "1 value" if len(cells) == 1 else f"{len(cells)} values"
            file.refused.append((line, f"{number} for {len(columns)} columns"))
        elif any(NUL_STAND_IN in cell for cell in cells):
            file.refused.append((line, "a NUL character"))
        else:
            yield line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name}


def _find_date_order(dates: list[tuple[int, str]], chosen: DateOrder | None) -> DateOrder | None:
    """Return which of day and month comes first, or None if no date depends on it. Raises DateOrderUnclear."""
    both = [(line, text, readings(text)) for line, text in dates if any(readings(text))]
    different = [(line, text, found) for line, text, found in both if found[0] != found[1]]
    if not different:
        return None
    if chosen:
        return chosen
    only_day = any(month_first is None for _, _, (_, month_first) in different)
    only_month = any(day_first is None for _, _, (day_first, _) in different)
    if only_day == only_month:
        unclear = [(line, text) for line, text, found in different if all(found)]
        raise DateOrderUnclear(*(unclear or [(line, text) for line, text, _ in different])[0])
    return DateOrder.DAY if only_day else DateOrder.MONTH


def _read_movies(records: list[tuple[int, dict[str, str]]], file: MovieFile) -> None:
    """Adds the records to the file's movies or, with the reason, to its refused lines."""
    first_seen: dict[tuple[str, date | None], int] = {}
    for line, record in records:
        try:
            movie = _read_movie(record, file.date_order)
            first = first_seen.setdefault((movie.title, movie.release_date), line)
            if first != line:
                raise ValidationError(f"the same title and release date as line {first}")
        except ValidationError as error:
            file.refused.append((line, _reason(error)))
        else:
            file.movies.append(movie)
    file.refused.sort()


def _read_movie(record: dict[str, str], date_order: DateOrder | None) -> Movie:
    """Raises ValidationError."""
    movie = Movie(title=record["title"], release_date=read_date(record["release_date"], date_order))
    for name in DETAILS:
        setattr(movie, name, record.get(name, ""))
    movie.duration_minutes = read_duration(record["duration_minutes"])
    movie.clean_fields()
    return movie


def _reason(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
