"""Planning shows: what staff may do with a screen's schedule."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from booking.models import Booking, Movie, Screen, Show
from booking.services.bookings import ShowCancelled
from booking.services.locks import lock_screen, lock_show, write_transaction
from booking.services.refusals import Refusal

# What tickets already sold depend on.
FIXED_BY_BOOKINGS = ("movie", "screen", "seats_per_row")


class MovieLengthUnknown(Refusal):
    code = "movie_length_unknown"
    field = "movie"

    def __init__(self, movie: Movie) -> None:
        super().__init__(f"The length of {movie} is not known; enter it on the movie or enter the show's end.")


class ShowInThePast(Refusal):
    code = "show_in_the_past"
    field = "starts_at"

    def __init__(self) -> None:
        super().__init__("A show must start in the future.")


class ShowEndsBeforeItStarts(Refusal):
    code = "show_ends_before_it_starts"
    field = "ends_at"

    def __init__(self) -> None:
        super().__init__("A show must end after it starts.")


class ShowsOverlap(Refusal):
    code = "shows_overlap"
    field = "starts_at"

    def __init__(self, other: Show) -> None:
        ends_at = timezone.localtime(other.ends_at)
        super().__init__(f"Overlaps with {other}, which ends at {ends_at:%H:%M}.")


class ShowHasBookings(Refusal):
    code = "show_has_bookings"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


def plan_show(
    *,
    movie: Movie,
    screen: Screen,
    starts_at: datetime,
    now: datetime,
    ends_at: datetime | None = None,
    total_seats: int | None = None,
    seats_per_row: int | None = None,
) -> Show:
    """Puts a show on sale. Times are UTC.

    What is left out comes from the movie's length in minutes and the screen's seats. Raises
    MovieLengthUnknown, ShowInThePast, ShowEndsBeforeItStarts, ShowsOverlap or Busy.
    """
    show = Show(
        movie=movie,
        screen=screen,
        starts_at=starts_at,
        ends_at=ends_at or _end_of(movie, starts_at),
        total_seats=total_seats or screen.total_seats,
        seats_per_row=seats_per_row or screen.seats_per_row,
    )
    with write_transaction():
        _put_on_schedule(show, now)
    return show


def copy_show(*, show: Show, starts: Sequence[datetime], now: datetime) -> list[Show]:
    """Puts the same movie on the same screen at other times (UTC), all of them or none.

    The copies last as long as the original and take the screen's seats as they are now. Raises
    ShowInThePast, ShowsOverlap or Busy.
    """
    lasts = show.ends_at - show.starts_at
    screen = show.screen
    copies = [
        Show(
            movie=show.movie,
            screen=screen,
            starts_at=starts_at,
            ends_at=starts_at + lasts,
            total_seats=screen.total_seats,
            seats_per_row=screen.seats_per_row,
        )
        for starts_at in starts
    ]
    with write_transaction():
        for copy in copies:
            _put_on_schedule(copy, now)
    return copies


def change_show(*, show_id: int, now: datetime, **changes: Any) -> Show:
    """Changes the given fields of a show: movie, screen, starts_at, ends_at, total_seats, seats_per_row.

    A show that moves keeps its length unless `ends_at` says otherwise; one that moves to another
    screen takes that screen's seats unless the seats are given. Times are UTC. Raises NotFound,
    ShowCancelled, ShowHasBookings, MovieLengthUnknown, ShowInThePast, ShowEndsBeforeItStarts,
    ShowsOverlap or Busy.
    """
    with write_transaction():
        # Race: a seat sold while the hall shrinks; two members of staff at one show.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        _check_bookings_allow(show, changes)
        for name, value in (_implied_by(show, changes) | changes).items():
            setattr(show, name, value)
        if {"movie", "screen", "starts_at", "ends_at"} & changes.keys():
            _put_on_schedule(show, now, check_start="starts_at" in changes)
        else:
            show.save()
    return show


def call_off_show(*, show_id: int, now: datetime) -> int:
    """Cancels a show and every live booking of it; returns how many those were.

    `now` is UTC. Raises NotFound, ShowCancelled or Busy.
    """
    with write_transaction():
        # Race: a seat being booked or cancelled.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        show.cancelled_at = now
        show.save(update_fields=["cancelled_at"])
        return Booking.objects.live().filter(show=show).update(status=Booking.Status.CANCELLED, cancelled_at=now)


def delete_show(*, show_id: int) -> None:
    """Removes a show that was never booked. Raises NotFound, ShowHasBookings or Busy."""
    with write_transaction():
        # Race: the first seat being booked.
        show = lock_show(show_id)
        if show.bookings.exists():
            raise ShowHasBookings("A show with bookings can't be deleted; call it off instead.")
        show.delete()


def _end_of(movie: Movie, starts_at: datetime) -> datetime:
    if movie.duration_minutes is None:
        raise MovieLengthUnknown(movie)
    return starts_at + timedelta(minutes=movie.duration_minutes)


def _implied_by(show: Show, changes: dict[str, Any]) -> dict[str, Any]:
    """The values that follow from `changes` for fields they don't name."""
    implied: dict[str, Any] = {}
    starts_at = changes.get("starts_at", show.starts_at)
    if "movie" in changes:
        implied["ends_at"] = changes.get("ends_at") or _end_of(changes["movie"], starts_at)
    elif "starts_at" in changes:
        implied["ends_at"] = starts_at + (show.ends_at - show.starts_at)
    if "screen" in changes:
        implied |= {
            "total_seats": changes["screen"].total_seats,
            "seats_per_row": changes["screen"].seats_per_row,
        }
    return implied


def _check_bookings_allow(show: Show, changes: dict[str, Any]) -> None:
    highest = Booking.objects.live().filter(show=show).aggregate(Max("seat_number"))["seat_number__max"]
    if highest is None:
        return
    for name in FIXED_BY_BOOKINGS:
        if name in changes and changes[name] != getattr(show, name):
            raise ShowHasBookings("Seats of this show are sold; this can't be changed any more.", name)
    if changes.get("total_seats", show.total_seats) < highest:
        raise ShowHasBookings(
            f"Seat {show.seat_label(highest)} is sold; the show needs {highest} seats or more.", "total_seats"
        )


def _put_on_schedule(show: Show, now: datetime, *, check_start: bool = True) -> None:
    """Saves the show if its time is free on its screen. Raises the refusals of `plan_show`."""
    if check_start and show.starts_at <= now:
        raise ShowInThePast
    if show.ends_at <= show.starts_at:
        raise ShowEndsBeforeItStarts
    # Race: another show planned for the same time; no row of it exists yet that could be locked.
    screen = lock_screen(show.screen_id)
    others = Show.objects.on_the_bill().filter(screen=screen).exclude(pk=show.pk)
    overlapping = others.filter(starts_at__lt=show.ends_at, ends_at__gt=show.starts_at)
    other = overlapping.select_related("movie", "screen").first()
    if other is not None:
        raise ShowsOverlap(other)
    show.save()
