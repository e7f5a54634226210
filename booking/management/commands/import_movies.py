"""manage.py import_movies FILE.csv"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click
from django.core.management.base import BaseCommand, CommandError

from booking import services


class Command(BaseCommand):
    help = "Imports movies from a CSV file in UTF-8 with the columns " + ", ".join(services.IMPORT_COLUMNS) + "."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            with file.open(encoding="utf-8-sig", newline="") as text:
                report = services.import_movies(lines=self._with_progress(text, file.stat().st_size))
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from None
        except services.Refusal as refusal:
            raise CommandError(f"{file}: {refusal.detail} Nothing was changed.") from None
        for line, reason in report.refused:
            self.stderr.write(f"line {line}: {reason}")
        self.stdout.write(str(report))

    def _with_progress(self, text: TextIO, size: int) -> Iterator[str]:
        with click.progressbar(length=size, label="Importing", file=sys.stderr) as bar:
            for line in text:
                bar.update(len(line.encode()))
                yield line
