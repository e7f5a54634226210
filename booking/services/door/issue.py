"""The tickets of bookings and orders, and the amount that is still to be paid for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import F, Subquery

from booking.models import Booking, User
from booking.services.door.tickets import read_link
from booking.services.mail.outbox import enqueue_new_tickets_mail
from booking.services.money.amounts import read_order_money
from booking.services.refusals import NotFound, Refusal, first_or_not_found
from booking.services.seats.orders import orders_of
from booking.services.transactions import lock_show, retried, write_transaction

# The message in the admin's history.
REISSUED = "Issued a new ticket."
CANCELLED = "This booking was cancelled, so it has no ticket."
HELD = "A held seat has no ticket. Book it first."
BLOCKED = "A blocked seat has no ticket."
REPLACED = "This ticket was replaced by a newer one. Use the newest link that you were sent."


class NoTicket(Refusal):
    """The seat is not booked, or its ticket was replaced."""

    code = "no_ticket"
    example = {"detail": HELD}


@dataclass(frozen=True)
class Ticket:
    """The ticket of a booked seat.

    `seats` are all booked seats of the order, and `due` is what is still to be paid for them.
    """

    booking: Booking
    due: Decimal
    seats: Sequence[Booking]


def find_ticket(*, user: User, booking_id: int, now: datetime) -> Ticket:
    """Return the ticket of a booking of `user`. `now` is UTC. Raises NotFound or NoTicket."""
    show_id = first_or_not_found(Booking.objects.filter(user=user, pk=booking_id).values_list("show_id", flat=True))
    return _ticket_of(show_id, booking_id, now)


def find_tickets(*, user: User, reference: str, now: datetime) -> list[Ticket]:
    """Return the tickets of the booked seats of an order of `user`, by seat number.

    `now` is UTC. Raises NotFound, or NoTicket if no seat is booked.
    """
    # With a probability of 1 in 10¹¹ two shows share a reference; then the newest order is chosen.
    order = first_or_not_found(orders_of(user=user).filter(reference=reference))
    bookings, due = _order(order.show_id, reference, now)
    booked = _booked(bookings)
    if not booked:
        raise NoTicket(_why_none(bookings[-1]))
    return [Ticket(booking, due, booked) for booking in booked]


def find_linked_ticket(*, token: str, now: datetime) -> Ticket:
    """Return the ticket that a link leads to. `now` is UTC. Raises NotFound, or NoTicket with the reason."""
    show_id, booking_id, serial = read_link(token)
    ticket = _ticket_of(show_id, booking_id, now)
    if ticket.booking.ticket_serial != serial:
        raise NoTicket(REPLACED)
    return ticket


@retried
def reissue_ticket(*, booking_id: int, by: User, now: datetime) -> Booking:
    """Ends the tickets of a booking that were issued so far, mails new ones to the customer, and returns the booking.

    `by` is the member of staff. `now` is UTC. Raises NotFound, NoTicket or Busy.
    """
    booking = first_or_not_found(Booking.objects.filter(pk=booking_id))
    with write_transaction():
        # Race: the booking is moved or cancelled.
        show = lock_show(booking.show_id)
        booking = Booking.objects.get(show=show, pk=booking_id)
        if booking.status != Booking.Status.BOOKED:
            raise NoTicket(_why_none(booking.as_of(now)))
        Booking.objects.filter(show=show, pk=booking_id).update(ticket_serial=F("ticket_serial") + 1)
        booking.ticket_serial += 1
        LogEntry.objects.log_actions(by.pk, [booking], CHANGE, change_message=REISSUED)
        enqueue_new_tickets_mail(show=show, reference=booking.reference, now=now)
    return booking


def _order(show_id: int, reference: str | Subquery, now: datetime) -> tuple[list[Booking], Decimal]:
    """Return the bookings of an order by seat number, as of `now`, and what is due for its tickets. Raises NotFound."""
    of_order = Booking.objects.filter(show=show_id, reference=reference).order_by("seat_number", "pk")
    loaded = of_order.select_related("show__movie", "show__screen", "ticket_type")
    bookings = [booking.as_of(now) for booking in loaded]
    if not bookings:
        raise NotFound
    money = read_order_money(show_id=show_id, reference=bookings[0].reference)
    return bookings, money.due_for_tickets(bookings)


def _ticket_of(show_id: int, booking_id: int, now: datetime) -> Ticket:
    """Return the ticket of one booking of an order. Raises NotFound and NoTicket."""
    # Race: staff split the order. One query reads the booking's reference and the order.
    reference = Booking.objects.filter(show=show_id, pk=booking_id).order_by().values("reference")
    bookings, due = _order(show_id, Subquery(reference), now)
    [booking] = [booking for booking in bookings if booking.pk == booking_id]
    if booking.status != Booking.Status.BOOKED:
        raise NoTicket(_why_none(booking))
    return Ticket(booking, due, _booked(bookings))


def _booked(bookings: list[Booking]) -> list[Booking]:
    return [booking for booking in bookings if booking.status == Booking.Status.BOOKED]


def _why_none(booking: Booking) -> str:
    return {"held": HELD, "blocked": BLOCKED}.get(booking.status, CANCELLED)
