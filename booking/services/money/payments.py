"""Payments of orders: started online or recorded at the counter, and settled under the show's lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Min

from booking.infrastructure.tasks import NotYet, enqueue, new_task
from booking.models import Booking, Order, Payment, PaymentEvent, Refund, Show, User, represent_amount
from booking.services.money.amounts import OrderMoney, read_order_money
from booking.services.money.providers import online_provider, provider_named, provider_with_page
from booking.services.money.providers.base import (
    Event,
    EventKind,
    EventRejected,
    ProviderRefused,
    ProviderUnavailable,
    StartedPayment,
)
from booking.services.money.refunds import COUNTER, mark_refund
from booking.services.money.settling import holds_of, settle_payment
from booking.services.money.tills import lock_open_till
from booking.services.refusals import Busy, Kind, NotFound, Refusal, first_or_not_found
from booking.services.seats.rules.sale import ShowCancelled, check_on_sale
from booking.services.transactions import LockHeld, lock_show, retried, write_transaction
from movieticket.admission import NoPlace, calling_provider


class NothingDue(Refusal):
    code = "nothing_due"
    example: ClassVar[dict[str, Any]] = {"detail": "Nothing is due for this order."}


class PaymentFailed(Refusal):
    code = "payment_failed"
    example: ClassVar[dict[str, Any]] = {"detail": "The payment provider can't take the payment now; try again."}


class UnknownPayment(Refusal):
    """An event for a payment that is not ours."""

    code = "unknown_payment"
    kind = Kind.NOT_FOUND
    example: ClassVar[dict[str, Any]] = {"detail": "There is no such payment."}


class DueChanged(Refusal):
    """Another amount is due than the clerk was shown."""

    code = "due_changed"
    example: ClassVar[dict[str, Any]] = {"detail": "3.00 is due now."}


class NotEnoughGiven(Refusal):
    code = "not_enough_given"
    kind = Kind.INVALID
    field = "given"
    example: ClassVar[dict[str, Any]] = {"detail": "12.00 is due."}


CHECK = "booking.tasks.check_payment"
# The provider is first asked this long after the start of a payment, and again this long before a hold expires.
FIRST_CHECK, CHECK_BEFORE_EXPIRY = timedelta(minutes=2), timedelta(seconds=30)
PENDING_FOR = timedelta(days=1)
CLOSED_AT_A_TIME = 1000


@dataclass(frozen=True)
class StartedOrderPayment:
    """A payment and what the client needs to let the customer pay it."""

    payment: Payment
    started: StartedPayment


def pay_order(
    *, user: User, reference: str, return_url: str, now: datetime, provider: str | None = None
) -> StartedOrderPayment:
    """Starts an online payment of what is due for an order of `user`; the same again while it is pending.

    `now` is UTC. Raises NotFound, NothingDue, ShowStarted, ShowCancelled, InvalidInput, PaymentFailed or Busy.
    """
    name = online_provider(provider)
    return _start_payment(_find_order(user, reference), name, return_url, now)


def pay_mailed_order(*, order: Order, return_url: str, now: datetime) -> StartedOrderPayment:
    """Starts an online payment of what is due for an order whose signed link the customer followed.

    It is paid on a page of a provider. Without a booked seat, nothing is due: the mail is about booked seats. `now` is
    UTC. Raises what `pay_order` raises.
    """
    if not _has_booked_seats(order):
        raise NothingDue
    return _start_payment(order, provider_with_page(), return_url, now)


@retried
def _has_booked_seats(order: Order) -> bool:
    return Booking.objects.sold().filter(show=order.show_id, reference=order.reference).exists()


@retried
def _find_order(user: User, reference: str) -> Order:
    return first_or_not_found(Order.objects.filter(user=user, reference=reference))


def _start_payment(order: Order, name: str, return_url: str, now: datetime) -> StartedOrderPayment:
    payment = _pending_payment(order, name, now)
    try:
        # Outside of the transaction, because the provider may take long.
        with calling_provider():
            started = provider_named(name).create_payment(payment, return_url)
    except ProviderUnavailable as error:
        raise PaymentFailed from error
    except ProviderRefused as error:
        _fail(payment, now)
        raise PaymentFailed from error
    except NoPlace as error:
        raise Busy from error
    _store_provider_id(payment, started.provider_id)
    if started.event:
        # The customer has paid, but the provider's event about it did not arrive.
        _apply(name, started.event, now)
        payment.refresh_from_db()
        raise NothingDue if payment.status == Payment.Status.PAID else PaymentFailed
    return StartedOrderPayment(payment, started)


@retried
def _store_provider_id(payment: Payment, provider_id: str) -> None:
    # Unless the provider's event arrived first.
    Payment.objects.filter(pk=payment.pk, provider_id="").update(provider_id=provider_id)
    payment.provider_id = provider_id


@retried
def _fail(payment: Payment, now: datetime) -> None:
    """Stores that the provider refused the payment, so that the next request starts another one."""
    # Race: the event that it is paid; the payment is then not pending any more, or becomes paid later.
    pending = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING)
    pending.update(status=Payment.Status.FAILED, settled_at=now)


@retried
def _pending_payment(order: Order, provider: str, now: datetime) -> Payment:
    with write_transaction():
        # Race: a cancellation, another payment of the order.
        show = lock_show(order.show_id)
        check_on_sale(show, now)
        money, due = _due(show, order.reference, now)
        pending = [payment for payment in money.payments if payment.status == Payment.Status.PENDING]
        for payment in pending:
            # A hold that has expired meanwhile would be settled with the payment, and is not part of what is due now.
            if (payment.amount, payment.provider) == (due, provider) and not _has_ended_hold(show, payment, now):
                return payment
        payment = Payment.objects.create(
            show=show,
            reference=order.reference,
            provider=provider,
            amount=due,
            currency=settings.CURRENCY,
            created_at=now,
        )
        first_check = min(now + FIRST_CHECK, _before_expiry(payment, now) or now + FIRST_CHECK)
        enqueue(new_task(CHECK, now=now, run_after=first_check, payment_id=payment.pk))
        return payment


def _has_ended_hold(show: Show, payment: Payment, now: datetime) -> bool:
    return any(not hold.is_active(now) for hold in holds_of(show, payment))


def _before_expiry(payment: Payment, now: datetime) -> datetime | None:
    """Return the time to ask the provider before a hold of the payment's order expires; None without such a time."""
    seats = Booking.objects.active(now + CHECK_BEFORE_EXPIRY).filter(show=payment.show_id, reference=payment.reference)
    first: datetime | None = seats.aggregate(first=Min("expires_at"))["first"]
    return first and first - CHECK_BEFORE_EXPIRY


def _due(show: Show, reference: str, now: datetime) -> tuple[OrderMoney, Decimal]:
    """Return the money of the order and what is due; the show is locked. Raises NothingDue."""
    money = read_order_money(show_id=show.pk, reference=reference)
    due = money.amounts(Booking.objects.active(now).filter(show=show, reference=reference)).due
    if due <= 0:
        raise NothingDue
    return money, due


@retried
def record_payment(
    *,
    show_id: int,
    reference: str,
    method: str,
    expected: Decimal,
    by: User,
    now: datetime,
    given: Decimal | None = None,
) -> Payment:
    """Records that a clerk with an open till took what is due for an order, in cash or by card.

    `expected` is the amount that the clerk was shown, `given` the cash that the customer gave. `now` is UTC. Raises
    NotFound, NothingDue, NoOpenTill, DueChanged, NotEnoughGiven, ShowCancelled or Busy.
    """
    with write_transaction():
        # Race: a second clerk, an online payment, a cancellation, the closing of the till.
        show = lock_show(show_id)
        if not Order.objects.filter(show=show, reference=reference).exists():
            raise NotFound
        if show.is_cancelled:
            raise ShowCancelled
        _, due = _due(show, reference, now)
        if due != expected:
            raise DueChanged(f"{represent_amount(due)} is due now.")
        payment = take_payment(show=show, reference=reference, method=method, amount=due, given=given, by=by, now=now)
        settle_payment(show, payment, now)
        return payment


def take_payment(
    *, show: Show, reference: str, method: str, amount: Decimal, given: Decimal | None, by: User, now: datetime
) -> Payment:
    """Stores a payment in the open till of `by`, within the transaction that locked the show.

    Raises NoOpenTill and NotEnoughGiven.
    """
    till = lock_open_till(by)
    is_cash = method == Payment.Method.CASH
    if is_cash and given is not None and given < amount:
        raise NotEnoughGiven(f"{represent_amount(amount)} is due.")
    return Payment.objects.create(
        show=show,
        reference=reference,
        provider=COUNTER,
        method=method,
        amount=amount,
        currency=settings.CURRENCY,
        given=given if is_cash else None,
        created_by=by,
        till=till,
        created_at=now,
        status=Payment.Status.PAID,
        settled_at=now,
    )


def close_old_payments(*, now: datetime) -> int:
    """Asks the providers about payments that have been pending for a day, and returns how many of them ended.

    Either the event about one was lost, or the customer did not pay: then it has failed. An event can still make it
    paid. Payments whose provider can't be asked or whose show is locked are left for the next run. `now` is UTC. Raises
    Busy.
    """
    pending = Payment.objects.filter(status=Payment.Status.PENDING, created_at__lte=now - PENDING_FOR)
    closed = 0
    for payment in pending.order_by("pk")[:CLOSED_AT_A_TIME]:
        try:
            closed += _close_if_over(payment, now)
        except (ProviderUnavailable, ProviderRefused, LockHeld):
            continue
    return closed


def check_payment(*, payment_id: int, now: datetime) -> None:
    """Asks the provider about a payment that is not known to be paid, because the event about it may be lost or late.

    A declined one may still be paid. After PENDING_FOR, one that was not paid has failed. `now` is UTC. Raises NotYet
    before that, ProviderUnavailable, ProviderRefused if the provider is switched off, and Busy.
    """
    payment = Payment.objects.filter(pk=payment_id).exclude(status=Payment.Status.PAID).first()
    if payment and not _close_if_over(payment, now):
        raise NotYet(before=_before_expiry(payment, now))


def _close_if_over(payment: Payment, now: datetime) -> bool:
    """Asks the provider how the payment ended. Return whether it is over; one that is not paid has then failed.

    Raises ProviderUnavailable, ProviderRefused if the provider is switched off, and Busy.
    """
    is_over = now >= payment.created_at + PENDING_FOR
    # One without an id of the provider may never have reached it.
    if payment.provider_id:
        provider = provider_named(payment.provider)
        try:
            event = provider.create_payment(payment, "").event
        except ProviderRefused:
            event, is_over = None, True
        if event:
            _apply(payment.provider, event, now)
            is_over = True
    if is_over:
        _fail(payment, now)
    return is_over


# --- Events -----------------------------------------------------------------------------------


def receive_event(*, provider: str, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
    """Verifies events of a provider and applies each once, whatever the order in which they arrive.

    `now` is UTC. Raises EventRejected, UnknownPayment or Busy; then the provider sends the event again.
    """
    try:
        events = provider_named(provider).parse_event(body, headers)
    except ProviderRefused as error:
        raise EventRejected from error
    except (ProviderUnavailable, NoPlace) as error:
        raise Busy from error
    for event in events:
        _apply(provider, event, now)


@retried
def _apply(provider: str, event: Event, now: datetime) -> None:
    found = _find_payment(provider, event)
    with write_transaction():
        # Race: the same event twice, another event of the payment, expiry of the hold, a cancellation.
        show = lock_show(found.show_id)
        if PaymentEvent.objects.filter(provider=provider, event_id=event.id).exists():
            return
        problem = _change_payment(show, Payment.objects.get(pk=found.pk), event, now)
        PaymentEvent.objects.create(
            provider=provider,
            event_id=event.id,
            payload=event.payload,
            received_at=now,
            processed_at=None if problem else now,
            problem=problem,
        )


def _find_payment(provider: str, event: Event) -> Payment:
    """Return the payment of the event: by our id, or by the provider's."""
    payments = Payment.objects.filter(provider=provider)
    if event.reference:
        payments = payments.filter(reference=event.reference)
    payment = payments.filter(pk=event.payment_id).first() if event.payment_id else None
    if payment is None and event.provider_id:
        payment = payments.filter(provider_id=event.provider_id).first()
    if payment is None:
        raise UnknownPayment
    return payment


def _change_payment(show: Show, payment: Payment, event: Event, now: datetime) -> str:
    """Applies the event to the payment of a locked show; returns why it changes nothing, or ""."""
    if payment.provider_id not in {"", event.provider_id}:
        return "The event names another payment of the provider."
    if event.kind in {EventKind.REFUNDED, EventKind.REFUND_FAILED}:
        return _change_refund(payment, event, now)
    if payment.status == Payment.Status.PAID:
        return ""
    if event.kind == EventKind.PAID:
        if (event.amount, event.currency) != (payment.amount, payment.currency):
            return _other_amount(event)
        payment.status = Payment.Status.PAID
    else:
        payment.status = Payment.Status.FAILED
    payment.settled_at, payment.provider_id = now, payment.provider_id or event.provider_id
    payment.save(update_fields=["status", "settled_at", "provider_id"])
    if payment.status == Payment.Status.PAID:
        settle_payment(show, payment, now)
    return ""


def _change_refund(payment: Payment, event: Event, now: datetime) -> str:
    """Applies the event to the refund of a locked show; returns why it changes nothing, or ""."""
    refund = Refund.objects.filter(payment=payment, pk=event.refund_id or 0).first()
    if refund is None:
        return "There is no such refund."
    if (event.amount, event.currency) != (refund.amount, refund.currency):
        return _other_amount(event)
    problem = ""
    if event.kind == EventKind.REFUND_FAILED:
        problem = event.problem or "The provider gave no reason."
    is_of_failed_attempt = event.provider_refund_id in refund.failed_ids
    if refund.provider != COUNTER and refund.till_id and not problem and not is_of_failed_attempt:
        return "The refund was paid out at the counter, too."
    mark_refund(refund, event.provider_refund_id, problem, now)
    return ""


def _other_amount(event: Event) -> str:
    return f"The event is about {event.amount} {event.currency}."[:200]
