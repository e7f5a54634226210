"""The doors that a member of staff sees: with the permission `check_in` alone, those of the day."""

from datetime import datetime

from django.utils import timezone

from booking.models import Show, User
from booking.services.programme.local_time import day_bounds
from booking.services.refusals import NotFound, first_or_not_found
from booking.services.reports import NIGHT


def door_day(*, now: datetime) -> tuple[datetime, datetime]:
    """Return the period (UTC) in which a show of the day runs or starts: today and the night after it."""
    today = timezone.localdate(now)
    begin, end = day_bounds(first=today, last=today)
    return begin, end + NIGHT


def sees_all_doors(*, user: User) -> bool:
    """Return whether the user sees the doors of all shows, because they see the shows or the bookings anyway."""
    return user.has_perm("booking.view_show") or user.has_perm("booking.view_booking")


def check_sees_door(*, show: Show, by: User, now: datetime) -> None:
    """Raises NotFound if the show is not one of the day and `by` sees no other ones. Cancelled shows count, too."""
    begin, end = door_day(now=now)
    if not (show.ends_at > begin and show.starts_at < end) and not sees_all_doors(user=by):
        raise NotFound("You see the doors of today's shows only.")


def find_door_show(*, show_id: int, by: User, now: datetime) -> Show:
    """Return the show with movie and screen. Raises NotFound."""
    show = first_or_not_found(Show.objects.select_related("screen", "movie").filter(pk=show_id))
    check_sees_door(show=show, by=by, now=now)
    return show
