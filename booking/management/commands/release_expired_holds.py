"""manage.py release_expired_holds"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from booking import services


class Command(BaseCommand):
    help = "Tidies away holds that have run out. Nothing depends on it: they take no seat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            released = services.release_expired_holds(now=timezone.now())
        except services.Refusal as refusal:
            raise CommandError(refusal.detail) from None
        self.stdout.write(f"{released} hold{'' if released == 1 else 's'} released.")
