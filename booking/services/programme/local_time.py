"""Local times and days. When the clocks go forward some times don't exist, when they go back some come twice."""

from datetime import date, datetime, time, timedelta, timezone

from django.utils import timezone as django_timezone

from booking.services.refusals import Kind, Refusal

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# The first and the last day whose bounds exist in UTC in every time zone.
FIRST_DAY, LAST_DAY = date(1, 1, 2), date(9999, 12, 30)


class NoSuchLocalTime(Refusal):
    code = "no_such_local_time"
    kind = Kind.INVALID

    def __init__(self, local: datetime, change: "ClockChange") -> None:
        super().__init__(
            f"{_named(local)} does not exist in {_zone_name()}: "
            f"the clocks go forward from {change.before:%H:%M} to {change.after:%H:%M}."
        )


class LocalTimeTwice(Refusal):
    """The time is ambiguous; `offsets` lists the offsets of both times, the earlier one first."""

    code = "local_time_twice"
    kind = Kind.INVALID

    def __init__(self, local: datetime, offsets: list[str], change: "ClockChange") -> None:
        first, second = offsets
        super().__init__(
            f"{_named(local)} comes twice in {_zone_name()}: "
            f"the clocks go back from {change.before:%H:%M} to {change.after:%H:%M}. "
            f"Choose UTC{first}, before the change, or UTC{second}, after it."
        )
        self.offsets = offsets


class ClockChange:
    """The change of the clocks between two times: the local times before and after it, and the difference."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        zone = django_timezone.get_current_timezone()
        old = begin.astimezone(zone).utcoffset()
        while end - begin > SECOND:
            middle = begin + (end - begin) / 2
            if middle.astimezone(zone).utcoffset() == old:
                begin = middle
            else:
                end = middle
        moment = end.replace(microsecond=0)
        self.after = moment.astimezone(zone)
        self.shift = (self.after.utcoffset() or timedelta()) - (old or timedelta())
        self.before = self.after.replace(tzinfo=None) - self.shift


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC. Python adds durations to local times as if no clock ever changed."""
    return moment.astimezone(timezone.utc)


def start_of(*, day: date) -> datetime:
    """Return the start of the day in UTC. A day begins at midnight in the cinema's time zone."""
    return _moment(datetime.combine(day, time.min), fold=0)


def day_bounds(*, first: date, last: date) -> tuple[datetime, datetime]:
    """Return the start of the first day and the end of the last one, in UTC. A day may have 23 or 25 hours."""
    return start_of(day=max(first, FIRST_DAY)), start_of(day=min(last, LAST_DAY) + DAY)


def read_local_time(*, local: datetime, offset: str = "") -> datetime:
    """Return the moment of a local time without a zone, in UTC.

    `offset`, such as "+01:00", chooses one of two moments; it has no effect if there is only one. Raises
    NoSuchLocalTime and LocalTimeTwice.
    """
    moments = _moments(local)
    if not moments:
        # In the gap, the offset after the change gives an earlier moment than the offset before it.
        raise NoSuchLocalTime(local, ClockChange(_moment(local, fold=1), _moment(local, fold=0)))
    if len(moments) == 1:
        return moments[0]
    by_offset = {offset_of(moment=moment): moment for moment in moments}
    if offset not in by_offset:
        raise LocalTimeTwice(local, list(by_offset), ClockChange(*moments))
    return by_offset[offset]


def find_offsets(*, local: datetime) -> list[str]:
    """Return the offsets of a local time that comes twice, the earlier one first; otherwise an empty list."""
    moments = _moments(local)
    return [offset_of(moment=moment) for moment in moments] if len(moments) > 1 else []


def offset_of(*, moment: datetime) -> str:
    """Return the cinema's offset from UTC at this moment, such as +01:00."""
    return django_timezone.localtime(moment).isoformat(timespec="minutes")[16:]


def find_clock_change(*, begin: datetime, end: datetime) -> timedelta | None:
    """Return how far the clocks go forward for the first time between two moments, or None if they don't change."""
    zone = django_timezone.get_current_timezone()
    while begin < end:
        next_day = min(begin + DAY, end)
        old, new = (moment.astimezone(zone).utcoffset() or timedelta() for moment in (begin, next_day))
        if old != new:
            return new - old
        begin = next_day
    return None


def _moments(local: datetime) -> list[datetime]:
    """Return the moments that have this local time, in their order."""
    zone = django_timezone.get_current_timezone()
    both = (_moment(local, fold) for fold in (0, 1))
    return sorted({moment for moment in both if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local})


def _moment(local: datetime, fold: int) -> datetime:
    return in_utc(local.replace(tzinfo=django_timezone.get_current_timezone(), fold=fold))


def _named(local: datetime) -> str:
    return f"{local:%H:%M} on {local:%A} {local.day} {local:%B %Y}"


def _zone_name() -> str:
    return django_timezone.get_current_timezone_name()
