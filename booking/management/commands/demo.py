"""manage.py demo"""

import csv
import random
import sys
from argparse import ArgumentParser
from contextlib import suppress
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from booking import services
from booking.models import Movie, Price, PriceList, Screen, SeatCategory, Show, TicketType, User

DATA = Path(__file__).parents[2] / "demo"
MOVIES = DATA / "movies.csv"
# The file with the seat plan; then the local hours at which shows start, far enough apart for the longest movie.
SCREENS = {
    "Grand Hall": ("grand_hall.txt", (14, 17, 20)),
    "Blue Room": ("blue_room.txt", (13, 16, 19)),
    "Studio": ("studio.txt", (15, 18, 21)),
}
# The studio's shows are free.
PRICED = ("Grand Hall", "Blue Room")
PRICE_LIST = "Regular prices"
TICKET_TYPES = ("Adult", "Child", "Senior")
# By the category's code, in the order of the ticket types.
PRICES = {"S": (12, 8, 10), "P": (15, 11, 13), "L": (18, 14, 16), "W": (12, 8, 10)}
SHOWS_A_DAY = sum(len(hours) for _, hours in SCREENS.values())
DAYS = 14
CUSTOMERS = ("alice", "bruno")
PASSWORD = "cinema-demo"  # noqa: S105 (public on purpose)
ADMIN = "admin"
CREATE_ADMINISTRATOR = f"DEBUG=false {sys.executable} manage.py createsuperuser"


class Command(BaseCommand):
    help = f"Creates demo data: movies, screens, shows for the next {DAYS} days, and accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--retire", action="store_true", help="instead, disable demo accounts with public passwords"
        )

    def handle(self, *args: Any, retire: bool, **options: Any) -> None:
        if retire:
            self._retire()
            return
        movies = self._movies()
        customers = [user for name in CUSTOMERS if (user := self._account(name, PASSWORD))]
        shows = [show for name in SCREENS for show in self._plan(self._screen(name), movies)]
        for show in shows:
            self._sell(show, customers)
        self.stdout.write(f"Demo data: {len(movies)} movies, {len(SCREENS)} screens, {len(shows)} shows added.")
        if settings.DEBUG:
            for user in customers:
                self.stdout.write(f"Login: {user.username}, password {PASSWORD}")
            if admin := self._account(ADMIN, ADMIN, is_staff=True, is_superuser=True):
                self.stdout.write(f"Login: {admin.username}, password {ADMIN}, for the admin")

    def _movies(self) -> list[Movie]:
        services.import_movies(content=MOVIES.read_bytes())
        with MOVIES.open(encoding="utf-8", newline="") as lines:
            titles = [row["title"] for row in csv.DictReader(lines)]
        known = Movie.objects.filter(title__in=titles, duration_minutes__isnull=False).order_by("pk")
        return list({movie.title: movie for movie in known}.values())

    def _account(self, username: str, password: str, **fields: Any) -> User | None:
        """Return the demo account with this username, or None if the username belongs to a real account."""
        try:
            user = User.objects.get_by_natural_key(username)
            return None if user.has_usable_password() and not user.check_password(password) else user
        except User.DoesNotExist:
            # The password is public, so in production the account gets no password.
            return User.objects.create_user(username, password=password if settings.DEBUG else None, **fields)

    def _retire(self) -> None:
        for user in User.objects.filter(username__in=(*CUSTOMERS, ADMIN)):
            if user.check_password(PASSWORD) or user.check_password(ADMIN):
                user.set_unusable_password()
                user.save(update_fields=["password"])
                self.stdout.write(f"Disabled the demo account {user.username}: its password is public.")
        administrators = User.objects.filter(is_superuser=True, is_staff=True, is_active=True)
        if not any(administrator.has_usable_password() for administrator in administrators):
            self.stdout.write(f"There is no administrator yet. To create one: {CREATE_ADMINISTRATOR}")

    def _screen(self, name: str) -> Screen:
        screen = Screen.objects.filter(name=name).first()
        if screen is None:
            file, _ = SCREENS[name]
            screen = Screen(name=name, price_list=self._price_list() if name in PRICED else None)
            services.set_plan(screen=screen, plan=services.plan_of_layout(layout=(DATA / file).read_text()))
            screen.save()
        return screen

    def _price_list(self) -> PriceList:
        price_list, is_new = PriceList.objects.get_or_create(name=PRICE_LIST, version=1)
        if is_new:
            types = [
                TicketType.objects.get_or_create(name=name, defaults={"position": position})[0]
                for position, name in enumerate(TICKET_TYPES, start=1)
            ]
            categories = {category.code: category for category in SeatCategory.objects.filter(code__in=PRICES)}
            for code, amounts in PRICES.items():
                for ticket_type, amount in zip(types, amounts, strict=True):
                    Price(
                        price_list=price_list,
                        category=categories[code],
                        ticket_type=ticket_type,
                        amount=Decimal(amount),
                    ).save()
        return price_list

    def _plan(self, screen: Screen, movies: list[Movie]) -> list[Show]:
        """Plans shows at the screen's free times of the next days."""
        now = timezone.now()
        taken = set(Show.objects.filter(screen=screen, ends_at__gt=now).values_list("starts_at", flat=True))
        planned = []
        for starts_at in self._times(screen, now):
            if starts_at in taken:
                continue
            # A day's shows start at different hours, so every movie is shown within three days.
            local = timezone.localtime(starts_at)
            movie = movies[(local.toordinal() * SHOWS_A_DAY + local.hour) % len(movies)]
            try:
                planned.append(services.plan_show(movie=movie, screen=screen, starts_at=starts_at, now=now))
            except services.Refusal:
                # Staff have planned another show at this time.
                continue
        return planned

    def _times(self, screen: Screen, now: datetime) -> list[datetime]:
        _, hours = SCREENS[screen.name]
        today = timezone.localdate(now)
        times = [
            timezone.make_aware(datetime.combine(today + timedelta(days=day), time(hour)))
            for day in range(DAYS + 1)
            for hour in hours
        ]
        return [starts_at for starts_at in times if now < starts_at <= now + timedelta(days=DAYS)]

    def _sell(self, show: Show, customers: list[User]) -> None:
        """Books some of the best seats for each customer."""
        generator = random.Random(show.pk)  # noqa: S311
        for customer in customers:
            # Refused with a low limit or just after the start.
            with suppress(services.Refusal):
                count = generator.randint(1, 4)
                services.book_seats(user=customer, show_id=show.pk, count=count, now=timezone.now())
