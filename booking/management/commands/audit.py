"""manage.py audit"""

from typing import Any

from django.core.management.base import BaseCommand

from booking import services
from booking.models import Booking, Show


class Command(BaseCommand):
    help = "Finds bookings, shows and payments that break a rule; prints each breach and exits with 1 if there is any."

    def handle(self, *args: Any, **options: Any) -> None:
        breaches = 0
        for breach in services.find_breaches():
            self.stdout.write(breach)
            breaches += 1
        if breaches:
            self.stdout.write(f"{breaches} breach{'es' if breaches > 1 else ''}")
            raise SystemExit(1)
        self.stdout.write(f"No breach: {Show.objects.count()} shows, {Booking.objects.count()} bookings checked.")
