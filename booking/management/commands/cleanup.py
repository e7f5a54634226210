"""manage.py cleanup"""

import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from booking import services


class Command(BaseCommand):
    help = (
        "Removes expired rows, files and contacts, settles pending payments, releases expired holds, and completes "
        "rows that an earlier version or SQL wrote. Run it daily."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for kind, batches in groupby(services.clean_up(now=timezone.now()), itemgetter(0)):
                number = self._count(kind.capitalize(), (size for _, size in batches))
                self.stdout.write(f"{kind.capitalize()} cleaned up: {number}")
        except services.Busy:
            raise CommandError(
                "The database is unavailable or busy. Rows removed so far stay removed; run the command again."
            ) from None

    def _count(self, label: str, numbers: Iterator[int]) -> int:
        """Return the sum of the numbers; shows the progress on a terminal."""
        hidden = not sys.stderr.isatty()
        # The total is unknown, so there is no progress bar.
        template = "%(label)s: %(info)s"
        with click.progressbar(
            numbers, label=label, show_pos=True, bar_template=template, file=sys.stderr, hidden=hidden
        ) as progress:
            for number in numbers:
                progress.update(number)
            return progress.pos
