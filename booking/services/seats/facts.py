"""The input of the rules for seats: the request, and the state of the show, read under its lock."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, Exists, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from booking.infrastructure.metrics import LOCK_WAITS
from booking.infrastructure.statements import Query, numbered_values, send
from booking.models import Booking, BookingPredicates, Hall, Show, TicketType, User, new_reference
from booking.services.refusals import NotFound
from booking.services.seats.idempotency import IdempotentRequest, read_records
from booking.services.transactions import lock_row, read_show, retried, show_to_lock
from movieticket.admission import waiting_for_row

LARGEST_SEAT_NUMBER = 2**31 - 1


class Action(Enum):
    """The kinds of requests for seats, and of changes of an order's seats."""

    BOOK = "book"
    HOLD = "hold"
    MOVE = "move"
    BLOCK = "block"
    # Held seats become booked because they were paid for.
    SETTLE = "settle"
    SPLIT = "split"
    CHANGE_TYPES = "change ticket types"


# These need seats that are free; the others change seats that an order has.
SEAT_REQUESTS = (Action.BOOK, Action.HOLD, Action.MOVE, Action.BLOCK, Action.SETTLE)


@dataclass(frozen=True)
class Contact:
    """The contact details of a customer who has no account."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass
class SeatRequest:
    """A request for seats of a show: either `seat_numbers`, or the best `count` seats, which may be `split`.

    `ticket_types` are ids of ticket types by seat number, or for a count the number of seats by id of the ticket type.
    """

    action: Action
    show_id: int
    # None for customers without an account, and where staff block seats.
    user: User | None
    # UTC.
    now: datetime
    seat_numbers: Sequence[int] = ()
    count: int = 0
    split: bool = False
    # Whether the customer needs accessible seats; only for a count.
    accessible: bool = False
    ticket_types: Mapping[int, int] = field(default_factory=dict)
    # Whether the input is one `seat_number` with its `ticket_type`, and not a list.
    is_for_one_seat: bool = False
    # The sum of the prices that the customer was shown.
    expected_total: Decimal | None = None
    # The member of staff who makes the request for the customer.
    staff: User | None = None
    contact: Contact = Contact()
    # The booking that is moved.
    booking_id: int | None = None
    # The reference of the order whose seats are changed.
    order: str = ""
    idempotency: IdempotentRequest[Any] | None = None
    # The reference of the new bookings; it stays the same when the request is run again.
    reference: str = field(default_factory=new_reference)

    def __post_init__(self) -> None:
        if bool(self.seat_numbers) == (self.count > 0) or len(set(self.seat_numbers)) < len(self.seat_numbers):
            raise ValueError("Pass either seat numbers without duplicates or a count.")

    @property
    def number_of_seats(self) -> int:
        return self.count or len(self.seat_numbers)

    @property
    def user_id(self) -> int | None:
        return self.user.pk if self.user else None

    def seat_field(self, seat_number: int) -> str:
        """Return the name of the input with this seat, as a path."""
        return "seat_number" if self.is_for_one_seat else f"seat_numbers.{self.seat_numbers.index(seat_number)}"

    def ticket_type_field(self, seat_number: int, ticket_type: int) -> str:
        """Return the name of the input with the ticket type of a seat, as a path."""
        if self.action == Action.MOVE:
            # A booking takes its ticket type along, so only another seat helps.
            return "seat_number"
        if self.is_for_one_seat:
            return "ticket_type"
        return f"ticket_types.{ticket_type if self.count else seat_number}"


class _Columns(NamedTuple):
    pk: int
    user_id: int | None
    seat_number: int
    status: str
    reference: str
    created_at: datetime
    expires_at: datetime | None
    held_since: datetime | None
    category: str
    ticket_type_id: int | None
    price: Decimal


class SeatRow(_Columns, BookingPredicates):
    """A row of Booking with fewer columns."""

    __slots__ = ()


@dataclass
class Facts:
    """The show with its movie and screen, and rows of its bookings.

    The rows are those that occupy the requested seats, including expired holds, and the customer's other rows. For a
    count, they are all rows that occupy a seat. Unless the show `is_locked`, they may change at any time.
    """

    show: Show
    rows: Sequence[SeatRow]
    is_locked: bool
    # The record of the request's Idempotency-Key: digest and response.
    records: Sequence[tuple[str, str]] = ()
    # All ticket types by position: id, name and whether it is active.
    ticket_types: Sequence[tuple[int, str, bool]] = ()
    # Whether no seat is free; only set if a requested seat is taken.
    is_sold_out: bool = False

    @property
    def hall(self) -> Hall:
        return self.show.hall

    @property
    def active_types(self) -> list[int]:
        """The ids of the ticket types that are sold, by position."""
        return [pk for pk, _, is_active in self.ticket_types if is_active]

    def active_rows(self, now: datetime) -> list[SeatRow]:
        return [row for row in self.rows if row.is_active(now)]


# --- The statements ---------------------------------------------------------------------------


def _taken(p: Any, seats: int) -> QuerySet[Booking]:
    """Other customers' rows on the requested seats, and the customer's own bookings there."""
    active = Booking.objects.active(p.now).filter(show=p.show_id, seat_number__in=p.several("seat", seats)).order_by()
    return active.exclude(user=p.user_id, status=Booking.Status.HELD)


@lru_cache
def _lock_if_free(seats: int) -> Query:
    return Query(lambda p: show_to_lock(p).filter(~Exists(_taken(p, seats))))


def _number_taken(p: Any, **seats: Any) -> Subquery:
    """The number of taken seats of the show, or of these seats; null if that is 0."""
    taken = Booking.objects.active(p.now).filter(show=p.show_id, **seats).order_by().values("show")
    return Subquery(taken.annotate(n=Count("*")).values("n"))


# Seats spread over the hall. If one of them is free, the show is not sold out, and PostgreSQL does not count all seats,
# which takes longer with each one that is sold.
SAMPLE_SIZE = 4


def _if_sold_out(p: Any) -> QuerySet[Show, Any]:
    """Select the id of the show if none of its seats is free."""
    of_sample = _number_taken(p, seat_number__in=p.several("sample", SAMPLE_SIZE))
    shows = Show.objects.alias(of_sample=of_sample).filter(pk=p.show_id, of_sample=p.sample_seats)
    return shows.filter(total_seats__lte=_number_taken(p)).order_by().values_list("pk")


_find_if_sold_out = Query(_if_sold_out)
_COLUMNS = (
    *("pk", "user", "seat_number", "status", "reference", "created_at", "expires_at", "held_since"),
    *("category", "ticket_type", "price"),
)
_read_ticket_types = Query(
    lambda _: TicketType.objects.order_by("position", "pk").values_list("pk", "name", "is_active")
)


def _rows(p: Any) -> QuerySet[Booking, Any]:
    return Booking.objects.occupying().filter(show=p.show_id).order_by().values_list(*_COLUMNS)


@lru_cache
def _read_rows(seats: int, *, moves: bool = False, of_order: bool = False) -> Query:
    """Reads the rows that occupy the seats and the customer's other rows; each half of the union uses its own index.

    A booking that `moves` may be one without an account, and so may the other seats `of_order`.
    """

    def build(p: Any) -> Any:
        wanted = p.several("seat", seats)
        own = Q(user=p.user_id)
        if moves:
            own |= Q(pk=p.booking_id)
        if of_order:
            own |= Q(reference=p.order)
        others = _rows(p).filter(own).exclude(seat_number__in=wanted)
        return _rows(p).filter(seat_number__in=wanted).union(others, all=True)

    return Query(build)


# Most requests are for a few seats; these statements are compiled when a worker starts.
for _seats in range(1, 11):
    _read_rows(_seats, moves=False, of_order=False)
_read_rows(1, moves=True, of_order=False)
_lock_if_left = Query(lambda p: show_to_lock(p).filter(total_seats__gte=Coalesce(_number_taken(p), 0) + p.count))
_read_all_rows = Query(lambda p: _rows(p).order_by("seat_number"))


def lock_and_read(request: SeatRequest, *, wait: bool = False, is_locked: bool = False) -> Facts:
    """Begins the transaction, locks the show and reads the facts, in one round trip.

    Unless `wait`, the show is not locked if a requested seat is already taken or too few seats are left. So most
    requests for a popular show are refused without waiting for others. `is_locked` says that the transaction has locked
    the show before. Raises NotFound and Busy.
    """
    values = _values(request)
    lock = lock_row if wait else _lock_unless_taken(request)
    options = {"moves": request.action == Action.MOVE, "of_order": bool(request.order)}
    read_rows = _read_all_rows if request.count else _read_rows(len(request.seat_numbers), **options)
    calls = [lock.choose(values), read_show.choose(values), read_rows.choose(values), _read_ticket_types.choose(values)]
    if request.idempotency:
        calls.append(read_records.choose(values))
    # A transaction that has the lock needs no place; another thread may have it while it waits for this one.
    place = nullcontext() if is_locked else waiting_for_row("show", request.show_id)
    with LOCK_WAITS.time(), place:
        locked, shows, found, ticket_types, *recorded = send(*calls)
    if not shows:
        raise NotFound
    rows, records = [*map(SeatRow._make, found)], recorded[0] if recorded else []
    facts = Facts(shows[0], rows, bool(locked), records, ticket_types)
    wanted = [row for row in facts.rows if row.seat_number in request.seat_numbers]
    if any(row.is_taken_for(request.user, request.now) for row in wanted):
        # Without the lock this commits the transaction, which saves the round trip of a ROLLBACK.
        [found] = send(_find_if_sold_out.choose(values | _sample(facts.show.total_seats)), commit=not locked)
        facts.is_sold_out = bool(found)
    return facts


def _values(request: SeatRequest) -> dict[str, Any]:
    """Return the values of all parameters that the statements may take."""
    # Numbers that the column can't store become 0; the rules refuse them.
    seats = [seat if 1 <= seat <= LARGEST_SEAT_NUMBER else 0 for seat in request.seat_numbers]
    key = request.idempotency.values(request.now) if request.idempotency else {}
    return {
        "show_id": request.show_id,
        # 0 is an id that no user has. NULL would not work: comparisons with NULL are never true.
        "user_id": request.user_id or 0,
        "booking_id": request.booking_id or 0,
        "order": request.order,
        "now": request.now,
        "count": request.count,
        **numbered_values("seat", seats),
        **key,
    }


def _sample(total_seats: int) -> dict[str, int]:
    """Return the values of the sample's parameters. A small hall has a seat in it twice."""
    seats = [1 + n * (total_seats - 1) // (SAMPLE_SIZE - 1) for n in range(SAMPLE_SIZE)]
    return {"sample_seats": len(set(seats)), **numbered_values("sample", seats)}


def _lock_unless_taken(request: SeatRequest) -> Query:
    return _lock_if_left if request.count else _lock_if_free(len(request.seat_numbers))


@retried
def read_all(show: Show) -> Facts:
    """Reads the facts of all seats of the show without locking it. Raises Interrupted."""
    rows, ticket_types = send(_read_all_rows.choose({"show_id": show.pk}), _read_ticket_types.choose({}))
    return Facts(show, [*map(SeatRow._make, rows)], is_locked=False, ticket_types=ticket_types)
