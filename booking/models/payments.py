"""Payments, refunds, tills and receipts. They refer to an order by show and reference, as bookings do."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from booking.models.accounts import User
from booking.models.bookings import REFERENCE_LENGTH
from booking.models.money import represent_amount
from booking.models.prices import TOTAL
from booking.models.shows import Show

ZERO = Decimal(0)


class Till(models.Model):
    """The cash drawer of one member of staff, from its opening to its closing."""

    clerk = models.ForeignKey(User, models.PROTECT, related_name="+", editable=False, db_index=False)
    opened_at = models.DateTimeField(editable=False)
    opening_float = models.DecimalField(
        "float", **TOTAL, validators=[MinValueValidator(ZERO)], help_text="The cash in the drawer at the beginning."
    )
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The member of staff who closed a till that its clerk left open.
    closed_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    # The expected and the counted cash when the till was closed.
    expected_cash = models.DecimalField(**TOTAL, null=True, editable=False)
    counted_cash = models.DecimalField(**TOTAL, null=True, blank=True, validators=[MinValueValidator(ZERO)])
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-opened_at", "-id"]
        permissions = [("close_till", "Can open and close tills")]
        constraints = [
            models.UniqueConstraint(fields=["clerk"], condition=Q(closed_at=None), name="one_open_till_per_clerk"),
            models.CheckConstraint(condition=Q(opening_float__gte=0), name="till_float_is_0_or_more"),
            models.CheckConstraint(
                condition=Q(closed_at=None, counted_cash=None, expected_cash=None)
                | Q(closed_at__isnull=False, counted_cash__gte=0, expected_cash__isnull=False),
                name="till_is_counted_exactly_when_it_is_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"Till {self.pk} of {self.clerk}"

    @property
    def difference(self) -> Decimal | None:
        """The counted cash without the expected cash: below 0 if some is missing; None while the till is open."""
        if self.counted_cash is None or self.expected_cash is None:
            return None
        return self.counted_cash - self.expected_cash


class PaymentQuerySet(models.QuerySet["Payment"]):
    def of_order(self, show_id: int, reference: str) -> PaymentQuerySet:
        return self.filter(show=show_id, reference=reference)

    def received(self) -> PaymentQuerySet:
        """Return payments whose money has arrived."""
        return self.filter(status=Payment.Status.PAID)

    def with_refunded(self) -> PaymentQuerySet:
        """Annotate `refunded`, the sum of the payment's refunds, whether or not they are carried out yet."""
        return self.annotate(refunded=Coalesce(Sum("refunds__amount"), ZERO, output_field=models.DecimalField(**TOTAL)))


class Payment(models.Model):
    """Money for an order: requested, received or declined."""

    class Status(models.TextChoices):
        PENDING = "pending"
        PAID = "paid"
        FAILED = "failed"

    class Method(models.TextChoices):
        CASH = "cash"
        CARD = "card"
        ONLINE = "online"

    show = models.ForeignKey(Show, models.PROTECT, related_name="+", db_index=False, editable=False)
    reference = models.CharField(max_length=REFERENCE_LENGTH, editable=False)
    # The name of the provider in PAYMENT_PROVIDERS, and its id of the payment once it has one.
    provider = models.CharField(max_length=20, editable=False)
    provider_id = models.CharField(max_length=255, blank=True, editable=False)
    method = models.CharField(max_length=6, choices=Method, default=Method.ONLINE, editable=False)
    amount = models.DecimalField(**TOTAL, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    status = models.CharField(max_length=7, choices=Status, default=Status.PENDING, editable=False)
    # The cash that the customer gave; the rest is their change.
    given = models.DecimalField(**TOTAL, null=True, editable=False)
    # The member of staff who took the payment, and their till; null online.
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    till = models.ForeignKey(Till, models.PROTECT, related_name="payments", null=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    # When it was paid or failed.
    settled_at = models.DateTimeField(null=True, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("take_payment", "Can take payments"),
            ("refund_payment", "Can refund payments"),
        ]
        indexes = [
            models.Index(fields=["show", "reference"], name="payment_by_order"),
            # Lists of staff, and their search.
            models.Index(fields=["-created_at", "-id"], name="payment_by_creation"),
            models.Index(fields=["reference"], name="payment_by_reference"),
            models.Index(fields=["settled_at"], condition=Q(status="paid"), name="payment_by_time"),
            models.Index(fields=["created_by"], condition=Q(created_by__isnull=False), name="payment_by_clerk"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_is_above_0"),
            models.UniqueConstraint(
                fields=["provider", "provider_id"],
                condition=~Q(provider_id=""),
                name="one_payment_per_provider_and_provider_id",
            ),
            models.CheckConstraint(
                condition=Q(status="pending", settled_at=None) | (~Q(status="pending") & Q(settled_at__isnull=False)),
                name="payment_is_settled_exactly_when_it_has_a_time",
            ),
            models.CheckConstraint(condition=Q(given=None) | Q(given__gte=F("amount")), name="cash_given_is_enough"),
        ]

    def __str__(self) -> str:
        return f"{represent_amount(self.amount)} {self.currency} for {self.reference}"

    @property
    def kind(self) -> str:
        """The method of payment, online with the provider, such as "Online (stripe)"."""
        provider = f" ({self.provider})" if self.method == self.Method.ONLINE else ""
        return f"{self.get_method_display()}{provider}"

    @property
    def amount_text(self) -> str:
        return represent_amount(self.amount)

    @property
    def change(self) -> Decimal | None:
        """The change that the customer got back from the cash that they gave."""
        return None if self.given is None else self.given - self.amount


class Refund(models.Model):
    """Money that goes back to where a payment came from."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", editable=False)
    # Those of the payment.
    show = models.ForeignKey(Show, models.PROTECT, related_name="+", db_index=False, editable=False)
    reference = models.CharField(max_length=REFERENCE_LENGTH, editable=False)
    provider = models.CharField(max_length=20, editable=False)
    provider_id = models.CharField(max_length=255, blank=True, editable=False)
    amount = models.DecimalField(**TOTAL, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    status = models.CharField(max_length=7, choices=Status, default=Status.PENDING, editable=False)
    # The reason for the refund, and the reason of a provider that refused it.
    reason = models.CharField(max_length=200, editable=False)
    problem = models.CharField(max_length=200, blank=True, editable=False)
    # The number of retries by staff after a failure.
    retries = models.SmallIntegerField(default=0, db_default=0, editable=False)
    # The provider's ids of attempts that failed.
    failed_ids = models.JSONField(default=list, db_default=[], editable=False)
    # The number of times that the provider repeated an error for the idempotency key, which then changes.
    provider_errors = models.SmallIntegerField(default=0, db_default=0, editable=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True, editable=False, db_index=False)
    till = models.ForeignKey(Till, models.PROTECT, related_name="refunds", null=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["show", "reference"], name="refund_by_order"),
            # Lists of staff, and their search.
            models.Index(fields=["-created_at", "-id"], name="refund_by_creation"),
            models.Index(fields=["reference"], name="refund_by_reference"),
            models.Index(fields=["settled_at"], condition=Q(status="done"), name="refund_by_time"),
            models.Index(fields=["status"], condition=~Q(status="done"), name="unfinished_refund_by_status"),
            models.Index(fields=["created_by"], condition=Q(created_by__isnull=False), name="refund_by_clerk"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_is_above_0"),
            models.UniqueConstraint(
                fields=["provider", "provider_id"],
                condition=~Q(provider_id=""),
                name="one_refund_per_provider_and_provider_id",
            ),
            models.CheckConstraint(
                condition=Q(status="done", settled_at__isnull=False) | (~Q(status="done") & Q(settled_at=None)),
                name="refund_is_done_exactly_when_it_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{represent_amount(self.amount)} {self.currency} of {self.reference}"


class PaymentEvent(models.Model):
    """A verified message of a provider. It is processed in the transaction that stores it, or never."""

    provider = models.CharField(max_length=20, editable=False)
    event_id = models.CharField(max_length=255, editable=False)
    payload = models.TextField(editable=False)
    received_at = models.DateTimeField(editable=False)
    processed_at = models.DateTimeField(null=True, editable=False)
    # The reason why it changed nothing, such as another amount than the payment's.
    problem = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="one_event_per_provider_and_event_id")
        ]

    def __str__(self) -> str:
        return self.event_id


class Receipt(models.Model):
    """A receipt of an order. Numbers have no gaps within a year of the cinema's time zone."""

    year = models.PositiveSmallIntegerField(editable=False)
    number = models.PositiveIntegerField(editable=False)
    show = models.ForeignKey(Show, models.PROTECT, related_name="+", editable=False)
    reference = models.CharField(max_length=REFERENCE_LENGTH, editable=False)
    # 1 for the first receipt of the order, 2 for what was paid or refunded after it, and so on.
    position = models.SmallIntegerField(default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    # The content, written by services/money/receipts.py when it was issued; null for receipts of earlier versions.
    content = models.JSONField(null=True, editable=False)

    class Meta:
        ordering = ["-year", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["year", "number"], name="one_receipt_per_year_and_number"),
            models.UniqueConstraint(
                fields=["show", "reference", "position"], name="one_receipt_per_order_and_position"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="receipt_number_is_1_or_more"),
            models.CheckConstraint(condition=Q(position__gte=1), name="receipt_position_is_1_or_more"),
        ]

    def __str__(self) -> str:
        return f"{self.year}-{self.number:06}"
