"""Admitting customers at the door, and undoing that.

A booking is admitted while it has more admissions than undos: two devices that were offline may both have admitted it.
An online scan admits a booking once. A scan that a device made offline is stored whatever the rules say, because the
customer is in; `CheckIn.reason` then has the code of the refusal. If the show was moved meanwhile, the scan counts as
if it had arrived before: the doors opened for the old start, and the move may undo the admission.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from booking.infrastructure.statements import Insert, mark_saved
from booking.models import Booking, CheckIn, Show, User, represent_amount
from booking.services.door.access import check_sees_door, find_door_show
from booking.services.door.facts import ScanFacts, lock_and_read_scan
from booking.services.door.starts import ends_admissions, opens_at, shows_since
from booking.services.door.tickets import TicketInvalid, read_ticket
from booking.services.refusals import Busy, InvalidInput, Kind, NotFound, Refusal
from booking.services.transactions import WriteTransaction, retried, write_transaction

_insert = Insert(CheckIn)

# The longest text of a scan, which may be of any QR code.
MAX_SCAN_LENGTH = 2000
# The reason for undoing the admissions of a show that moves.
MOVED = "The show was moved."
# The pattern of nonces: printable ASCII characters without blanks.
NONCE_PATTERN = "[!-~]{1,64}"


class WrongShow(Refusal):
    code = "wrong_show"
    example: ClassVar[dict[str, Any]] = {
        "detail": "This ticket is for Seven Samurai, Wed 30 Jan 2030 20:00, Blue Room.",
        "screen": "Blue Room",
        "starts_at": "2030-01-30T20:00:00+01:00",
    }

    def __init__(self, show: Show) -> None:
        super().__init__(f"This ticket is for {show}.", screen=show.screen.name, starts_at=_local(show.starts_at))


class TicketCancelled(Refusal):
    """The ticket is not valid any more; `why` is "moved", "cancelled" or "replaced" by a newer ticket."""

    code = "ticket_cancelled"
    example: ClassVar[dict[str, Any]] = {
        "detail": "This booking was moved to C7 and has a newer ticket.",
        "why": "moved",
    }

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail, why=why)


class AlreadyCheckedIn(Refusal):
    code = "already_checked_in"
    example: ClassVar[dict[str, Any]] = {
        "detail": "C7 was already admitted at 19:42.",
        "admitted_at": "2030-01-30T19:42:07+01:00",
    }

    def __init__(self, booking: Booking, at: datetime) -> None:
        time = f"{timezone.localtime(at):%H:%M}"
        super().__init__(f"{booking.label} was already admitted at {time}.", admitted_at=_local(at))


class NotYetOpen(Refusal):
    code = "not_yet_open"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The doors open at 19:15.",
        "opens_at": "2030-01-30T19:15:00+01:00",
    }

    def __init__(self, opens_at: datetime, now: datetime) -> None:
        local = timezone.localtime(opens_at)
        day = "" if local.date() == timezone.localdate(now) else f" on {local:%a %d %b}"
        super().__init__(f"The doors open at {local:%H:%M}{day}.", opens_at=_local(opens_at))


class TicketUnpaid(Refusal):
    code = "ticket_unpaid"
    example: ClassVar[dict[str, Any]] = {"detail": "12.00 EUR is still to be paid for K7QXW4NA.", "due": "12.00"}

    def __init__(self, booking: Booking, due: Decimal) -> None:
        amount = represent_amount(due)
        super().__init__(f"{amount} {settings.CURRENCY} is still to be paid for {booking.reference}.", due=amount)


class SeatNeeded(InvalidInput):
    """The order has several seats; `labels` are theirs."""

    def __init__(self, reference: str, labels: list[str]) -> None:
        super().__init__("seat_label", [f"Choose a seat of {reference}: {', '.join(labels)}."], ["required"])
        self.labels = labels


class NotCheckedIn(Refusal):
    code = "not_checked_in"
    example: ClassVar[dict[str, Any]] = {"detail": "C7 is not admitted."}


class NonceReused(Refusal):
    code = "nonce_reused"
    kind = Kind.UNPROCESSABLE
    example: ClassVar[dict[str, Any]] = {"detail": "This nonce was used for another scan."}


@dataclass(frozen=True)
class Scan:
    """A scan at the door: a ticket's text, or an order's reference and the label of the seat.

    The `nonce` is the device's own name for the scan: a scan that is sent again has the same one. `scanned_at` (UTC) is
    for a scan that a device made offline, and that let the customer in.
    """

    nonce: str
    device: str = ""
    ticket: str = ""
    reference: str = ""
    seat_label: str = ""
    scanned_at: datetime | None = None


class PresentedTicket(NamedTuple):
    """The booking that a scan presents; with a reference instead of a ticket, its current seat."""

    booking_id: int
    serial: int | None = None
    seat_number: int | None = None


@dataclass(frozen=True)
class StoredScan:
    """A stored check-in with its booking."""

    check_in: CheckIn
    booking: Booking

    @property
    def conflict(self) -> str | None:
        """The code of the refusal that an offline scan would have got, if any."""
        return (self.check_in.reason or None) if self.check_in.action == CheckIn.Action.IN else None


@retried
def admit(*, show_id: int, scan: Scan, by: User, now: datetime) -> StoredScan:
    """Admits the booking of a ticket to a show. A repeated nonce gets the first result again.

    `by` is the member of staff, `now` is UTC. Raises NotFound, TicketInvalid, WrongShow, InvalidInput and NonceReused;
    for a scan that was not made offline also TicketCancelled, AlreadyCheckedIn, NotYetOpen and TicketUnpaid; and Busy.
    """
    ticket = _identify(show_id, scan, by, now)
    with _new_nonce(show_id, scan.nonce), write_transaction() as transaction:
        # Race: the same ticket at another door; a move, a cancellation or a refund of the booking.
        facts = lock_and_read_scan(show_id=show_id, booking_id=ticket.booking_id, nonce=scan.nonce)
        booking = facts.booking
        # A hold has no ticket, also when it has ended and is stored as cancelled.
        if booking is None or booking.expires_at or booking.status == Booking.Status.BLOCKED:
            raise TicketInvalid("This seat is not booked.")
        if known := _repeated(facts, booking, CheckIn.Action.IN, scan.device):
            return known
        # The clock of a device may be wrong.
        scanned_at = min(max(scan.scanned_at or now, booking.created_at), now)
        # The show of a scan that was made offline may be over or moved before the scan arrives.
        is_offline = scan.scanned_at is not None
        shows = shows_since(show=booking.show, at=scanned_at) if is_offline else [booking.show]
        check_sees_door(show=shows[0], by=by, now=min(now, shows[0].starts_at) if is_offline else now)
        reason = ""
        try:
            _check(facts, booking, ticket, opening=opens_at(show=shows[0]), at=scanned_at, now=now)
        except Refusal as refusal:
            if not is_offline:
                raise
            reason = refusal.code
        check_in = CheckIn(
            show=booking.show,
            booking_id=booking.pk,
            action=CheckIn.Action.IN,
            reason=reason,
            device=scan.device,
            nonce=scan.nonce,
            by=by,
            scanned_at=scanned_at,
            at=now,
        )
        is_outdated = any(ends_admissions(old=old, new=new) for old, new in pairwise(shows))
        undone = [undo_of_move(show=booking.show, booking_id=booking.pk, by=by, now=now)] if is_outdated else []
        _save(check_in, *undone, transaction=transaction)
    return StoredScan(check_in, booking)


@retried
def undo_admission(
    *, show_id: int, booking_id: int, reason: str, by: User, nonce: str, now: datetime, device: str = ""
) -> StoredScan:
    """Undoes the admission of a booking, for example of a wrong ticket. A repeated nonce gets the first result again.

    `now` is UTC. Raises NotFound, NotCheckedIn, NonceReused or Busy.
    """
    with _new_nonce(show_id, nonce), write_transaction() as transaction:
        # Race: another device undoes it, or admits the ticket.
        facts = lock_and_read_scan(show_id=show_id, booking_id=booking_id, nonce=nonce)
        booking = facts.booking
        if booking is None:
            raise NotFound
        if known := _repeated(facts, booking, CheckIn.Action.UNDO, device):
            return known
        check_sees_door(show=booking.show, by=by, now=now)
        if not facts.admissions:
            raise NotCheckedIn(f"{booking.label} is not admitted.")
        check_in = CheckIn(
            show=booking.show,
            booking_id=booking.pk,
            action=CheckIn.Action.UNDO,
            reason=reason,
            device=device,
            nonce=nonce,
            by=by,
            scanned_at=now,
            at=now,
        )
        _save(check_in, transaction=transaction)
    return StoredScan(check_in, booking)


def undo_of_move(*, show: Show, booking_id: int, by: User, now: datetime) -> CheckIn:
    """Return a new scan that undoes an admission because the show was moved; `now` is UTC."""
    return CheckIn(
        show=show,
        booking_id=booking_id,
        action=CheckIn.Action.UNDO,
        reason=MOVED,
        nonce=f"moved-{secrets.token_hex(16)}",
        by=by,
        scanned_at=now,
        at=now,
    )


def _save(*scans: CheckIn, transaction: WriteTransaction) -> None:
    """Stores the scans and commits, in one round trip."""
    for scan, [(pk,)] in zip(scans, transaction.send_and_commit(*map(_insert.of, scans)), strict=True):
        mark_saved(scan, pk)


def _identify(show_id: int, scan: Scan, by: User, now: datetime) -> PresentedTicket:
    """Return what the scan presents.

    Raises NotFound, TicketInvalid, WrongShow, and InvalidInput if the seat is not given.
    """
    try:
        if not scan.ticket:
            return PresentedTicket(_booking_of_order(show_id, scan.reference, scan.seat_label).pk)
        of_show, booking_id, seat_number, serial = read_ticket(scan.ticket)
        if of_show != show_id:
            other = Show.objects.select_related("movie", "screen").filter(pk=of_show).first()
            raise WrongShow(other) if other else TicketInvalid
    except Refusal:
        find_door_show(show_id=show_id, by=by, now=now)
        raise
    return PresentedTicket(booking_id, serial, seat_number)


def _booking_of_order(show_id: int, reference: str, seat_label: str) -> Booking:
    """Return the booking of a seat of an order; the label may be left out if only one seat is booked."""
    of_order = Booking.objects.filter(reference=reference).select_related("show__movie", "show__screen")
    bookings = list(of_order.order_by("seat_number", "-pk"))
    here = [booking for booking in bookings if booking.show_id == show_id]
    if not here:
        raise WrongShow(bookings[0].show) if bookings else TicketInvalid("There is no order with this reference.")
    booked = [booking for booking in here if booking.status == Booking.Status.BOOKED]
    if not seat_label:
        if len(booked) > 1:
            raise SeatNeeded(reference, [booking.label for booking in booked])
        return (booked or here)[0]
    for booking in [*booked, *here]:
        if booking.label == seat_label:
            return booking
    raise TicketInvalid(f"{reference} has no seat {seat_label}.")


def _repeated(facts: ScanFacts, booking: Booking, action: str, device: str) -> StoredScan | None:
    """Return the scan that has the nonce. Raises NonceReused if it is another one."""
    if facts.known is None:
        return None
    # Two devices that use the same nonce for one ticket must not both admit it.
    known = facts.known.booking_id, facts.known.action, facts.known.device
    if known != (booking.pk, action, device):
        raise NonceReused
    return StoredScan(facts.known, booking)


@contextmanager
def _new_nonce(show_id: int, nonce: str) -> Iterator[None]:
    """Converts the database's error for a nonce that is used twice at the same time, for two bookings."""
    try:
        yield
    except IntegrityError as error:
        if CheckIn.objects.filter(show=show_id, nonce=nonce).exists():
            raise NonceReused from error
        # The account of the member of staff was deleted at the same time.
        raise Busy from error


def _check(
    facts: ScanFacts, booking: Booking, ticket: PresentedTicket, *, opening: datetime, at: datetime, now: datetime
) -> None:
    """Raises the reason why the ticket does not admit at this time, with doors that open at `opening`."""
    _check_is_valid(booking, ticket)
    if facts.admissions:
        scans = CheckIn.objects.filter(show=booking.show, booking_id=booking.pk, action=CheckIn.Action.IN)
        raise AlreadyCheckedIn(booking, scans.latest("at", "id").scanned_at)
    if at < opening:
        raise NotYetOpen(opening, now)
    if facts.due > 0:
        raise TicketUnpaid(booking, facts.due)


def _check_is_valid(booking: Booking, ticket: PresentedTicket) -> None:
    if booking.cancelled_at:
        cancelled = timezone.localtime(booking.cancelled_at)
        raise TicketCancelled("cancelled", f"This booking was cancelled on {cancelled:%a %d %b at %H:%M}.")
    if ticket.serial is None or ticket.serial == booking.ticket_serial:
        return
    if ticket.seat_number != booking.seat_number:
        raise TicketCancelled("moved", f"This booking was moved to {booking.label} and has a newer ticket.")
    raise TicketCancelled("replaced", f"This ticket of {booking.label} was sent again; only the newest one is valid.")


def _local(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(timespec="seconds")
