"""What staff ask of the schedule and of sales. Nothing is changed.

A day is the cinema's, from one midnight of its time zone to the next, be it 23 or 25 hours long. Bookings are counted
by the database; here only what it counted, a row for each show, is summed up.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from datetime import timezone as zones
from functools import lru_cache
from typing import TypeVar

from django.db.models import Count, Q
from django.utils import timezone

from booking.models import Booking, Movie, Show, ShowQuerySet

# How long after midnight a show still belongs to the evening before.
NIGHT = timedelta(hours=6)
SOON = timedelta(days=7)
NEARLY_FULL_PERCENT = 90
# As many as one reads.
MAX_NEARLY_FULL = 10

Group = TypeVar("Group", bound=Hashable)


def percent(sold: int, seats: int) -> int:
    """Rounded down, so that 100 means sold out."""
    return sold * 100 // seats if seats else 0


@dataclass(frozen=True)
class ShowFigures:
    """A show with how many of its seats are sold and how many bookings of it were cancelled."""

    pk: int
    movie_id: int
    movie: str
    screen_id: int
    screen: str
    starts_at: datetime
    ends_at: datetime
    is_cancelled: bool
    seats: int
    sold: int
    cancelled: int

    @property
    def percent(self) -> int:
        return percent(self.sold, self.seats)


@dataclass(frozen=True)
class Line:
    """Some shows together. Those cancelled had no seats on offer; their cancelled bookings count."""

    name: date | str
    shows: int
    seats: int
    sold: int
    cancelled: int

    @property
    def label(self) -> str:
        """The name as people write it."""
        return self.name if isinstance(self.name, str) else f"{self.name:%a} {self.name.day} {self.name:%b %Y}"

    @property
    def percent(self) -> int:
        return percent(self.sold, self.seats)


@dataclass(frozen=True)
class Report:
    """Sales of the shows that start in a period; the days in their order, the others by what they sold."""

    total: Line
    days: list[Line]
    movies: list[Line]
    screens: list[Line]
    shows: list[ShowFigures]


@dataclass(frozen=True)
class Programme:
    """Today's shows, and those to come soon that are nearly full, the fullest first."""

    today: list[ShowFigures]
    nearly_full: list[ShowFigures]


@dataclass(frozen=True)
class Sales:
    """How many bookings that still stand were made when."""

    today: int
    yesterday: int
    yesterday_by_now: int


def start_of(day: date) -> datetime:
    """The day's first moment in UTC: sums of times with a zone leave out what its clocks do."""
    return _utc(datetime.combine(day, time.min))


def read_day(*, day: date) -> list[ShowFigures]:
    """The shows that run on this day or start in the night after it, in their order."""
    begin, end = start_of(day), start_of(day + timedelta(days=1))
    return _figures(Show.objects.filter(starts_at__lt=end + NIGHT, ends_at__gt=begin))


def read_programme(*, now: datetime) -> Programme:
    """`now` is UTC."""
    today = timezone.localdate(now)
    shows = _figures(Show.objects.filter(starts_at__gte=start_of(today), starts_at__lte=now + SOON))
    tomorrow = start_of(today + timedelta(days=1))
    return Programme(
        [show for show in shows if show.starts_at < tomorrow],
        _fullest(show for show in shows if show.starts_at > now and not show.is_cancelled),
    )


def _fullest(shows: Iterable[ShowFigures]) -> list[ShowFigures]:
    """Of shows in the order of their start the nearly full ones; of two that are equally full the sooner is first."""
    nearly_full = (show for show in shows if show.percent >= NEARLY_FULL_PERCENT)
    return sorted(nearly_full, key=lambda show: show.percent, reverse=True)[:MAX_NEARLY_FULL]


def read_sales(*, now: datetime) -> Sales:
    """What was sold today and yesterday, in all and by the same time of day. `now` is UTC."""
    local = timezone.localtime(now)
    day_before = local.date() - timedelta(days=1)
    today, yesterday = start_of(local.date()), start_of(day_before)
    by_now = _utc(datetime.combine(day_before, local.time()))
    # A seat is sold before its show starts: shows that are over need not be looked at.
    bookings = Booking.objects.sold().filter(created_at__gte=yesterday, show__starts_at__gt=yesterday)
    counts = bookings.order_by().aggregate(
        today=Count("show", filter=Q(created_at__gte=today)),
        yesterday=Count("show", filter=Q(created_at__lt=today)),
        yesterday_by_now=Count("show", filter=Q(created_at__lt=min(by_now, today))),
    )
    return Sales(**counts)


def read_report(*, first_day: date, last_day: date) -> Report:
    """The shows that start from `first_day` to `last_day`, both included; a day without shows is there too."""
    end = start_of(last_day + timedelta(days=1))
    shows = _figures(Show.objects.filter(starts_at__gte=start_of(first_day), starts_at__lt=end))
    days = [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]
    # Looked up once: there may be thousands of shows.
    zone = timezone.get_current_timezone()
    by_day = _grouped(shows, lambda show: show.starts_at.astimezone(zone).date())
    return Report(
        _line("", shows),
        [_line(day, by_day.get(day, [])) for day in days],
        # Two movies may have one name.
        _best_first([_line(of[0].movie, of) for of in _grouped(shows, lambda show: show.movie_id).values()]),
        _best_first([_line(of[0].screen, of) for of in _grouped(shows, lambda show: show.screen_id).values()]),
        shows,
    )


def _utc(local: datetime) -> datetime:
    return timezone.make_aware(local).astimezone(zones.utc)


def _figures(shows: ShowQuerySet) -> list[ShowFigures]:
    """One query, however many shows there are."""
    rows = (
        shows.with_seats_sold()
        .with_cancellations()
        .order_by("starts_at", "pk")
        .values_list(
            *("pk", "movie_id", "movie__title", "movie__release_date", "screen_id", "screen__name"),
            *("starts_at", "ends_at", "cancelled_at", "total_seats", "seats_sold", "cancellations"),
        )
    )
    return [
        ShowFigures(pk, movie_id, _movie(title, release_date), screen_id, screen, start, end, off is not None, *counts)
        for pk, movie_id, title, release_date, screen_id, screen, start, end, off, *counts in rows
    ]


@lru_cache(maxsize=1000)
def _movie(title: str, release_date: date | None) -> str:
    return str(Movie(title=title, release_date=release_date))


def _grouped(shows: Sequence[ShowFigures], group: Callable[[ShowFigures], Group]) -> dict[Group, list[ShowFigures]]:
    groups: dict[Group, list[ShowFigures]] = {}
    for show in shows:
        groups.setdefault(group(show), []).append(show)
    return groups


def _line(name: date | str, shows: Sequence[ShowFigures]) -> Line:
    scheduled = [show for show in shows if not show.is_cancelled]
    return Line(
        name,
        len(scheduled),
        sum(show.seats for show in scheduled),
        sum(show.sold for show in shows),
        sum(show.cancelled for show in shows),
    )


def _best_first(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.sold, str(line.name)))
