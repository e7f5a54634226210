"""Tills: a clerk opens one with a float, takes payments with it, and closes it with a count."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import IntegrityError
from django.db.models import Case, Count, Value, When

from booking.models import Payment, Refund, Till, User
from booking.services.money.sums import total_of
from booking.services.refusals import InvalidInput, Refusal, first_or_not_found
from booking.services.transactions import retried, write_transaction

# The largest float and count, in any currency; a larger one is a typing error.
MAX_CASH = Decimal(10**12)
# No shift is that long: the clerk of a till that is open for longer has left.
LONGEST_SHIFT = timedelta(hours=16)


class NoOpenTill(Refusal):
    code = "no_open_till"
    example: ClassVar[dict[str, Any]] = {"detail": "Open your till first."}


class TillAlreadyOpen(Refusal):
    code = "till_already_open"
    example: ClassVar[dict[str, Any]] = {"detail": "Your till is already open."}


class TillClosed(Refusal):
    code = "till_closed"
    example: ClassVar[dict[str, Any]] = {"detail": "This till is already closed."}


class OtherClerksTill(Refusal):
    code = "other_clerks_till"
    example: ClassVar[dict[str, Any]] = {"detail": "This is another clerk's till."}


@dataclass(frozen=True)
class TillLine:
    """The payments or refunds of a till by one method."""

    method: str
    payments: int
    paid: Decimal
    refunds: int
    refunded: Decimal

    @property
    def net(self) -> Decimal:
        """The amount left after the refunds."""
        return self.paid - self.refunded


def find_open_till(*, clerk: User) -> Till | None:
    """Return the clerk's open till, if there is one."""
    return Till.objects.filter(clerk=clerk, closed_at=None).first()


def find_left_tills(*, now: datetime) -> list[Till]:
    """Return the open tills whose clerks have left, with these clerks, the oldest first. `now` is UTC."""
    left = Till.objects.filter(closed_at=None, opened_at__lt=now - LONGEST_SHIFT)
    return list(left.select_related("clerk").order_by("opened_at", "pk"))


@retried
def open_till(*, clerk: User, opening_float: Decimal, now: datetime) -> Till:
    """Opens the clerk's till. `now` is UTC. Raises InvalidInput, TillAlreadyOpen and Busy."""
    _check_cash("opening_float", opening_float)
    try:
        with write_transaction():
            return Till.objects.create(clerk=clerk, opening_float=opening_float, opened_at=now)
    except IntegrityError as error:
        # The constraint one_open_till_per_clerk.
        raise TillAlreadyOpen from error


def _check_cash(field: str, amount: Decimal) -> None:
    if not 0 <= amount <= MAX_CASH:
        raise InvalidInput(field, [f"Enter an amount from 0 to {MAX_CASH:,}."], ["amount"])


def lock_open_till(clerk: User) -> Till:
    """Locks the clerk's open till until the transaction ends. Raises NoOpenTill."""
    till = Till.objects.select_for_update(no_key=True).filter(clerk=clerk, closed_at=None).first()
    if till is None:
        raise NoOpenTill
    return till


@retried
def close_till(*, till_id: int, clerk: User, counted_cash: Decimal, note: str, now: datetime) -> Till:
    """Closes the clerk's own till with the counted cash. `now` is UTC.

    Raises InvalidInput, NotFound, OtherClerksTill, TillClosed and Busy.
    """
    return _close(till_id, counted_cash, note, now, clerk, is_own=True)


@retried
def close_left_till(*, till_id: int, by: User, counted_cash: Decimal, note: str, now: datetime) -> Till:
    """Closes a till that its clerk left open; the member of staff `by` may do so. The note says why. `now` is UTC.

    Raises InvalidInput, NotFound, TillClosed and Busy.
    """
    if not note.strip():
        raise InvalidInput("note", ["Say why you close the till of another clerk."], ["required"])
    return _close(till_id, counted_cash, note, now, by, is_own=False)


def _close(till_id: int, counted_cash: Decimal, note: str, now: datetime, by: User, *, is_own: bool) -> Till:
    """Closes the till, which has to be their own if `is_own`."""
    _check_cash("counted_cash", counted_cash)
    with write_transaction():
        # Race: a payment that is recorded in this till.
        till = first_or_not_found(Till.objects.select_for_update(no_key=True).filter(pk=till_id))
        if is_own and till.clerk_id != by.pk:
            raise OtherClerksTill
        if till.closed_at is not None:
            raise TillClosed
        till.expected_cash = expected_cash(till=till)
        till.counted_cash, till.note, till.closed_at = counted_cash, note, now
        till.closed_by = None if is_own else by
        till.save(update_fields=["expected_cash", "counted_cash", "note", "closed_at", "closed_by"])
    return till


def read_till(*, till: Till) -> list[TillLine]:
    """Return what the till took and paid out by method of payment, in two queries."""
    figures: dict[str, Any] = {"number": Count("pk"), "amount_sum": total_of("amount")}
    paid = till.payments.received().order_by().values_list("method").annotate(**figures)
    done = till.refunds.filter(status=Refund.Status.DONE).order_by()
    # A refund that the provider of an online payment refused is paid out in cash.
    is_online = When(payment__method=Payment.Method.ONLINE, then=Value(Payment.Method.CASH.value))
    by_method = done.annotate(method=Case(is_online, default="payment__method")).values_list("method")
    refunded = by_method.annotate(**figures)
    payments = {method: (count, amount) for method, count, amount in paid}
    refunds = {method: (count, amount) for method, count, amount in refunded}
    nothing = (0, Decimal(0))
    return [
        TillLine(method, *payments.get(method, nothing), *refunds.get(method, nothing))
        for method in (Payment.Method.CASH, Payment.Method.CARD)
    ]


def expected_cash(*, till: Till, lines: Iterable[TillLine] | None = None) -> Decimal:
    """Return the cash that should be in the drawer: the float, and what was paid in and out in cash.

    `lines` are those of `read_till`, which are read without them.
    """
    [cash] = [line for line in lines or read_till(till=till) if line.method == Payment.Method.CASH]
    return till.opening_float + cash.net
