"""When the doors of a show open, and what a new start means for customers who came at the old one."""

from copy import copy
from datetime import datetime, timedelta

from django.conf import settings

from booking.models import FormerStart, Show


def opens_at(*, show: Show) -> datetime:
    """Return the time (UTC) from which the tickets of the show are admitted."""
    return show.starts_at - timedelta(minutes=settings.DOORS_OPEN_MINUTES)


def show_at(*, show: Show, starts_at: datetime) -> Show:
    """Return an unsaved copy of the show with this start and the same length."""
    other = copy(show)
    other.starts_at, other.ends_at = starts_at, starts_at + (show.ends_at - show.starts_at)
    return other


def ends_admissions(*, old: Show, new: Show) -> bool:
    """Return whether a show that is moved has to admit its customers again.

    Not if the new doors open before the old end: customers wait in the hall for a show that is late.
    """
    return opens_at(show=new) >= old.ends_at


def shows_since(*, show: Show, at: datetime) -> list[Show]:
    """Return the show as it was when its doors were open at `at` (UTC), then as it was after each later move.

    The last one is the present show. It is the only one if the doors were open for no earlier start.
    """
    if at >= opens_at(show=show):
        return [show]
    starts = FormerStart.objects.filter(show=show).values_list("starts_at", flat=True)
    former = [show_at(show=show, starts_at=starts_at) for starts_at in starts]
    while former and not opens_at(show=former[0]) <= at < former[0].ends_at:
        del former[0]
    return [*former, show]
