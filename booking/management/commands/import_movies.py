"""manage.py import_movies FILE.csv"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from booking import services


class Command(BaseCommand):
    help = "Imports movies from a CSV file with the columns " + ", ".join(services.REQUIRED_COLUMNS) + "."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dates",
            choices=[order.value for order in services.DateOrder],
            help="what comes first in dates such as 03/04/2026, where the file does not tell",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be added and changed")

    def handle(self, *args: Any, file: Path, dates: str | None, dry_run: bool, **options: Any) -> None:
        service = services.preview_import if dry_run else services.import_movies
        try:
            report = service(content=file.read_bytes(), date_order=services.DateOrder(dates) if dates else None)
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from None
        except services.DateOrderUnclear as refusal:
            raise CommandError(f"{file}: {refusal.detail} Add --dates day or --dates month.") from None
        except services.Refusal as refusal:
            raise CommandError(f"{file}: {refusal.detail} Nothing was changed.") from None
        for line, reason in report.refused:
            self.stderr.write(f"line {line}: {reason}")
        self.stdout.write(f"{file}: {report.read_as}")
        for title in report.added:
            self.stdout.write(f"added {title}")
        for title, change in report.changed:
            self.stdout.write(f"changed {title}: {change}")
        self.stdout.write(str(report))
