"""Dates and lengths in the cells of a file of movies."""

import re
from datetime import date, datetime
from enum import Enum

from django.core.exceptions import ValidationError

WRITTEN_DATES = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y")
# A spreadsheet may add a time of midnight.
MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?Z?$")
YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
SHORT_YEAR = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}")
MINUTES = re.compile(r"([0-9]{1,9})(?:\.0+)?\s*(?:m|mins?|minutes?|')?\.?", re.IGNORECASE)
HOURS = re.compile(r"([0-9]{1,2})\s*(?:h|hrs?|hours?)\.?\s*(?:([0-9]{1,2})\s*(?:m|mins?|minutes?)?\.?)?", re.IGNORECASE)


class DateOrder(Enum):
    """The order of day and month in dates such as 03/04/2026."""

    DAY = "day"
    MONTH = "month"


def readings(text: str) -> tuple[date | None, date | None]:
    """Return a date such as 03/04/2026 read with the day and with the month first, None where there is no such day."""
    match = YEAR_LAST.fullmatch(MIDNIGHT.sub("", text))
    if match is None:
        return None, None
    one, two, year = (int(match[group]) for group in (1, 3, 4))
    return _date(year, two, one), _date(year, one, two)


def read_date(text: str, order: DateOrder | None) -> date | None:
    """Raises ValidationError."""
    if not text:
        return None
    day_first, month_first = readings(text)
    found = month_first if order is DateOrder.MONTH else day_first
    found = found or _read_iso_date(text) or _read_written_date(text)
    if found:
        return found
    if SHORT_YEAR.fullmatch(text):
        raise ValidationError({"release_date": f"“{text}” has a year of two digits; write four"})
    raise ValidationError({"release_date": f"“{text}” is not a date such as Jun 12 1998 or 1998-06-12"})


def _read_iso_date(text: str) -> date | None:
    match = YEAR_FIRST.fullmatch(MIDNIGHT.sub("", text))
    return _date(int(match[1]), int(match[3]), int(match[4])) if match else None


def _read_written_date(text: str) -> date | None:
    words = re.sub(r"[\s,.-]+", " ", text) if text.isascii() else ""
    for form in WRITTEN_DATES:
        try:
            return datetime.strptime(words, form).date()  # noqa: DTZ007 (a date has no time zone)
        except ValueError:
            continue
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_duration(text: str) -> int | None:
    """Return a length such as 117, 117 min or 1 h 57 in minutes. Raises ValidationError."""
    if not text:
        return None
    if minutes := MINUTES.fullmatch(text):
        return int(minutes[1])
    if hours := HOURS.fullmatch(text):
        return int(hours[1]) * 60 + int(hours[2] or 0)
    raise ValidationError({"duration_minutes": f"“{text}” is not a whole number of minutes"})
