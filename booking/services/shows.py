"""Planning, copying, changing, cancelling and deleting shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max
from django.utils import timezone

from booking.models import Booking, Movie, Screen, Show, User
from booking.services.local_time import in_utc
from booking.services.refusals import Refusal
from booking.services.rules import ShowCancelled, ShowStarted
from booking.services.transactions import lock_screen, lock_show, retried, write_transaction

# Datetime arithmetic works safely up to this year.
LAST_YEAR = 2199
# Fields that can't change once a customer has booked.
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


class ShowTooFarAhead(Refusal):
    code = "show_too_far_ahead"
    field = "starts_at"

    def __init__(self) -> None:
        super().__init__(f"A show must start before the year {LAST_YEAR + 1}.")


class ShowEndsBeforeItStarts(Refusal):
    code = "show_ends_before_it_starts"
    field = "ends_at"

    def __init__(self) -> None:
        super().__init__("A show must end after it starts.")


class ShowsOverlap(Refusal):
    code = "shows_overlap"
    field = "starts_at"

    def __init__(self, other: Show) -> None:
        ends_at, turnaround = timezone.localtime(other.ends_at), other.screen.turnaround_minutes
        needs = f"; the screen needs {turnaround} minutes between shows" if turnaround else ""
        super().__init__(f"Overlaps with {other}, which ends at {ends_at:%H:%M}{needs}.")


class ShowOver(Refusal):
    code = "show_over"

    def __init__(self) -> None:
        super().__init__("This show is over.")


class ShowHasBookings(Refusal):
    code = "show_has_bookings"

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field


@retried
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
    """Creates a show. Times have a zone, and durations are added in UTC.

    Defaults come from the movie's length in minutes and the screen's seats. Raises MovieLengthUnknown, ShowInThePast,
    ShowTooFarAhead, ShowEndsBeforeItStarts, ShowsOverlap, NotFound or Busy.
    """
    check_start(starts_at, now)
    starts_at = in_utc(starts_at)
    show = Show(
        movie=movie,
        screen=screen,
        starts_at=starts_at,
        ends_at=in_utc(ends_at) if ends_at else _end_of(movie, starts_at),
        total_seats=screen.total_seats if total_seats is None else total_seats,
        seats_per_row=screen.seats_per_row if seats_per_row is None else seats_per_row,
    )
    with write_transaction():
        put_on_schedule(show)
    return show


@retried
def copy_show(*, show: Show, starts: Sequence[datetime], now: datetime) -> list[Show]:
    """Copies a show to other start times, all or none. The times have a zone.

    The copies have the same length as the original, and the screen's current seats. Raises ShowInThePast,
    ShowTooFarAhead, ShowsOverlap, NotFound or Busy.
    """
    for starts_at in starts:
        check_start(starts_at, now)
    starts = [in_utc(starts_at) for starts_at in starts]
    length = in_utc(show.ends_at) - in_utc(show.starts_at)
    screen = show.screen
    copies = [
        Show(
            movie=show.movie,
            screen=screen,
            starts_at=starts_at,
            ends_at=starts_at + length,
            total_seats=screen.total_seats,
            seats_per_row=screen.seats_per_row,
        )
        for starts_at in starts
    ]
    with write_transaction():
        for copy in copies:
            put_on_schedule(copy)
    return copies


@retried
def change_show(*, show_id: int, now: datetime, **changes: Any) -> Show:
    """Changes the given fields of a show: movie, screen, starts_at, ends_at, total_seats, seats_per_row.

    A new start keeps the length. A new movie or screen also sets the length or the seats, unless they are given; None
    resets them to the movie's or the screen's values. After the start, only the end can be changed. Times have a zone.
    Raises NotFound, ShowCancelled, ShowStarted, ShowHasBookings, MovieLengthUnknown, ShowInThePast, ShowTooFarAhead,
    ShowEndsBeforeItStarts, ShowsOverlap or Busy.
    """
    changes = {name: in_utc(value) if isinstance(value, datetime) else value for name, value in changes.items()}
    with write_transaction():
        # Race: a booking of a seat that the change removes; two members of staff change the same show.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        if show.has_started(now) and changes.keys() - {"ends_at"}:
            raise ShowStarted
        if "starts_at" in changes:
            check_start(changes["starts_at"], now)
        changes = _with_dependent_fields(show, changes)
        _check_bookings_allow(show, changes, now)
        for name, value in changes.items():
            setattr(show, name, value)
        if {"movie", "screen", "starts_at", "ends_at"} & changes.keys():
            put_on_schedule(show)
        else:
            show.save()
    return show


@retried
def cancel_show(*, show_id: int, now: datetime, cancelled_by: User | None = None) -> int:
    """Cancels a show and all its bookings and holds; returns the number of bookings.

    `now` is UTC. `cancelled_by` is the member of staff. A show can still be cancelled while it runs. Raises NotFound,
    ShowCancelled, ShowOver or Busy.
    """
    with write_transaction():
        # Race: a seat is booked or cancelled.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        if show.ends_at <= now:
            raise ShowOver
        show.cancelled_at = now
        show.save(update_fields=["cancelled_at"])
        of_show = Booking.objects.filter(show=show)
        of_show.expired(now).update(status=Booking.Status.CANCELLED, cancelled_at=F("expires_at"))
        cancelled = {"status": Booking.Status.CANCELLED, "cancelled_at": now, "cancelled_by": cancelled_by}
        of_show.filter(status=Booking.Status.HELD).update(**cancelled)
        return of_show.sold().update(**cancelled)


@retried
def delete_show(*, show_id: int, now: datetime) -> None:
    """Deletes a show that has never been booked. `now` is UTC. Raises NotFound, ShowHasBookings or Busy."""
    with write_transaction():
        # Race: the first seat is booked.
        show = lock_show(show_id)
        of_show = Booking.objects.filter(show=show)
        if of_show.of_customers(now).exists():
            raise ShowHasBookings("A show with bookings can't be deleted; cancel it instead.")
        of_show.delete()
        show.delete()


def _end_of(movie: Movie, starts_at: datetime) -> datetime:
    if movie.duration_minutes is None:
        raise MovieLengthUnknown(movie)
    return starts_at + timedelta(minutes=movie.duration_minutes)


def _with_dependent_fields(show: Show, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes with the values that they imply for fields that are missing or None."""
    screen = changes.get("screen", show.screen)
    starts_at = changes.get("starts_at", show.starts_at)
    implied: dict[str, Any] = {}
    if changes.get("ends_at") is None:
        if "movie" in changes or "ends_at" in changes:
            implied["ends_at"] = _end_of(changes.get("movie", show.movie), starts_at)
        elif "starts_at" in changes:
            implied["ends_at"] = starts_at + (show.ends_at - show.starts_at)
    for name in ("total_seats", "seats_per_row"):
        if changes.get(name) is None and ("screen" in changes or name in changes):
            implied[name] = getattr(screen, name)
    return changes | implied


def _check_bookings_allow(show: Show, changes: dict[str, Any], now: datetime) -> None:
    of_show = Booking.objects.filter(show=show)
    fixed = [name for name in FIXED_BY_BOOKINGS if name in changes and changes[name] != getattr(show, name)]
    # Cancelled bookings count too, because customers can still see their movie, screen and seat.
    if fixed and of_show.of_customers(now).exists():
        raise ShowHasBookings("This show has bookings, so this can't be changed any more.", fixed[0])
    # On another screen, or with rows of another length, the blocked numbers would be different seats.
    if {"screen", "seats_per_row"} & set(fixed) and of_show.filter(status=Booking.Status.BLOCKED).exists():
        raise ShowHasBookings("This show has blocked seats; put them back on sale first.", fixed[0])
    highest = of_show.active(now).aggregate(Max("seat_number"))["seat_number__max"] or 0
    if changes.get("total_seats", show.total_seats) < highest:
        raise ShowHasBookings(
            f"Seat {show.seat_label(highest)} is taken; the show needs {highest} seats or more.", "total_seats"
        )


def check_start(starts_at: datetime, now: datetime) -> None:
    """Raises ShowInThePast or ShowTooFarAhead."""
    if starts_at <= now:
        raise ShowInThePast
    if starts_at.year > LAST_YEAR:
        raise ShowTooFarAhead


def put_on_schedule(show: Show) -> None:
    """Saves the show if its time is free on its screen. Raises the refusals of `plan_show`."""
    if show.ends_at <= show.starts_at:
        raise ShowEndsBeforeItStarts
    # Race: another show is planned for the same time. Its row does not exist yet, so the screen is locked.
    screen = lock_screen(show.screen_id)
    others = Show.objects.scheduled().filter(screen=screen).exclude(pk=show.pk)
    overlapping = others.filter(
        starts_at__lt=show.ends_at + screen.turnaround, ends_at__gt=show.starts_at - screen.turnaround
    )
    other = overlapping.select_related("movie", "screen").first()
    if other is not None:
        raise ShowsOverlap(other)
    show.save()
