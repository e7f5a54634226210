"""Planning, copying, changing, cancelling and deleting shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from booking.models import Booking, FormerStart, Movie, Order, Payment, PriceList, Screen, Show, User
from booking.services.door.admitted import undo_outdated_admissions
from booking.services.mail.outbox import booked_references, enqueue_cancelled_show_mail, enqueue_new_time_mail
from booking.services.money.refunds import refund_overpaid
from booking.services.programme.local_time import in_utc
from booking.services.refusals import Refusal
from booking.services.seats.rules.sale import ShowCancelled, ShowStarted
from booking.services.transactions import lock_screen, lock_show, retried, write_transaction

# Datetime arithmetic works safely up to this year.
LAST_YEAR = 2199
# Fields that can't change once a customer has booked.
FIXED_BY_BOOKINGS = ("movie", "screen")
CHANGEABLE = {"movie", "screen", "starts_at", "ends_at", "price_list"}


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


class PriceListChanged(Refusal):
    """The price list was replaced by one with other prices, or deleted, since it was chosen."""

    code = "price_list_changed"
    field = "price_list"

    def __init__(self) -> None:
        super().__init__("This price list was changed at the same time. Choose it again.")


@retried
def plan_show(
    *,
    movie: Movie,
    screen: Screen,
    starts_at: datetime,
    now: datetime,
    ends_at: datetime | None = None,
    price_list: PriceList | None = None,
    is_free: bool = False,
) -> Show:
    """Creates a show with the screen's seat plan. Times have a zone, and durations are added in UTC.

    The default of `ends_at` comes from the movie's length in minutes. The default of `price_list` is the screen's;
    without one, or if it `is_free`, the show is free. Raises MovieLengthUnknown, ShowInThePast,
    ShowTooFarAhead, ShowEndsBeforeItStarts, ShowsOverlap, PriceListChanged, NotFound or Busy.
    """
    check_start(starts_at, now)
    starts_at = in_utc(starts_at)
    show = Show(
        movie=movie,
        screen=screen,
        starts_at=starts_at,
        ends_at=in_utc(ends_at) if ends_at else _end_of(movie, starts_at),
        price_list=None if is_free else price_list or screen.price_list,
        **seats_of(screen),
    )
    with write_transaction():
        put_on_schedule(show)
        lock_price_list(show.price_list)
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
    copies = [copy_at(show, starts_at) for starts_at in starts]
    with write_transaction():
        for copy in copies:
            put_on_schedule(copy)
    return copies


@retried
def change_show(*, show_id: int, now: datetime, changed_by: User, note: str = "", **changes: Any) -> Show:
    """Changes the given fields of a show: movie, screen, starts_at, ends_at, price_list.

    A new start keeps the length. A new movie also sets the length, unless `ends_at` is given; None resets it to the
    movie's. A new screen brings its seat plan. A new price list changes no price of a booked or held seat. After the
    start, only the end can be changed. Times have a zone. Customers are told of a new start, with `note`. If its
    doors open after the old end, `changed_by`, the member of staff, undoes the admissions.
    Raises NotFound, ShowCancelled, ShowStarted, ShowHasBookings, MovieLengthUnknown, ShowInThePast, ShowTooFarAhead,
    ShowEndsBeforeItStarts, ShowsOverlap, PriceListChanged or Busy.
    """
    changes = {name: in_utc(value) if isinstance(value, datetime) else value for name, value in changes.items()}
    if unknown := changes.keys() - CHANGEABLE:
        raise TypeError(f"These fields can't be changed: {', '.join(sorted(unknown))}")
    with write_transaction():
        # Race: a first booking, which fixes movie and screen; two members of staff change the same show.
        show = lock_show(show_id)
        if show.is_cancelled:
            raise ShowCancelled
        if show.has_started(now) and changes.keys() - {"ends_at"}:
            raise ShowStarted
        if "starts_at" in changes:
            check_start(changes["starts_at"], now)
        changes, old_start = _with_dependent_fields(show, changes), show.starts_at
        _check_bookings_allow(show, changes, now)
        for name, value in changes.items():
            setattr(show, name, value)
        if {"movie", "screen", "starts_at", "ends_at"} & changes.keys():
            put_on_schedule(show)
        else:
            show.save()
        lock_price_list(changes.get("price_list"))
        if show.starts_at != old_start:
            _follow_new_start(show, old_start, changed_by, note, now)
    return show


def _follow_new_start(show: Show, old_start: datetime, changed_by: User, note: str, now: datetime) -> None:
    FormerStart.objects.create(show=show, starts_at=old_start)
    undo_outdated_admissions(show=show, old_start=old_start, by=changed_by, now=now)
    enqueue_new_time_mail(show=show, old_start=old_start, references=booked_references(show), note=note, now=now)


@retried
def cancel_show(*, show_id: int, now: datetime, cancelled_by: User | None = None, note: str = "") -> int:
    """Cancels a show and all its bookings and holds; returns the number of bookings.

    `now` is UTC. `cancelled_by` is the member of staff. Customers are told, with `note`. A show can still be cancelled
    while it runs. Raises NotFound, ShowCancelled, ShowOver or Busy.
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
        of_show.expired(now).release()
        of_show.filter(status=Booking.Status.HELD).cancel(now, cancelled_by)
        enqueue_cancelled_show_mail(show=show, references=booked_references(show), note=note, now=now)
        number = of_show.sold().cancel(now, cancelled_by)
        refund_overpaid(show=show, references=None, now=now, reason="The show was cancelled.", by=cancelled_by)
        return number


@retried
def delete_show(*, show_id: int, now: datetime) -> None:
    """Deletes a show that has never been booked. `now` is UTC. Raises NotFound, ShowHasBookings or Busy."""
    with write_transaction():
        # Race: the first seat is booked.
        show = lock_show(show_id)
        of_show = Booking.objects.filter(show=show)
        if of_show.of_customers(now).exists() or Payment.objects.filter(show=show).exists():
            raise ShowHasBookings("A show with bookings can't be deleted; cancel it instead.")
        of_show.delete()
        Order.objects.filter(show=show).delete()
        show.delete()


def _end_of(movie: Movie, starts_at: datetime) -> datetime:
    if movie.duration_minutes is None:
        raise MovieLengthUnknown(movie)
    return starts_at + timedelta(minutes=movie.duration_minutes)


def _with_dependent_fields(show: Show, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes with the values that they imply for fields that are missing or None."""
    starts_at = changes.get("starts_at", show.starts_at)
    implied: dict[str, Any] = {}
    if changes.get("ends_at") is None:
        if "movie" in changes or "ends_at" in changes:
            implied["ends_at"] = _end_of(changes.get("movie", show.movie), starts_at)
        elif "starts_at" in changes:
            implied["ends_at"] = starts_at + (show.ends_at - show.starts_at)
    if "screen" in changes:
        implied |= seats_of(changes["screen"])
    return changes | implied


def copy_at(show: Show, starts_at: datetime) -> Show:
    """Return an unsaved copy: the same length and prices, and the screen's current seats."""
    return Show(
        movie=show.movie,
        screen=show.screen,
        starts_at=starts_at,
        ends_at=starts_at + (in_utc(show.ends_at) - in_utc(show.starts_at)),
        price_list=show.price_list,
        **seats_of(show.screen),
    )


def seats_of(screen: Screen) -> dict[str, Any]:
    """Return the fields of a show on the screen's current seat plan."""
    hall = screen.hall
    return {
        "plan_id": screen.plan_id,
        "total_seats": hall.total_seats,
        # Version 1.0 labels seats by it.
        "seats_per_row": max(map(len, hall.rows)),
    }


def _check_bookings_allow(show: Show, changes: dict[str, Any], now: datetime) -> None:
    of_show = Booking.objects.filter(show=show)
    fixed = [name for name in FIXED_BY_BOOKINGS if name in changes and changes[name] != getattr(show, name)]
    # Cancelled bookings count too, because customers can still see their movie, screen and seat.
    if fixed and of_show.of_customers(now).exists():
        raise ShowHasBookings("This show has bookings, so this can't be changed any more.", fixed[0])
    # A hold that ended is booked if its payment arrives, also one that was declined. Paid ones are booked or refunded.
    if fixed and Payment.objects.filter(show=show).exclude(status=Payment.Status.PAID).exists():
        raise ShowHasBookings("A customer may still pay for seats of this show, so this can't be changed.", fixed[0])
    # On another screen, the blocked numbers would be different seats.
    if "screen" in fixed and of_show.filter(status=Booking.Status.BLOCKED).exists():
        raise ShowHasBookings("This show has blocked seats; put them back on sale first.", "screen")


def lock_price_list(price_list: PriceList | None) -> None:
    """Locks the price list that a show gets, after the show or its screen. Raises PriceListChanged."""
    # Race: the list is replaced, because no show uses it yet.
    if price_list and not PriceList.objects.select_for_update(no_key=True).filter(pk=price_list.pk).exists():
        raise PriceListChanged


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
