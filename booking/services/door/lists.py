"""Lists for the door: the seats of a show with their admissions, its recent scans, and the shows of the day."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from booking.models import Booking, CheckIn, Show, User
from booking.services.door.access import door_day, find_door_show
from booking.services.door.starts import opens_at
from booking.services.money.amounts import NO_MONEY, OrderKey, read_money

EXPECTED, ADMITTED, UNPAID, CANCELLED = "expected", "admitted", "unpaid", "cancelled"
DOOR_STATES = (EXPECTED, ADMITTED, UNPAID, CANCELLED)
RECENT_SCANS = 20


class DoorSeat(NamedTuple):
    """The data of a booking for the door; `serial` is that of its valid ticket."""

    booking_id: int
    seat_label: str
    serial: int
    state: str


@dataclass(frozen=True)
class DoorList:
    """The seats of a show that have been booked, by booking."""

    show: Show
    seats: list[DoorSeat]

    @property
    def version(self) -> tuple[Any, ...]:
        """All data that the list is made of: equal versions are equal lists."""
        return (self.show.pk, self.show.starts_at, self.seats)

    @property
    def opens_at(self) -> datetime:
        return opens_at(show=self.show)

    @property
    def sold(self) -> int:
        return sum(seat.state != CANCELLED for seat in self.seats)

    @property
    def admitted(self) -> int:
        return sum(seat.state == ADMITTED for seat in self.seats)


@dataclass(frozen=True)
class RecentScan:
    """A stored scan with the seat's label; `can_undo` if the booking is admitted and this is its newest scan."""

    check_in: CheckIn
    seat_label: str
    can_undo: bool


@dataclass(frozen=True)
class DoorShow:
    """A show of today with its number of sold and of admitted seats."""

    show: Show
    opens_at: datetime
    sold: int
    admitted: int


def read_door_list(*, show_id: int, by: User, now: datetime) -> DoorList:
    """Return the bookings that a show has or had, without names, so that a door can work offline.

    `by` is the member of staff, `now` is UTC. Raises NotFound.
    """
    show = find_door_show(show_id=show_id, by=by, now=now)
    bookings = list(
        Booking.objects.filter(show=show, status__in=[Booking.Status.BOOKED, Booking.Status.CANCELLED], expires_at=None)
        .only("show", "reference", "seat_number", "seat_label", "ticket_serial", "status", "price")
        .order_by("pk")
    )
    admitted = _admitted(show.pk)
    unpaid = _unpaid_orders(bookings)
    seats = []
    for booking in bookings:
        booking.show = show
        if booking.status == Booking.Status.CANCELLED:
            state = CANCELLED
        elif booking.pk in admitted:
            state = ADMITTED
        else:
            state = UNPAID if booking.reference in unpaid else EXPECTED
        seats.append(DoorSeat(booking.pk, booking.label, booking.ticket_serial, state))
    return DoorList(show, seats)


def _admitted(show_id: int) -> set[int]:
    """Return the ids of the show's bookings that are admitted."""
    return set(CheckIn.objects.filter(show=show_id).admitted().values_list("booking_id", flat=True))


def _unpaid_orders(bookings: list[Booking]) -> set[str]:
    """Return the references of the show's orders of which something is still to be paid."""
    orders: dict[OrderKey, list[Booking]] = {}
    for booking in bookings:
        if booking.status == Booking.Status.BOOKED:
            orders.setdefault((booking.show_id, booking.reference), []).append(booking)
    money = read_money(keys=orders.keys())
    return {key[1] for key, seats in orders.items() if money.get(key, NO_MONEY).due_for_tickets(seats)}


def read_recent_scans(*, show_id: int) -> list[RecentScan]:
    """Return the newest scans of a show, the newest first."""
    scans = list(CheckIn.objects.filter(show=show_id).select_related("by").order_by("-at", "-pk")[:RECENT_SCANS])
    of_scans = Booking.objects.filter(show=show_id, pk__in={scan.booking_id for scan in scans})
    bookings = {booking.pk: booking for booking in of_scans.select_related("show")}
    # A booking that two offline devices admitted is still admitted after one undo.
    undoable, recent = _admitted(show_id), []
    for scan in scans:
        recent.append(RecentScan(scan, bookings[scan.booking_id].label, scan.booking_id in undoable))
        undoable.discard(scan.booking_id)
    return recent


def read_door_shows(*, now: datetime) -> list[DoorShow]:
    """Return the scheduled shows that run today or start in the night after it, by start. `now` is UTC."""
    begin, end = door_day(now=now)
    shows = Show.objects.scheduled().filter(starts_at__lt=end, ends_at__gt=begin)
    rows = list(shows.select_related("movie", "screen").with_seats_sold().order_by("starts_at", "pk"))
    admitted = Counter(row["show"] for row in CheckIn.objects.filter(show__in=rows).admitted())
    return [DoorShow(show, opens_at(show=show), show.seats_sold, admitted[show.pk]) for show in rows]  # type: ignore[attr-defined]
