"""Finds stored money that breaks a rule: payments, refunds and receipts. `services/audit.py` calls it."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, F, Model, Q, Window
from django.db.models.functions import Lag, Now

from booking.models import Booking, Order, Payment, PaymentEvent, Receipt, Refund, of_outer_order, represent_amount
from booking.services.money.refunds import COUNTER
from booking.services.money.sums import rounded, sum_of_order, total_of

# The worker has given up a refund by then.
OVERDUE_AFTER = timedelta(days=1)
# An event that changed nothing is reported for this time.
REPORT_EVENTS_FOR = timedelta(days=30)


def find_money_breaches() -> Iterator[str]:
    """Yield a sentence for each breach. The number of queries is constant."""
    yield from _orders_that_paid_too_much()
    yield from _refunds_above_their_payments()
    yield from _wrong_refunds()
    yield from _refunds_that_take_long()
    yield from _payments_that_take_long()
    yield from _payments_without_orders()
    yield from _other_currencies()
    yield from _missing_receipts()
    yield from _receipts_without_payments()
    yield from _events_without_effect()


def _orders_that_paid_too_much() -> Iterator[str]:
    """Yield orders whose money is neither the price of booked seats nor refunded."""
    received = Payment.objects.received().order_by().values("show", "reference").annotate(paid=total_of("amount"))
    orders = received.annotate(
        refunded=sum_of_order(Refund.objects.all(), "amount"),
        booked=sum_of_order(Booking.objects.sold(), "price"),
    )
    wrong = orders.annotate(excess=rounded(F("paid") - F("refunded") - F("booked"))).filter(excess__gt=0)
    rows = wrong.order_by("show", "reference").values_list("show", "reference", "paid", "excess")
    for show, reference, paid, excess in rows.iterator():
        amounts = f"{represent_amount(excess)} of its {represent_amount(paid)}"
        yield f"Show {show}: order {reference} has neither seats nor a refund for {amounts}"


def _refunds_above_their_payments() -> Iterator[str]:
    wrong = Payment.objects.with_refunded().annotate(excess=rounded(F("refunded") - F("amount"))).filter(excess__gt=0)
    for payment in wrong.order_by("pk").iterator():
        amounts = f"{represent_amount(payment.refunded)} of {represent_amount(payment.amount)}"  # type: ignore[attr-defined]
        yield f"{_name(payment)} is refunded with {amounts}"


def _wrong_refunds() -> Iterator[str]:
    is_another = Q()
    for field in ("show", "reference", "provider", "currency"):
        is_another |= ~Q(**{field: F(f"payment__{field}")})
    not_received = ~Q(payment__status=Payment.Status.PAID)
    for refund in Refund.objects.filter(is_another | not_received).select_related("payment").order_by("pk").iterator():
        why = "was not received" if refund.payment.status != Payment.Status.PAID else "is of another order or provider"
        yield f"{_name(refund)} is for payment {refund.payment_id}, which {why}"


def _refunds_that_take_long() -> Iterator[str]:
    """Yield refunds that the provider has not carried out; a refund at the counter waits for the customer."""
    unfinished = Refund.objects.exclude(status=Refund.Status.DONE).exclude(provider=COUNTER)
    for refund in unfinished.filter(created_at__lt=Now() - OVERDUE_AFTER).order_by("pk").iterator():
        yield f"{_name(refund)} has been {refund.status} for more than a day"


def _payments_that_take_long() -> Iterator[str]:
    """Yield payments about which `cleanup` got no answer of the provider."""
    pending = Payment.objects.filter(status=Payment.Status.PENDING, created_at__lt=Now() - 2 * OVERDUE_AFTER)
    for payment in pending.order_by("pk").iterator():
        yield f"{_name(payment)} has been pending for more than two days"


def _payments_without_orders() -> Iterator[str]:
    orders = of_outer_order(Order.objects.all())
    for payment in Payment.objects.filter(~Exists(orders)).order_by("pk").iterator():
        yield f"{_name(payment)} has no order"


def _other_currencies() -> Iterator[str]:
    for payment in Payment.objects.exclude(currency=settings.CURRENCY).order_by("pk").iterator():
        yield f"{_name(payment)} is in {payment.currency}, not in {settings.CURRENCY}"


def _missing_receipts() -> Iterator[str]:
    last = Window(Lag("number", default=0), partition_by="year", order_by="number")
    gaps = Receipt.objects.annotate(last=last).filter(number__gt=F("last") + 1).order_by("year", "number")
    for year, number, before in gaps.values_list("year", "number", "last").iterator():
        first, end = Receipt(year=year, number=before + 1), Receipt(year=year, number=number - 1)
        yield f"Receipt {first} is missing" if number == before + 2 else f"Receipts {first} to {end} are missing"


def _receipts_without_payments() -> Iterator[str]:
    payments = of_outer_order(Payment.objects.received())
    for receipt in Receipt.objects.filter(~Exists(payments)).order_by("year", "number").iterator():
        yield f"Show {receipt.show_id}: receipt {receipt} of order {receipt.reference} has no payment"


def _events_without_effect() -> Iterator[str]:
    """Yield events of the last REPORT_EVENTS_FOR that could not be applied, such as one about another amount."""
    events = PaymentEvent.objects.filter(processed_at=None, received_at__gt=Now() - REPORT_EVENTS_FOR)
    for event in events.order_by("pk").iterator():
        yield f"Event {event.event_id} of {event.provider} changed nothing: {event.problem}"


def _name(row: Model) -> str:
    return f"Show {row.show_id}: {row._meta.verbose_name} {row.pk} of order {row.reference}"  # type: ignore[attr-defined]
