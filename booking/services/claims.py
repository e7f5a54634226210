"""Claiming seats of a show for a customer: what a booking and a hold have in common."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Count, F, Q

from booking.models import Booking, SeatTaking, Show, User, new_reference
from booking.prepared import PreparedQuery
from booking.services.kept_shows import find_show
from booking.services.locks import (
    Contested,
    Interrupted,
    is_contested,
    lock_show,
    lock_show_if_free,
    mark_contested,
    retried,
    write_transaction,
)
from booking.services.looks import (
    LARGEST_SEAT_NUMBER,
    Look,
    Seen,
    forget_seat_left,
    live_seats,
    look_and_count,
    look_at,
    remember_seat_left,
)
from booking.services.receipts import Receipt
from booking.services.refusals import Busy, Refusal
from booking.services.seating import best_seats, largest_block, nearest_block


class SeatTaken(Refusal):
    code = "seat_taken"
    field = "seat_number"

    def __init__(self, show: Show, seats: Sequence[int]) -> None:
        labels = ", ".join(show.seat_label(seat) for seat in seats)
        super().__init__(
            f"Seat {labels} is already taken." if len(seats) == 1 else f"Seats {labels} are already taken.",
            seats=list(seats),
        )
        self.show = show


class SoldOut(Refusal):
    code = "sold_out"

    def __init__(self) -> None:
        super().__init__("This show is sold out.")


class NoBlock(Refusal):
    code = "no_block"

    def __init__(self, count: int, largest: int, *, split: bool) -> None:
        left = f"Fewer than {count} seats are left." if split else f"There are no {count} seats side by side."
        super().__init__(left, largest_block=largest)


class ShowStarted(Refusal):
    code = "show_started"

    def __init__(self) -> None:
        super().__init__("This show has already started.")


class ShowCancelled(Refusal):
    code = "show_cancelled"

    def __init__(self) -> None:
        super().__init__("This show has been cancelled.")


class NoSuchSeat(Refusal):
    code = "no_such_seat"
    field = "seat_number"

    def __init__(self, show: Show) -> None:
        super().__init__(f"This show has seats 1 to {show.total_seats}.")


class SeatLimitReached(Refusal):
    code = "seat_limit_reached"

    def __init__(self) -> None:
        super().__init__(f"One customer may have {settings.MAX_SEATS_PER_USER} seats in a show.")


@dataclass(frozen=True)
class Wish:
    """These seats, or else the best `count` seats there are, which may be `split` if need be."""

    seat_numbers: Sequence[int] = ()
    count: int = 0
    split: bool = False

    def __post_init__(self) -> None:
        if bool(self.seat_numbers) == (self.count > 0) or len(set(self.seat_numbers)) < len(self.seat_numbers):
            raise ValueError("Name seats, each once, or else a count.")


@lru_cache
def _on_seats_or_of_customer(seats: int) -> PreparedQuery:
    """All that is asked before seats are sold: who is on them, and the seats this customer has in the show."""
    on_a_seat = Booking.objects.on_a_seat().order_by()
    return PreparedQuery(
        lambda show, user, *numbers: on_a_seat.filter(show=show).filter(Q(seat_number__in=numbers) | Q(user=user)),
        2 + seats,
    )


@lru_cache
def _count_taken(shows: int) -> PreparedQuery:
    return PreparedQuery(
        lambda *arguments: (
            Booking.objects.live(arguments[-1])
            .filter(show__in=arguments[:-1])
            .order_by()
            .values_list("show")
            .annotate(Count("pk"))
        ),
        shows,
        times=1,
    )


def seats_taken(shows: Sequence[int], now: datetime) -> dict[int, int]:
    """How many seats of each of the shows can't be had at `now` (UTC), by id; a show where all can is left out."""
    return dict(_count_taken(len(shows))(*shows, now)) if shows else {}


def check_on_sale(show: Show, now: datetime) -> None:
    """Raises ShowCancelled or ShowStarted."""
    if show.is_cancelled:
        raise ShowCancelled
    if show.has_started(now):
        raise ShowStarted


def check_seats(show: Show, seats: Sequence[int]) -> None:
    """Raises NoSuchSeat."""
    if not all(show.has_seat(seat) for seat in seats):
        raise NoSuchSeat(show)


def check_free(
    show: Show,
    rows: Sequence[SeatTaking],
    seats: Sequence[int],
    user: User | None,
    now: datetime,
    is_sold_out: bool | None = None,
) -> None:
    """Raises SoldOut or SeatTaken where one of the rows is on one of the seats, but for the user's own holds.

    Whether the show `is_sold_out` is counted if it isn't known.
    """
    taken = [
        row.seat_number
        for row in rows
        if row.seat_number in seats and row.is_live(now) and not (user and row.is_hold_of(user, now))
    ]
    if not taken:
        return
    if is_sold_out is None:
        is_sold_out = seats_taken([show.pk], now).get(show.pk, 0) >= show.total_seats
    # Who holds another seat can still book that one.
    if is_sold_out and not any(user and row.is_hold_of(user, now) for row in rows):
        raise SoldOut
    raise SeatTaken(show, sorted(taken))


def rows_on_seats(show: Show, seats: Sequence[int]) -> list[Booking]:
    """Whoever is on the seats, holds that have run out among them."""
    return list(Booking.objects.on_a_seat().filter(show=show, seat_number__in=seats).order_by())


def shared_reference(holds: Collection[Booking]) -> str:
    """The reference of seats that were held together, which they keep; else a new one."""
    references = {hold.reference for hold in holds}
    return references.pop() if len(references) == 1 else new_reference()


def clear_seats(show: Show, rows: Sequence[Booking], now: datetime) -> None:
    """Takes those of the rows off their seats that are holds which have run out; the caller has the show's lock."""
    run_out = [row.pk for row in rows if row.has_run_out(now)]
    if run_out:
        Booking.objects.filter(show=show, pk__in=run_out).update(
            status=Booking.Status.CANCELLED, cancelled_at=F("expires_at")
        )


@dataclass
class Claim:
    """What a customer wants of a show at a time (UTC), by what request. By the time it knows what it has got."""

    user: User
    show_id: int
    wish: Wish
    now: datetime
    receipt: Receipt[list[Booking]] | None
    # Seats not to be chosen for this customer, though they are free.
    avoid: Callable[[Show], Collection[int]] = lambda _: ()
    # Had already, at the seats of the wish.
    look: Look | None = None
    # A sale at once was tried in vain.
    is_tried: bool = False
    # A sale at this very time may have been committed.
    may_be_done: bool = False

    @retried
    def carry_out(
        self,
        write: Callable[[Show, list[int], list[Booking]], list[Booking]],
        at_once: Callable[..., list[Booking]] | None = None,
    ) -> list[Booking]:
        """Lets `write` put the customer on the seats, if the rules allow it, and returns what that returns.

        `write` gets the show, locked; the seats; and the rows that are on them, none of them in the way. `at_once`,
        told whether to be patient, does all of that where nothing is in the way; else it gives nothing, or raises
        Contested. Raises NotFound, ShowCancelled, ShowStarted, NoSuchSeat, SeatTaken, SoldOut, NoBlock,
        SeatLimitReached, IdempotencyKeyReused, Busy or Replay.
        """
        try:
            return self._carry_out(write, at_once)
        except Interrupted as interruption:
            # Then it is looked for, so that it is safe to run this again whatever has happened.
            self.may_be_done = self.may_be_done or interruption.committing
            raise Interrupted from interruption
        except IntegrityError as error:
            # The constraint has the last word should a seat ever be written without the lock.
            self._look()
            # The user was deleted at this very moment; asked again, the request is refused for it.
            raise Busy from error

    def _carry_out(
        self,
        write: Callable[[Show, list[int], list[Booking]], list[Booking]],
        at_once: Callable[..., list[Booking]] | None,
    ) -> list[Booking]:
        # Once: whoever tries again is to see what is there then.
        look, self.look = self.look, None
        if self.may_be_done:
            return self._in_transaction(write, lock_show)
        if not (self.is_tried or is_contested(self.show_id)):
            with suppress(Contested):
                if at_once is None:
                    return self._in_transaction(write, lock_show_if_free)
                if done := at_once(patient=False):
                    return done
                at_once = None
        # Most who come while a hot show sells want a seat that is gone. They are told without the lock, which stays
        # free for those who still have a chance.
        self._look(look)
        if at_once and (done := at_once(patient=True)):
            return done
        return self._in_transaction(write, lock_show)

    def _look(self, look: Look | None = None) -> None:
        """Refuses what is hopeless; by the `look` that was had, if one was."""
        try:
            if self.wish.count:
                self._look_for_count()
            elif seats := [seat for seat in self.wish.seat_numbers if 1 <= seat <= LARGEST_SEAT_NUMBER]:
                self._look_at_seats(seats, look)
        except Refusal:
            # Race: the same request, sent twice, took the seat itself; under the lock it will find out.
            if not (self.receipt and self.receipt.is_known(self.user, self.show_id)):
                mark_contested(self.show_id)
                raise

    def _look_for_count(self) -> None:
        show = Show.objects.filter(pk=self.show_id).first()
        if show:
            check_on_sale(show, self.now)
            self._best(show)

    def _look_at_seats(self, seats: list[int], look: Look | None) -> None:
        look = look or look_at(self.show_id, seats)
        if look:
            show = self._show_on_sale(look.rows)
            wanted = [row for row in look.rows if row.seat_number in seats]
            if show is None or not wanted:
                return
            if look.finds_seat_left(show, self.now):
                check_free(show, wanted, seats, self.user, self.now, is_sold_out=False)
                return
            forget_seat_left(self.show_id)
        rows = look_and_count(self.show_id, self.user.pk, seats, self.now)
        show = self._show_on_sale(rows)
        if show is None:
            return
        is_sold_out = (rows[0].seats_taken or 0) >= show.total_seats
        try:
            check_free(show, rows, seats, self.user, self.now, is_sold_out)
        except SeatTaken:
            remember_seat_left(show, self.now)
            raise

    def _show_on_sale(self, rows: list[Seen]) -> Show | None:
        """The show of rows that a look found. Raises ShowCancelled, ShowStarted or NoSuchSeat."""
        show = find_show(self.show_id, rows[0].version) if rows else None
        if show:
            check_on_sale(show, self.now)
            check_seats(show, self.wish.seat_numbers)
        return show

    def _in_transaction(self, write: Callable[..., list[Booking]], lock: Callable[[int], Show]) -> list[Booking]:
        """Race: two buyers of one seat, or of one customer's last allowed seats; staff changing the show."""
        with write_transaction():
            show = lock(self.show_id)
            if self.receipt:
                self.receipt.look_up(self.user, show)
            if self.may_be_done:
                done = self._done(show)
                # A hold of some that were held already is found in part, and made again.
                if len(done) == (self.wish.count or len(self.wish.seat_numbers)):
                    return done
            done = write(show, *self._decide(show))
            if self.receipt:
                self.receipt.keep(self.user, show, done)
            return done

    def _done(self, show: Show) -> list[Booking]:
        """What an earlier try has got whose commit was not heard of."""
        done = list(Booking.objects.live(self.now).filter(show=show, user=self.user, created_at=self.now))
        for booking in done:
            booking.show = show
        return sorted(done, key=lambda booking: booking.seat_number)

    def _decide(self, show: Show) -> tuple[list[int], list[Booking]]:
        """The seats to be had, and the rows on them."""
        check_on_sale(show, self.now)
        if self.wish.count:
            seats = self._best(show)
            return seats, rows_on_seats(show, seats)
        seats = list(self.wish.seat_numbers)
        check_seats(show, seats)
        rows: list[Booking] = _on_seats_or_of_customer(len(seats))(show.pk, self.user.pk, *seats)
        check_free(show, rows, seats, self.user, self.now)
        others = [row for row in rows if row.user_id == self.user.pk and row.seat_number not in seats]
        self._check_limit(sum(row.is_live(self.now) for row in others))
        return seats, [row for row in rows if row.seat_number in seats]

    def _check_limit(self, others: int) -> None:
        if others + (self.wish.count or len(self.wish.seat_numbers)) > settings.MAX_SEATS_PER_USER:
            raise SeatLimitReached

    def _best(self, show: Show) -> list[int]:
        holders = {seat_number: holder for seat_number, _, holder in live_seats(show.pk, self.now)}
        self._check_limit(sum(holder == self.user.pk for holder in holders.values()))
        hall = (show.total_seats, show.seats_per_row, holders.keys() | set(self.avoid(show)))
        seats = best_seats(*hall, self.wish.count, split=self.wish.split)
        if seats is not None:
            return seats
        largest = largest_block(*hall)
        raise NoBlock(self.wish.count, largest, split=self.wish.split) if largest else SoldOut

    def carry_out_or_offer(self, write: Callable[[Show, list[int], list[Booking]], list[Booking]]) -> list[Booking]:
        """The same, but SeatTaken has `alternatives`: the nearest block of as many free seats as were wanted."""
        try:
            return self.carry_out(write)
        except SeatTaken as refusal:
            refusal.extra["alternatives"] = self._alternatives(refusal.show)
            raise

    @retried
    def _alternatives(self, show: Show) -> list[int]:
        live = Booking.objects.live(self.now).filter(show=show).order_by()
        held_by_user = Q(user=self.user, status=Booking.Status.HELD)
        taken = set(live.exclude(held_by_user).values_list("seat_number", flat=True))
        return nearest_block(show.total_seats, show.seats_per_row, taken, self.wish.seat_numbers)
