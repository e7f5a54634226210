"""Admissions and no-shows of a period."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import ExtractHour, ExtractMinute

from booking.models import Booking, CheckIn, Show
from booking.services.programme.local_time import day_bounds

QUARTER = 15


@dataclass(frozen=True)
class ShowAdmissions:
    """The sold and the admitted seats of a show."""

    starts_at: datetime
    movie: str
    screen: str
    sold: int
    admitted: int

    @property
    def no_shows(self) -> int:
        return self.sold - self.admitted


@dataclass(frozen=True)
class QuarterAdmissions:
    """The number of seats that were admitted in the quarter of an hour from this local time of day."""

    begin: time
    admitted: int


@dataclass(frozen=True)
class AdmissionsReport:
    shows: list[ShowAdmissions]
    quarters: list[QuarterAdmissions]


def read_admissions(*, first_day: date, last_day: date, now: datetime) -> AdmissionsReport:
    """Return the admissions of shows that start from `first_day` to `last_day` and have started by `now` (UTC)."""
    begin, end = day_bounds(first=first_day, last=last_day)
    shows = Show.objects.scheduled().starting_between(begin, min(end, now))
    admitted = _admitted(shows)
    by_show = dict(admitted.values_list("show").annotate(number=Count("*")))
    sold = shows.with_seats_sold().select_related("movie", "screen").order_by("starts_at", "pk")
    return AdmissionsReport(
        [
            ShowAdmissions(show.starts_at, str(show.movie), show.screen.name, show.seats_sold, by_show.get(show.pk, 0))  # type: ignore[attr-defined]
            for show in sold
        ],
        _by_quarter(admitted),
    )


def _admitted(shows: QuerySet[Show]) -> QuerySet[Booking]:
    """Return the sold seats of the shows that are admitted, with the time at which they last were."""
    scans = CheckIn.objects.filter(show=OuterRef("show"), booking_id=OuterRef("pk"))
    admissions = scans.admissions().values("number")
    entries = scans.order_by().filter(action=CheckIn.Action.IN).values("booking_id").annotate(last=Max("scanned_at"))
    sold = Booking.objects.sold().filter(show__in=shows).order_by()
    return sold.annotate(admissions=Subquery(admissions), came_at=Subquery(entries.values("last"))).filter(
        admissions__gt=0
    )


def _by_quarter(admitted: QuerySet[Booking]) -> list[QuarterAdmissions]:
    """Count the seats by quarter of the local hour. The database groups them by minute of the day."""
    minutes = admitted.annotate(hour=ExtractHour("came_at"), minute=ExtractMinute("came_at"))
    counts: Counter[time] = Counter()
    for hour, minute, number in minutes.values_list("hour", "minute").annotate(number=Count("*")):
        counts[time(hour, minute - minute % QUARTER)] += number
    return [QuarterAdmissions(begin, number) for begin, number in sorted(counts.items())]
