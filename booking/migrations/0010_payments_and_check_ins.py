from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("booking", "0009_fill_seat_plans_and_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="ticket_serial",
            field=models.IntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(editable=False, max_length=8)),
                ("provider", models.CharField(editable=False, max_length=20)),
                ("provider_id", models.CharField(blank=True, editable=False, max_length=255)),
                (
                    "method",
                    models.CharField(
                        choices=[("cash", "Cash"), ("card", "Card"), ("online", "Online")],
                        default="online",
                        editable=False,
                        max_length=6,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=3, editable=False, max_digits=12)),
                ("currency", models.CharField(editable=False, max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("paid", "Paid"), ("failed", "Failed")],
                        default="pending",
                        editable=False,
                        max_length=7,
                    ),
                ),
                ("given", models.DecimalField(decimal_places=3, editable=False, max_digits=12, null=True)),
                ("created_at", models.DateTimeField(editable=False)),
                ("settled_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "show",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="booking.show",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("take_payment", "Can take payments"), ("refund_payment", "Can refund payments")],
            },
        ),
        migrations.CreateModel(
            name="PaymentEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(editable=False, max_length=20)),
                ("event_id", models.CharField(editable=False, max_length=255)),
                ("payload", models.TextField(editable=False)),
                ("received_at", models.DateTimeField(editable=False)),
                ("processed_at", models.DateTimeField(editable=False, null=True)),
                ("problem", models.CharField(blank=True, editable=False, max_length=200)),
            ],
            options={
                "ordering": ["-received_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("provider", "event_id"), name="one_event_per_provider_and_event_id")
                ],
            },
        ),
        migrations.CreateModel(
            name="Till",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opened_at", models.DateTimeField(editable=False)),
                (
                    "opening_float",
                    models.DecimalField(
                        decimal_places=3,
                        help_text="The cash in the drawer at the beginning.",
                        max_digits=12,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                        verbose_name="float",
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("expected_cash", models.DecimalField(decimal_places=3, editable=False, max_digits=12, null=True)),
                (
                    "counted_cash",
                    models.DecimalField(
                        blank=True,
                        decimal_places=3,
                        max_digits=12,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200)),
                (
                    "clerk",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at", "-id"],
                "permissions": [("close_till", "Can open and close tills")],
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(editable=False, max_length=8)),
                ("provider", models.CharField(editable=False, max_length=20)),
                ("provider_id", models.CharField(blank=True, editable=False, max_length=255)),
                ("amount", models.DecimalField(decimal_places=3, editable=False, max_digits=12)),
                ("currency", models.CharField(editable=False, max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("done", "Done"), ("failed", "Failed")],
                        default="pending",
                        editable=False,
                        max_length=7,
                    ),
                ),
                ("reason", models.CharField(editable=False, max_length=200)),
                ("problem", models.CharField(blank=True, editable=False, max_length=200)),
                ("created_at", models.DateTimeField(editable=False)),
                ("settled_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="booking.payment",
                    ),
                ),
                (
                    "show",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="booking.show",
                    ),
                ),
                (
                    "till",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="booking.till",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="payment",
            name="till",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="booking.till",
            ),
        ),
        migrations.CreateModel(
            name="CheckIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("booking_id", models.BigIntegerField(editable=False)),
                ("action", models.CharField(choices=[("in", "In"), ("undo", "Undo")], editable=False, max_length=4)),
                ("reason", models.CharField(blank=True, editable=False, max_length=200)),
                ("device", models.CharField(blank=True, editable=False, max_length=50)),
                ("nonce", models.CharField(editable=False, max_length=64)),
                ("scanned_at", models.DateTimeField(editable=False)),
                ("at", models.DateTimeField(editable=False)),
                (
                    "by",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "show",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="booking.show",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
                "permissions": [("check_in", "Can admit at the door")],
                "indexes": [
                    models.Index(fields=["show", "booking_id", "id"], name="check_in_by_show_and_booking"),
                    models.Index(fields=["by"], name="check_in_by_person"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("show", "nonce"), name="one_check_in_per_show_and_nonce"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("action", "undo"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="undone_check_in_has_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("year", models.PositiveSmallIntegerField(editable=False)),
                ("number", models.PositiveIntegerField(editable=False)),
                ("reference", models.CharField(editable=False, max_length=8)),
                ("created_at", models.DateTimeField(editable=False)),
                (
                    "show",
                    models.ForeignKey(
                        editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="booking.show"
                    ),
                ),
            ],
            options={
                "ordering": ["-year", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("year", "number"), name="one_receipt_per_year_and_number"),
                    models.UniqueConstraint(fields=("show", "reference"), name="one_receipt_per_order"),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="receipt_number_is_1_or_more"),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="till",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("clerk",), name="one_open_till_per_clerk"
            ),
        ),
        migrations.AddConstraint(
            model_name="till",
            constraint=models.CheckConstraint(
                condition=models.Q(("opening_float__gte", 0)), name="till_float_is_0_or_more"
            ),
        ),
        migrations.AddConstraint(
            model_name="till",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at", None), ("counted_cash", None), ("expected_cash", None)),
                    models.Q(("closed_at__isnull", False), ("counted_cash__gte", 0), ("expected_cash__isnull", False)),
                    _connector="OR",
                ),
                name="till_is_counted_exactly_when_it_is_closed",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["show", "reference"], name="refund_by_order"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(condition=models.Q(("status", "done")), fields=["settled_at"], name="refund_by_time"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("status", "done"), _negated=True),
                fields=["status"],
                name="unfinished_refund_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("created_by__isnull", False)), fields=["created_by"], name="refund_by_clerk"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_amount_is_above_0"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=("provider", "provider_id"),
                name="one_refund_per_provider_and_provider_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at__isnull", False), ("status", "done")),
                    models.Q(models.Q(("status", "done"), _negated=True), ("settled_at", None)),
                    _connector="OR",
                ),
                name="refund_is_done_exactly_when_it_has_a_time",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["show", "reference"], name="payment_by_order"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(condition=models.Q(("status", "paid")), fields=["settled_at"], name="payment_by_time"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("created_by__isnull", False)), fields=["created_by"], name="payment_by_clerk"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="payment_amount_is_above_0"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=("provider", "provider_id"),
                name="one_payment_per_provider_and_provider_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at", None), ("status", "pending")),
                    models.Q(models.Q(("status", "pending"), _negated=True), ("settled_at__isnull", False)),
                    _connector="OR",
                ),
                name="payment_is_settled_exactly_when_it_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("given", None), ("given__gte", models.F("amount")), _connector="OR"),
                name="cash_given_is_enough",
            ),
        ),
    ]
