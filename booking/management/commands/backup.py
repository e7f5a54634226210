import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection


class Command(BaseCommand):
    help = "Copies a SQLite database to a file while the service is running. For PostgreSQL use pg_dump."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="must not exist yet")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError("Copy a PostgreSQL database with pg_dump.")
        if file.exists():
            raise CommandError(f"{file} already exists.")
        unfinished = file.with_name(f"{file.name}.part")
        try:
            # Readable by the owner only, because it contains customers' data.
            unfinished.touch(mode=0o600)
            connection.ensure_connection()
            with closing(sqlite3.connect(unfinished)) as copy:
                connection.connection.backup(copy)
            unfinished.rename(file)
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"Could not write {file}: {error}") from None
        self.stdout.write(f"The database was copied to {file}.")
