"""Importing movies from a CSV file."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import IntegrityError

from booking.models import Movie
from booking.services.refusals import Refusal
from booking.services.transactions import write_transaction

REQUIRED_COLUMNS = ("title", "duration_minutes", "certificate", "release_date", "genre", "director")
OPTIONAL_COLUMNS = ("description", "language")
# The fields of an existing movie that an import may change.
DETAILS = ("duration_minutes", "certificate", "genre", "director", "description", "language")
DATE_FORMATS = ("%b %d %Y", "%Y-%m-%d")
BATCH_SIZE = 500
NUL_STAND_IN = "\1"

if TYPE_CHECKING:
    from _csv import Reader

Key = tuple[str, date | None]


class UnreadableFile(Refusal):
    code = "unreadable_file"
    field = "file"


@dataclass
class ImportReport:
    """The result of an import; `refused` lists line numbers with reasons."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.added} added, {self.changed} changed, {self.unchanged} unchanged, {len(self.refused)} refused"


def import_movies(*, lines: Iterable[str]) -> ImportReport:
    """Adds or updates movies from the lines of a CSV file, all in one transaction.

    A movie is identified by its title and release date. An empty cell leaves the stored value unchanged. Invalid lines
    are reported and skipped. Raises UnreadableFile, with nothing changed, if the file as a whole is invalid, and Busy.
    """
    report = ImportReport()
    # Before Python 3.11, csv stops at a NUL. The stand-in makes only the line with the NUL invalid.
    reader = csv.reader((line.replace("\0", NUL_STAND_IN) for line in lines), strict=True)
    try:
        columns = _read_header(reader)
        with write_transaction():
            movies = _read_movies(reader, columns, report)
            while batch := list(islice(movies, BATCH_SIZE)):
                _save_batch(batch, report)
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"The file is not UTF-8 text ({error.reason}).") from None
    except csv.Error as error:
        raise UnreadableFile(f"Line {reader.line_num} is not CSV: {error}.") from None
    except IntegrityError:
        raise UnreadableFile("Somebody else changed the same movies at the same time; please try again.") from None
    return report


def _read_header(reader: Iterator[list[str]]) -> list[str]:
    columns = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise UnreadableFile(f"The first line lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.")
    repeated = {name for name in columns if name and columns.count(name) > 1}
    if repeated:
        raise UnreadableFile(f"The first line names {', '.join(sorted(repeated))} twice.")
    return columns


def _read_movies(reader: "Reader", columns: list[str], report: ImportReport) -> Iterator[Movie]:
    """Yield the file's movies, unsaved; invalid lines are added to the report."""
    first_seen: dict[Key, int] = {}
    for cells in reader:
        if not cells:
            continue
        try:
            movie = _read_movie(columns, cells)
            line = first_seen.setdefault(_key(movie), reader.line_num)
            if line != reader.line_num:
                raise ValidationError(f"the same title and release date as line {line}")
        except ValidationError as error:
            report.refused.append((reader.line_num, _reason(error)))
        else:
            yield movie


def _read_movie(columns: list[str], cells: list[str]) -> Movie:
    """Raises ValidationError."""
    if len(cells) != len(columns):
        raise ValidationError(f"{len(cells)} values for {len(columns)} columns")
    if any(NUL_STAND_IN in cell for cell in cells):
        raise ValidationError("a NUL character")
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    if not re.fullmatch("[0-9]*", row["duration_minutes"]):
        raise ValidationError({"duration_minutes": "not a whole number of minutes"})
    movie = Movie(title=row["title"], release_date=_read_date(row["release_date"]))
    for name in DETAILS:
        setattr(movie, name, row.get(name, ""))
    movie.duration_minutes = movie.duration_minutes or None
    movie.clean_fields()
    return movie


def _read_date(text: str) -> date | None:
    if not text:
        return None
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 (a date has no time zone)
        except ValueError:
            continue
    raise ValidationError({"release_date": f"“{text}” is not a date such as Jun 12 1998 or 1998-06-12"})


def _reason(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())


def _key(movie: Movie) -> Key:
    return movie.title, movie.release_date


def _save_batch(batch: list[Movie], report: ImportReport) -> None:
    titles = [movie.title for movie in batch]
    known = {_key(movie): movie for movie in Movie.objects.filter(title__in=titles)}
    new = [movie for movie in batch if _key(movie) not in known]
    changed = [known[_key(movie)] for movie in batch if _key(movie) in known and _update(known[_key(movie)], movie)]
    Movie.objects.bulk_create(new)
    if changed:
        Movie.objects.bulk_update(changed, DETAILS)
    report.added += len(new)
    report.changed += len(changed)
    report.unchanged += len(batch) - len(new) - len(changed)


def _update(movie: Movie, source: Movie) -> bool:
    """Copies the non-empty details of `source` to the movie; returns whether anything changed."""
    changes = {
        name: value
        for name in DETAILS
        if (value := getattr(source, name)) not in ("", None) and value != getattr(movie, name)
    }
    for name, value in changes.items():
        setattr(movie, name, value)
    return bool(changes)
