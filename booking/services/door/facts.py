"""The input of the rules at the door: the booking with its show, its scans and what is due for its order."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Subquery

from booking.infrastructure.metrics import LOCK_WAITS
from booking.infrastructure.statements import Query, send
from booking.models import Booking, CheckIn, Payment, Refund
from booking.services.money.amounts import OrderMoney
from booking.services.refusals import NotFound
from booking.services.transactions import read_show
from movieticket.admission import waiting_for_row


@dataclass(frozen=True)
class ScanFacts:
    booking: Booking | None
    # The scan that has the nonce.
    known: CheckIn | None
    # The number of people whom the booking has admitted.
    admissions: int
    # The amount due for the booked seats of the order; customers of held seats are not admitted.
    due: Decimal


# --- The statements ---------------------------------------------------------------------------


def _reference(p: Any) -> Subquery:
    return Subquery(Booking.objects.filter(show=p.show_id, pk=p.booking_id).order_by().values("reference"))


lock_booking = Query(
    lambda p: (
        Booking.objects.select_for_update(no_key=True, of=("self",))
        .select_related("ticket_type")
        .filter(show=p.show_id, pk=p.booking_id)
        .order_by()
    )
)
_find_nonce = Query(lambda p: CheckIn.objects.filter(show=p.show_id, nonce=p.nonce).order_by())
count_admissions = Query(
    lambda p: CheckIn.objects.filter(show=p.show_id, booking_id=p.booking_id).admissions().values_list("number")
)
_read_seats = Query(lambda p: Booking.objects.sold().filter(show=p.show_id, reference=_reference(p)).order_by())
_read_payments = Query(lambda p: Payment.objects.filter(show=p.show_id, reference=_reference(p)).order_by())
_read_refunds = Query(lambda p: Refund.objects.filter(show=p.show_id, reference=_reference(p)).order_by())


def lock_and_read_scan(*, show_id: int, booking_id: int, nonce: str) -> ScanFacts:
    """Begins the transaction, locks the booking and reads the facts, in one round trip.

    The later statements see what was committed before the lock was granted. Raises NotFound for the show, and Busy.
    """
    values = {"show_id": show_id, "booking_id": booking_id, "nonce": nonce}
    statements = (lock_booking, read_show, _find_nonce, count_admissions, _read_seats, _read_payments, _read_refunds)
    with LOCK_WAITS.time(), waiting_for_row("booking", booking_id):
        bookings, shows, known, admissions, seats, payments, refunds = send(*(one.choose(values) for one in statements))
    if not shows:
        raise NotFound
    booking = bookings[0] if bookings else None
    if booking:
        booking.show = shows[0]
    return ScanFacts(
        booking=booking,
        known=known[0] if known else None,
        admissions=sum(number for (number,) in admissions),
        due=OrderMoney(payments, refunds).due_for_tickets(seats),
    )
