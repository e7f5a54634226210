"""Refunds: a row first, in the transaction that frees the seats; then a task carries it out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Count, Q

from booking.infrastructure.tasks import enqueue, has_failed, new_task, open_tasks
from booking.models import Booking, Payment, Refund, Show, User
from booking.services.mail.outbox import enqueue_refund_mail
from booking.services.money.amounts import price_of
from booking.services.money.providers import provider_named
from booking.services.money.providers.base import ProviderFailed, ProviderRefused, ProviderUnavailable
from booking.services.money.tills import lock_open_till
from booking.services.refusals import Busy, InvalidInput, Refusal, first_or_not_found
from booking.services.transactions import lock_show, retried, write_transaction
from movieticket.admission import NoPlace, calling_provider

COUNTER = "counter"
# Refunds of payments at the counter that wait for a clerk.
WAITS_FOR_PAYOUT = Q(provider=COUNTER, status=Refund.Status.PENDING)
CARRY_OUT = "booking.tasks.carry_out_refund"
# The messages in the admin's history.
PAID_OUT = "Paid out."
RETRIED = "Tried again."
GIVEN_UP = "Given up."
NEEDS_REASON = "The provider can't be asked. Enter how you know that it has not sent the money."


class RefundEnded(Refusal):
    """Customers get no refund shortly before the show; staff can still refund."""

    code = "refund_ended"
    example: ClassVar[dict[str, Any]] = {
        "detail": "Paid seats can be cancelled or exchanged for cheaper ones until 60 minutes before the start; "
        "ask the cinema."
    }

    def __init__(self) -> None:
        minutes = settings.REFUND_UNTIL_MINUTES
        super().__init__(
            f"Paid seats can be cancelled or exchanged for cheaper ones until {minutes} minutes before the start; "
            "ask the cinema."
        )


class AlreadyRefunded(Refusal):
    code = "already_refunded"
    example: ClassVar[dict[str, Any]] = {"detail": "This refund is already carried out."}


class RefundOfCounter(Refusal):
    """No provider can carry it out."""

    code = "refund_of_counter"
    example: ClassVar[dict[str, Any]] = {"detail": "This refund has to be paid out at the counter."}


class RefundNotFailed(Refusal):
    """The provider may have sent the money."""

    code = "refund_not_failed"
    example: ClassVar[dict[str, Any]] = {
        "detail": "The payment provider is still carrying out this refund; it can be paid out once it has failed."
    }


class RefundNotGivenUp(Refusal):
    code = "refund_not_given_up"
    example: ClassVar[dict[str, Any]] = {"detail": "This refund has ended, or a task is going to carry it out."}


def customers_get_refund(*, show: Show, now: datetime) -> bool:
    """Return whether customers who give paid seats back at `now` (UTC) get their money back."""
    return now <= show.starts_at - timedelta(minutes=settings.REFUND_UNTIL_MINUTES)


def refund_overpaid(
    *,
    show: Show,
    references: Collection[str] | None,
    now: datetime,
    reason: str,
    by: User | None = None,
    by_customer: bool = False,
) -> list[Refund]:
    """Stores the refunds that orders of a locked show have to get, and returns them; `references` None means all.

    An order gets back what was paid beyond the prices of its booked seats, newest payments first. Money for seats that
    are only held goes back too: a payment that could not book them would be lost when the hold expires. Raises
    RefundEnded for a change that is made `by_customer` within REFUND_UNTIL_MINUTES before the start.
    """
    refunds = [
        Refund(
            payment=payment,
            show=show,
            reference=payment.reference,
            provider=payment.provider,
            amount=amount,
            currency=payment.currency,
            reason=reason,
            created_by=by,
            created_at=now,
        )
        for payment, amount in _overpaid(show, references)
    ]
    if refunds and by_customer and not customers_get_refund(show=show, now=now):
        raise RefundEnded
    stored = Refund.objects.bulk_create(refunds)
    # Refunds at the counter are paid out by staff.
    if tasks := [_task(refund, now) for refund in stored if refund.provider != COUNTER]:
        enqueue(*tasks)
    return stored


def _task(refund: Refund, now: datetime) -> Any:
    return new_task(CARRY_OUT, now=now, refund_id=refund.pk)


def _overpaid(show: Show, references: Collection[str] | None) -> list[tuple[Payment, Decimal]]:
    """Return the payments to refund, with the amount of each."""
    received = Payment.objects.filter(show=show).received().with_refunded()
    if references is not None:
        received = received.filter(reference__in=references)
    by_order: dict[str, list[Payment]] = {}
    # The oldest payment of an order keeps its money.
    for payment in received.order_by("settled_at", "pk"):
        by_order.setdefault(payment.reference, []).append(payment)
    if not by_order:
        return []
    seats: dict[str, list[Booking]] = {}
    for booking in Booking.objects.sold().filter(show=show, reference__in=by_order):
        seats.setdefault(booking.reference, []).append(booking)
    return [
        excess
        for reference, payments in by_order.items()
        for excess in _excess(payments, price_of(bookings=seats.get(reference, [])))
    ]


def _excess(payments: list[Payment], owed: Decimal) -> list[tuple[Payment, Decimal]]:
    """Return what each payment has to give back so that the rest is what is owed."""
    left = [(payment, payment.amount - payment.refunded) for payment in payments]  # type: ignore[attr-defined]
    excess = sum((amount for _, amount in left), Decimal(0)) - owed
    given = []
    for payment, amount in reversed(left):
        share = min(amount, excess)
        if share > 0:
            given.append((payment, share))
            excess -= share
    return given


def carry_out_refund(*, refund_id: int, now: datetime) -> Refund:
    """Asks the provider to send the money back, unless that is done. It may be repeated.

    Raises NotFound and ProviderUnavailable; a refusal of the provider is stored with the refund.
    """
    refund = first_or_not_found(Refund.objects.select_related("payment").filter(pk=refund_id))
    if refund.status != Refund.Status.PENDING:
        return refund
    attempt: dict[str, Any] = {"refund_id": refund_id, "retries": refund.retries, "now": now}
    try:
        provider_id = provider_named(refund.provider).refund(refund)
    except ProviderFailed:
        _count_failure(refund)
        raise
    except ProviderRefused as refused:
        return settle_refund(**attempt, problem=str(refused), provider_id=refused.provider_id)
    return settle_refund(**attempt, provider_id=provider_id) if provider_id else refund


@retried
def _count_failure(refund: Refund) -> None:
    """Changes the idempotency key of the next call."""
    # Race: the same answer to another worker, which used the same key.
    same_key = Refund.objects.filter(pk=refund.pk, provider_errors=refund.provider_errors)
    same_key.update(provider_errors=refund.provider_errors + 1)


@retried
def settle_refund(
    *, refund_id: int, now: datetime, retries: int = 0, provider_id: str = "", problem: str = ""
) -> Refund:
    """Stores that an attempt to carry out a refund succeeded, or with a `problem` that it failed.

    `retries` are those of the refund when the attempt began. If the refund is not pending any more, or staff have begun
    another attempt, nothing is changed. `now` is UTC. Raises NotFound and Busy.
    """
    found = first_or_not_found(Refund.objects.filter(pk=refund_id))
    with write_transaction():
        # Race: the task and an event of the provider report the same refund.
        lock_show(found.show_id)
        refund = Refund.objects.get(pk=refund_id)
        if (refund.status, refund.retries) != (Refund.Status.PENDING, retries):
            return refund
        return mark_refund(refund, provider_id, problem, now)


def mark_refund(refund: Refund, provider_id: str, problem: str, now: datetime) -> Refund:
    """Stores that a refund is done, or with a `problem` that it failed; the caller holds the show's lock.

    A refund that is done stays so, unless the provider takes it back later because the customer's bank did not accept
    it. A report about an attempt that failed before changes nothing: the provider may send its success late.
    """
    failed_later = bool(problem) and provider_id != "" and provider_id == refund.provider_id
    if provider_id in refund.failed_ids or (refund.status == Refund.Status.DONE and not failed_later):
        return refund
    if problem and provider_id:
        refund.failed_ids = [*refund.failed_ids, provider_id]
    refund.problem = problem[:200]
    refund.status = Refund.Status.FAILED if problem else Refund.Status.DONE
    refund.settled_at = None if problem else now
    refund.provider_id = provider_id or refund.provider_id
    refund.save(update_fields=["problem", "status", "settled_at", "provider_id", "failed_ids", "till"])
    if refund.status == Refund.Status.DONE:
        enqueue_refund_mail(
            show=refund.show,
            reference=refund.reference,
            amount=refund.amount,
            reason=refund.reason,
            at_counter=refund.till_id is not None,
            now=now,
        )
    return refund


@dataclass(frozen=True)
class UnfinishedRefunds:
    """The numbers of refunds that failed, and of those that staff have to pay out."""

    failed: int
    to_pay_out: int


def count_unfinished_refunds() -> UnfinishedRefunds:
    """Return the numbers in one query."""
    failed = Q(status=Refund.Status.FAILED)
    unfinished = Refund.objects.exclude(status=Refund.Status.DONE).order_by()
    counts = unfinished.aggregate(failed=Count("pk", filter=failed), to_pay_out=Count("pk", filter=WAITS_FOR_PAYOUT))
    return UnfinishedRefunds(**counts)


def is_refund_given_up(*, refund: Refund) -> bool:
    """Return whether a pending refund is not carried out any more, because the provider was unavailable for a day."""
    is_pending = refund.status == Refund.Status.PENDING and refund.provider != COUNTER
    return is_pending and has_failed(CARRY_OUT, refund_id=refund.pk)


def mark_refund_failed(*, refund_id: int, by: User, now: datetime, reason: str = "") -> Refund:
    """Stores that a refund has failed whose task was given up, so that it can be paid out.

    `reason` says how the member of staff `by` knows that no money was sent; it is needed if the provider can't be
    asked. `now` is UTC. Raises NotFound, RefundNotGivenUp, RefundNotFailed, InvalidInput and Busy.
    """
    found = first_or_not_found(Refund.objects.select_related("payment").filter(pk=refund_id))
    if not is_refund_given_up(refund=found):
        raise RefundNotGivenUp
    try:
        with calling_provider():
            is_there = provider_named(found.provider).has_refund(found)
    except NoPlace as error:
        raise Busy from error
    except (ProviderUnavailable, ProviderRefused):
        if not reason:
            raise InvalidInput("reason", [NEEDS_REASON], ["required"]) from None
        is_there = False
    if is_there:
        raise RefundNotFailed
    return _store_given_up(found, by, now, reason)


@retried
def _store_given_up(found: Refund, by: User, now: datetime, reason: str) -> Refund:
    with write_transaction():
        # Race: a member of staff tries it again, an event of the provider.
        lock_show(found.show_id)
        refund = Refund.objects.get(pk=found.pk)
        if not is_refund_given_up(refund=refund):
            raise RefundNotGivenUp
        LogEntry.objects.log_actions(by.pk, [refund], CHANGE, change_message=f"{GIVEN_UP} {reason}".strip())
        return mark_refund(refund, "", reason or "The provider has no such refund.", now)


@retried
def pay_out_refund(*, refund_id: int, by: User, now: datetime) -> Refund:
    """Stores that a clerk with an open till gave the money of a refund back, and returns the refund.

    It is one of a payment at the counter, or an online one that failed. `now` is UTC. Raises NotFound, NoOpenTill,
    AlreadyRefunded, RefundNotFailed and Busy.
    """
    found = first_or_not_found(Refund.objects.filter(pk=refund_id))
    with write_transaction():
        # Race: a second clerk, the closing of the till, another attempt, an event of the provider.
        lock_show(found.show_id)
        till = lock_open_till(by)
        refund = Refund.objects.select_related("payment").get(pk=refund_id)
        if refund.status == Refund.Status.DONE:
            raise AlreadyRefunded
        if refund.provider != COUNTER and refund.status != Refund.Status.FAILED:
            raise RefundNotFailed
        refund.till = till
        LogEntry.objects.log_actions(by.pk, [refund], CHANGE, change_message=PAID_OUT)
        return mark_refund(refund, "", "", now)


def payout_method(*, refund: Refund) -> str:
    """Return how staff pay the refund out: as its payment was made, an online one in cash."""
    method = refund.payment.method
    return Payment.Method.CASH if method == Payment.Method.ONLINE else method


@retried
def retry_refund(*, refund_id: int, now: datetime, by: User | None = None) -> Refund:
    """Makes a failed refund pending again, so that it is carried out; `by` is the member of staff. `now` is UTC.

    A pending one gets another task if it has none. Raises NotFound, AlreadyRefunded, RefundOfCounter and Busy.
    """
    found = first_or_not_found(Refund.objects.filter(pk=refund_id))
    with write_transaction():
        # Race: two members of staff.
        lock_show(found.show_id)
        refund = Refund.objects.get(pk=refund_id)
        if refund.status == Refund.Status.DONE:
            raise AlreadyRefunded
        if refund.provider == COUNTER:
            raise RefundOfCounter
        if refund.status == Refund.Status.FAILED:
            # A pending one may already be sent, so its number must stay the provider's idempotency key.
            refund.retries += 1
        elif find_refunds_under_way(refunds=[refund]):
            return refund
        refund.status, refund.problem = Refund.Status.PENDING, ""
        refund.save(update_fields=["status", "problem", "retries"])
        enqueue(_task(refund, now))
        if by:
            LogEntry.objects.log_actions(by.pk, [refund], CHANGE, change_message=RETRIED)
        return refund


def find_refunds_under_way(*, refunds: Collection[Refund]) -> set[int]:
    """Return the ids of those of the pending refunds that a task is going to carry out, in one query."""
    pending = [refund.pk for refund in refunds if refund.status == Refund.Status.PENDING and refund.provider != COUNTER]
    if not pending:
        return set()
    tasks = open_tasks(CARRY_OUT).filter(args_kwargs__kwargs__refund_id__in=pending)
    return {task["kwargs"]["refund_id"] for task in tasks.values_list("args_kwargs", flat=True)}
