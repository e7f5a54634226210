"""Importing movies from a CSV file."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from zlib import compress, decompress

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError
from django.utils.text import Truncator

from booking.models import Movie, MovieUpload, User
from booking.services.programme.movie_cells import DateOrder
from booking.services.programme.movie_files import DETAILS, MovieFile, UnreadableFile, check_movie_file, read_movie_file
from booking.services.refusals import first_or_not_found
from booking.services.transactions import write_transaction

BATCH_SIZE = 500
# An uploaded file is stored for this time.
UPLOAD_LIFETIME = timedelta(days=1)
MAX_NAME_LENGTH = 100

Key = tuple[str, date | None]


@dataclass
class ImportReport:
    """The result of an import, or what it would be: titles, changes with their titles, and lines with reasons."""

    read_as: str
    added: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def from_json(cls, outcome: dict[str, Any]) -> "ImportReport":
        lists = {name: [(one, other) for one, other in outcome[name]] for name in ("changed", "refused")}
        return cls(**outcome | lists)

    def __str__(self) -> str:
        return (
            f"{len(self.added)} added, {len(self.changed)} changed, "
            f"{self.unchanged} unchanged, {len(self.refused)} refused"
        )


@dataclass
class Update:
    """A known movie with the new values of its fields."""

    movie: Movie
    values: dict[str, Any]

    @property
    def description(self) -> str:
        texts = (
            f"{Movie._meta.get_field(name).verbose_name}: "  # type: ignore[union-attr]
            f"{_shortened(getattr(self.movie, name))} → {_shortened(value)}"
            for name, value in self.values.items()
        )
        return "; ".join(texts)

    def apply(self) -> Movie:
        for name, value in self.values.items():
            setattr(self.movie, name, value)
        return self.movie


def _shortened(value: Any) -> str:
    return "empty" if value in ("", None) else Truncator(str(value)).chars(60)


# --- Importing a file -------------------------------------------------------------------------


def import_movies(*, content: bytes, date_order: DateOrder | None = None) -> ImportReport:
    """Adds or updates movies from the content of a CSV file, all in one transaction.

    A movie is identified by its title and release date. An empty cell leaves the stored value unchanged. Invalid lines
    are reported and skipped. Raises UnreadableFile or DateOrderUnclear, with nothing changed, and Busy.
    """
    file = read_movie_file(content, date_order)
    try:
        with write_transaction():
            return _save(file)
    except IntegrityError:
        raise _changed_meanwhile() from None


def preview_import(*, content: bytes, date_order: DateOrder | None = None) -> ImportReport:
    """Return what `import_movies` would do now. Raises UnreadableFile or DateOrderUnclear."""
    file = read_movie_file(content, date_order)
    report = ImportReport(file.description, refused=file.refused)
    for batch in _batches(file):
        known = {_key(movie): movie for movie in Movie.objects.filter(title__in=[movie.title for movie in batch])}
        _compare(batch, known, report)
    return report


def _save(file: MovieFile, log: "ImportLog | None" = None) -> ImportReport:
    report = ImportReport(file.description, refused=file.refused)
    for batch in _batches(file):
        # Race: staff change one of these movies.
        locked = Movie.objects.select_for_update(no_key=True).order_by("pk")
        known = {_key(movie): movie for movie in locked.filter(title__in=[movie.title for movie in batch])}
        new, updates = _compare(batch, known, report)
        descriptions = [update.description for update in updates]
        changed = [update.apply() for update in updates]
        added = Movie.objects.bulk_create(new)
        if changed:
            Movie.objects.bulk_update(changed, DETAILS)
        if log:
            log.write(added, changed, descriptions)
    return report


def _batches(file: MovieFile) -> Iterator[list[Movie]]:
    movies = iter(file.movies)
    while batch := list(islice(movies, BATCH_SIZE)):
        yield batch


def _key(movie: Movie) -> Key:
    return movie.title, movie.release_date


def _compare(batch: list[Movie], known: dict[Key, Movie], report: ImportReport) -> tuple[list[Movie], list[Update]]:
    """Return the new movies and the updates of known ones, and adds them to the report."""
    new = [movie for movie in batch if _key(movie) not in known]
    updates = [
        Update(known[_key(movie)], values)
        for movie in batch
        if _key(movie) in known and (values := _new_values(known[_key(movie)], movie))
    ]
    report.added += [str(movie) for movie in new]
    report.changed += [(str(update.movie), update.description) for update in updates]
    report.unchanged += len(batch) - len(new) - len(updates)
    return new, updates


def _new_values(movie: Movie, source: Movie) -> dict[str, Any]:
    """Return the details of `source` that are not empty and differ from the movie's."""
    return {
        name: value
        for name in DETAILS
        if (value := getattr(source, name)) not in ("", None) and value != getattr(movie, name)
    }


def _changed_meanwhile() -> UnreadableFile:
    return UnreadableFile("Somebody else changed the same movies at the same time; please try again.")


@dataclass(frozen=True)
class ImportLog:
    """Writes the entries of an import in the admin's history."""

    user: User
    file_name: str

    def write(self, added: list[Movie], changed: list[Movie], descriptions: list[str]) -> None:
        content_type = ContentType.objects.get_for_model(Movie)
        entries = [(movie, ADDITION, f"Imported from {self.file_name}.") for movie in added]
        entries += [
            (movie, CHANGE, f"Imported from {self.file_name}: {description}.")
            for movie, description in zip(changed, descriptions, strict=True)
        ]
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=self.user.pk,
                content_type_id=content_type.pk,
                object_id=str(movie.pk),
                object_repr=str(movie)[:200],
                action_flag=flag,
                change_message=message,
            )
            for movie, flag, message in entries
        )


# --- A file between its preview and its import ------------------------------------------------


def store_movie_upload(*, user: User, file_name: str, content: bytes, now: datetime) -> MovieUpload:
    """Stores a CSV file for a preview and removes the user's expired ones. Raises UnreadableFile or Busy."""
    check_movie_file(content)
    name = "".join(letter for letter in file_name if letter.isprintable())[-MAX_NAME_LENGTH:] or "file"
    with write_transaction():
        expired_uploads(now).filter(user=user).delete()
        return MovieUpload.objects.create(user=user, name=name, content=compress(content), created_at=now)


def expired_uploads(now: datetime) -> Any:
    return MovieUpload.objects.filter(created_at__lt=now - UPLOAD_LIFETIME)


def find_movie_upload(*, user: User, upload_id: int) -> MovieUpload:
    """Return a file that the user uploaded. Raises NotFound."""
    return first_or_not_found(MovieUpload.objects.filter(user=user, pk=upload_id))


def read_movie_upload(*, upload: MovieUpload, date_order: DateOrder | None = None) -> ImportReport:
    """Return the result of an import that was carried out, otherwise its preview. Raises DateOrderUnclear."""
    if upload.outcome is not None:
        return ImportReport.from_json(upload.outcome)
    return preview_import(content=decompress(upload.content), date_order=date_order)


def import_movie_upload(*, user: User, upload_id: int, date_order: DateOrder | None = None) -> ImportReport:
    """Imports a file that the user uploaded, once, with entries in the admin's history, and stores the result.

    Raises NotFound, DateOrderUnclear, UnreadableFile if somebody else changed the same movies, or Busy.
    """
    upload = find_movie_upload(user=user, upload_id=upload_id)
    file = read_movie_file(decompress(upload.content), date_order)
    try:
        with write_transaction():
            # Race: a second click.
            locked = first_or_not_found(MovieUpload.objects.select_for_update().filter(pk=upload.pk))
            if locked.outcome is not None:
                return ImportReport.from_json(locked.outcome)
            report = _save(file, ImportLog(user, upload.name))
            locked.outcome = asdict(report)
            locked.save(update_fields=["outcome"])
            return report
    except IntegrityError:
        raise _changed_meanwhile() from None
