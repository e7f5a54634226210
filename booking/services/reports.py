"""Reports for staff on the schedule and on sales. Nothing is changed.

A day begins and ends at midnight in the cinema's time zone, so it may have 23 or 25 hours. The database counts the
bookings of each show and sums up their prices; this module adds these figures up.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from booking.models import STANDARD, Booking, Movie, PriceList, SeatCategory, Show, ShowQuerySet, format_amount
from booking.services.money.sums import total_of
from booking.services.programme.local_time import day_bounds, in_utc, start_of

# Shows that start this long after midnight also appear in the plan of the day before.
NIGHT = timedelta(hours=6)
SOON = timedelta(days=7)
NEARLY_FULL_PERCENT = 90
# The maximum number of nearly full shows in the list.
MAX_NEARLY_FULL = 10
# The names of lines for seats of free shows, and for seats that no clerk sold. No account can have this name.
NO_TICKET_TYPE = "(free show)"
ONLINE = "(online)"

Group = TypeVar("Group", bound=Hashable)


def percent(sold: int, seats: int) -> int:
    """Return the percentage, rounded down so that 100 means sold out."""
    return sold * 100 // seats if seats else 0


@dataclass(frozen=True)
class ShowFigures:
    """A show with its numbers of sold seats and of cancelled bookings."""

    pk: int
    movie_id: int
    movie: str
    screen_id: int
    screen: str
    starts_at: datetime
    ends_at: datetime
    is_cancelled: bool
    # Empty for a free show.
    price_list: str
    seats: int
    sold: int
    cancelled: int
    # The sum of the prices of the sold seats; only reports read it.
    takings: Decimal = Decimal(0)

    @property
    def percent(self) -> int:
        return percent(self.sold, self.seats)

    @property
    def amount(self) -> str:
        """The takings as text."""
        return format_amount(self.takings)


@dataclass(frozen=True)
class TakingsLine:
    """Seats sold and the sum of their prices, of a ticket type, a seat category or a clerk."""

    name: date | str
    sold: int
    takings: Decimal

    @property
    def label(self) -> str:
        """The name as text."""
        return self.name if isinstance(self.name, str) else f"{self.name:%a} {self.name.day} {self.name:%b %Y}"

    @property
    def amount(self) -> str:
        """The takings as text."""
        return format_amount(self.takings)


@dataclass(frozen=True)
class Line(TakingsLine):
    """The totals of a group of shows. Cancelled shows add no shows and seats, but their cancelled bookings."""

    shows: int
    seats: int
    cancelled: int

    @property
    def percent(self) -> int:
        return percent(self.sold, self.seats)


@dataclass(frozen=True)
class Report:
    """Sales of the shows that start in a period.

    Movies and screens are sorted by seats sold, ticket types, categories and clerks by takings, most first.
    """

    total: Line
    days: list[Line]
    movies: list[Line]
    screens: list[Line]
    shows: list[ShowFigures]
    ticket_types: list[TakingsLine]
    categories: list[TakingsLine]
    clerks: list[TakingsLine]


@dataclass(frozen=True)
class Programme:
    """Today's shows, and upcoming shows of the next days that are nearly full, the fullest first."""

    today: list[ShowFigures]
    nearly_full: list[ShowFigures]


@dataclass(frozen=True)
class Sales:
    """Numbers of bookings by the day on which they were made, without cancelled ones."""

    today: int
    yesterday: int
    yesterday_by_now: int


def read_day(*, day: date) -> list[ShowFigures]:
    """Return the shows that run on this day or start in the night after it, in the order of their start."""
    begin, end = day_bounds(first=day, last=day)
    return _figures(Show.objects.filter(starts_at__lt=end + NIGHT, ends_at__gt=begin))


def read_programme(*, now: datetime) -> Programme:
    """Return today's shows and nearly full shows. `now` is UTC."""
    today = timezone.localdate(now)
    begin, tomorrow = day_bounds(first=today, last=today)
    shows = _figures(Show.objects.filter(starts_at__gte=begin, starts_at__lte=now + SOON))
    return Programme(
        [show for show in shows if show.starts_at < tomorrow],
        _fullest(show for show in shows if show.starts_at > now and not show.is_cancelled),
    )


def _fullest(shows: Iterable[ShowFigures]) -> list[ShowFigures]:
    """Return the nearly full shows, the fullest first. Equally full shows keep the order of their start."""
    nearly_full = (show for show in shows if show.percent >= NEARLY_FULL_PERCENT)
    return sorted(nearly_full, key=lambda show: show.percent, reverse=True)[:MAX_NEARLY_FULL]


def read_sales(*, now: datetime) -> Sales:
    """Return what was sold today, yesterday, and yesterday by the same time of day. `now` is UTC."""
    local = timezone.localtime(now)
    day_before = local.date() - timedelta(days=1)
    today, yesterday = start_of(day=local.date()), start_of(day=day_before)
    by_now = in_utc(timezone.make_aware(datetime.combine(day_before, local.time())))
    # A seat is sold before its show starts, so earlier shows can be skipped.
    bookings = Booking.objects.sold().filter(created_at__gte=yesterday, show__starts_at__gt=yesterday)
    counts = bookings.order_by().aggregate(
        today=Count("show", filter=Q(created_at__gte=today)),
        yesterday=Count("show", filter=Q(created_at__lt=today)),
        yesterday_by_now=Count("show", filter=Q(created_at__lt=min(by_now, today))),
    )
    return Sales(**counts)


def read_report(*, first_day: date, last_day: date) -> Report:
    """Return the sales of shows that start from `first_day` to `last_day`, inclusive. Days without shows are listed."""
    begin, end = day_bounds(first=first_day, last=last_day)
    shows = _figures(Show.objects.starting_between(begin, end), with_takings=True)
    days = [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]
    # Looked up once: there may be thousands of shows.
    zone = timezone.get_current_timezone()
    by_day = _grouped(shows, lambda show: show.starts_at.astimezone(zone).date())
    return Report(
        _line("", shows),
        [_line(day, by_day.get(day, [])) for day in days],
        # Grouped by id, because two movies may have the same name.
        _best_first([_line(of[0].movie, of) for of in _grouped(shows, lambda show: show.movie_id).values()]),
        _best_first([_line(of[0].screen, of) for of in _grouped(shows, lambda show: show.screen_id).values()]),
        shows,
        **_takings_by_kind(begin, end),
    )


def _figures(shows: ShowQuerySet, *, with_takings: bool = False) -> list[ShowFigures]:
    """Read the figures of the shows in one query."""
    rows = (
        shows.with_seats_sold()
        .with_cancellations()
        .annotate(takings=_sum_of_prices() if with_takings else Value(Decimal(0)))
        .order_by("starts_at", "pk")
        .values_list(
            *("pk", "movie_id", "movie__title", "movie__release_date", "screen_id", "screen__name"),
            *("starts_at", "ends_at", "cancelled_at", "price_list__name", "price_list__version"),
            *("total_seats", "seats_sold", "cancellations", "takings"),
        )
    )
    return [
        ShowFigures(
            *(pk, movie_id, _movie(title, release), screen_id, screen, start, end),
            *(cancelled is not None, _price_list(prices, version), *figures),
        )
        for pk, movie_id, title, release, screen_id, screen, start, end, cancelled, prices, version, *figures in rows
    ]


def _sum_of_prices() -> Coalesce:
    """Return an expression that sums up the prices of the sold seats of the outer query's show."""
    of_show = Booking.objects.sold().filter(show=OuterRef("pk")).order_by().values("show")
    return Coalesce(Subquery(of_show.annotate(sum=total_of("price")).values("sum")), Value(Decimal(0)))


def _takings_by_kind(begin: datetime, end: datetime) -> dict[str, list[TakingsLine]]:
    """Return the takings by ticket type, seat category and clerk. The database groups by all three in one query."""
    sold = Booking.objects.sold().filter(show__starts_at__gte=begin, show__starts_at__lt=end).order_by()
    columns = ("ticket_type__name", "category", "sold_by__username")
    rows = list(sold.values_list(*columns).annotate(sold=Count("*"), takings=total_of("price")))
    names = dict(SeatCategory.objects.values_list("code", "name"))
    return {
        "ticket_types": _takings_lines((ticket_type or NO_TICKET_TYPE, *sums) for ticket_type, _, _, *sums in rows),
        # Halls of version 1.0, whose rows have no category, have standard seats.
        "categories": _takings_lines(
            (names.get(category or STANDARD, category), *sums) for _, category, _, *sums in rows
        ),
        "clerks": _takings_lines((clerk or ONLINE, *sums) for _, _, clerk, *sums in rows),
    }


def _takings_lines(rows: Iterable[tuple[Any, ...]]) -> list[TakingsLine]:
    """Add up rows of name, seats sold and takings by their name."""
    sums: dict[str, tuple[int, Decimal]] = {}
    for name, sold, takings in rows:
        sold_before, takings_before = sums.get(name, (0, Decimal(0)))
        sums[name] = (sold_before + sold, takings_before + takings)
    lines = [TakingsLine(name, *figures) for name, figures in sums.items()]
    return sorted(lines, key=lambda line: (-line.takings, -line.sold, str(line.name)))


@lru_cache(maxsize=1000)
def _movie(title: str, release_date: date | None) -> str:
    return str(Movie(title=title, release_date=release_date))


@lru_cache(maxsize=1000)
def _price_list(name: str | None, version: int) -> str:
    return str(PriceList(name=name, version=version)) if name else ""


def _grouped(shows: Sequence[ShowFigures], group: Callable[[ShowFigures], Group]) -> dict[Group, list[ShowFigures]]:
    groups: dict[Group, list[ShowFigures]] = {}
    for show in shows:
        groups.setdefault(group(show), []).append(show)
    return groups


def _line(name: date | str, shows: Sequence[ShowFigures]) -> Line:
    scheduled = [show for show in shows if not show.is_cancelled]
    return Line(
        name,
        sold=sum(show.sold for show in shows),
        takings=sum((show.takings for show in shows), Decimal(0)),
        shows=len(scheduled),
        seats=sum(show.seats for show in scheduled),
        cancelled=sum(show.cancelled for show in shows),
    )


def _best_first(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.sold, str(line.name)))
