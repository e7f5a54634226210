"""Settling a received payment: the held seats of its order are booked, or it is refunded. The show is locked."""

from datetime import datetime
from decimal import Decimal
from typing import cast

from booking.infrastructure.metrics import SEATS_BOOKED
from booking.models import Booking, Payment, Show, User
from booking.services.mail.outbox import enqueue_lost_seats_mail, enqueue_payment_mail
from booking.services.money.amounts import read_order_money
from booking.services.money.refunds import COUNTER, refund_overpaid
from booking.services.refusals import Refusal
from booking.services.seats.facts import Action, SeatRequest, lock_and_read
from booking.services.seats.rules import choose_seats, need_customer_lock
from booking.services.transactions import lock_customer

# The reasons of refunds.
REASONS = {
    "not_available": "The seats were not available any more when the payment arrived.",
    "too_little": "The payment was less than the seats cost.",
    "overpaid": "More was paid than the seats cost.",
}


def settle_payment(show: Show, payment: Payment, now: datetime) -> None:
    """Books the held seats of a paid order of a locked show, or refunds the payment if they are not available."""
    reason = "overpaid"
    holds = holds_of(show, payment)
    if any(hold.status == Booking.Status.CANCELLED for hold in holds):
        # Race: the customer deletes their account, which locks no show for a hold that was released.
        lock_customer(cast(User, holds[0].user))
        holds = holds_of(show, payment)
    if holds:
        if not _covers(show, payment, holds):
            reason = "too_little"
        elif _are_available(show, holds, now):
            _book(show, holds, now)
        else:
            reason = "not_available"
    elif not Booking.objects.sold().filter(show=show, reference=payment.reference).exists():
        # The seats were cancelled while the customer paid, for example with the show.
        reason = "not_available"
    refunds = refund_overpaid(show=show, references=[payment.reference], now=now, reason=REASONS[reason])
    back = sum((refund.amount for refund in refunds if refund.payment_id == payment.pk), Decimal(0))
    if payment.amount > back:
        enqueue_payment_mail(show=show, reference=payment.reference, amount=payment.amount, now=now)
    # The customer must not wait for the refund, which may take long or fail. At the counter a clerk tells them.
    if reason != "overpaid" and back and payment.provider != COUNTER:
        enqueue_lost_seats_mail(show=show, reference=payment.reference, amount=back, reason=REASONS[reason], now=now)


def holds_of(show: Show, payment: Payment) -> list[Booking]:
    """Return the holds that the payment was started for, expired and released ones too.

    Holds that had expired before, and those that the customer cancelled, are not among them.
    """
    of_order = Booking.objects.filter(show=show, reference=payment.reference, user__isnull=False)
    of_order = of_order.select_related("user")
    of_order = of_order.filter(expires_at__gt=payment.created_at)
    holds = of_order.released() | of_order.filter(status=Booking.Status.HELD)
    # A seat that was released and held again has the hold of now.
    by_time = sorted(holds, key=lambda booking: (booking.status == Booking.Status.HELD, booking.pk))
    return list({booking.seat_number: booking for booking in by_time}.values())


def _covers(show: Show, payment: Payment, holds: list[Booking]) -> bool:
    """Return whether what was paid for the order is enough for its booked seats and the holds."""
    booked = Booking.objects.sold().filter(show=show, reference=payment.reference)
    money = read_order_money(show_id=show.pk, reference=payment.reference)
    return money.amounts(booked).due + sum((hold.price for hold in holds), Decimal(0)) <= 0


def _are_available(show: Show, holds: list[Booking], now: datetime) -> bool:
    """Return whether the rules allow the customer to get the seats although the holds may have expired."""
    seats = [hold.seat_number for hold in holds]
    user = cast(User, holds[0].user)
    request = SeatRequest(Action.SETTLE, show.pk, user, now, seats)
    if need_customer_lock(request):
        # Race: the same customer's requests for other shows.
        lock_customer(user)
    try:
        facts = lock_and_read(request, wait=True, is_locked=True)
        choose_seats(facts, request)
    except Refusal:
        return False
    # The show may have got another seat plan after the holds were released.
    if any(show.seat_label(hold.seat_number) != hold.label for hold in holds):
        return False
    # The customer's own seats under another reference are not free either.
    own = {hold.pk for hold in holds}
    return all(row.pk in own for row in facts.active_rows(now) if row.seat_number in seats)


def _book(show: Show, holds: list[Booking], now: datetime) -> None:
    pks, seats = [hold.pk for hold in holds], [hold.seat_number for hold in holds]
    others = Booking.objects.expired(now).filter(show=show, seat_number__in=seats).exclude(pk__in=pks)
    others.release()
    booked = {"status": Booking.Status.BOOKED, "expires_at": None, "cancelled_at": None, "created_at": now}
    SEATS_BOOKED.inc(Booking.objects.filter(show=show, pk__in=pks).update(**booked))
