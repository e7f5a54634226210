"""Deleting an account: bookings of upcoming shows are cancelled, past bookings lose their customer."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from booking.models import Booking, CheckIn, IdempotencyKey, Order, Payment, Refund, Show, Till, User
from booking.services.accounts.accounts import check_current_password
from booking.services.door.admitted import lock_admitted
from booking.services.money.refunds import customers_get_refund, refund_overpaid
from booking.services.refusals import Busy, Refusal, first_or_not_found
from booking.services.seats.bookings import forget_buyers
from booking.services.transactions import lock_account, lock_show, retried, write_transaction

# Each attempt checks the password. It fails only if the account or its bookings change at the same time.
ATTEMPTS = 3


class StaffAccount(Refusal):
    """The admin's history refers to the account as the author of changes, so it can't be deleted."""

    code = "staff_account"
    example: ClassVar[dict[str, Any]] = {"detail": "A staff account can't be deleted here; ask an administrator."}


class ChangedMeanwhile(Exception):
    """A booking or the account changed before the locks were taken."""


@retried
def delete_account(*, user: User, password: str, now: datetime) -> None:
    """Deletes the account if the password is correct.

    Bookings and holds of shows that start after `now` (UTC) are cancelled; past bookings remain without a customer. All
    tokens and sessions become invalid, and the username is available again. Raises InvalidInput, StaffAccount, NotFound
    or Busy.
    """
    for _ in range(ATTEMPTS):
        account = first_or_not_found(User.objects.filter(pk=user.pk))
        check_current_password(account, password, "password")
        _check_is_customer(account)
        try:
            _delete(account, now)
        except ChangedMeanwhile:
            continue
        return
    raise Busy


def _check_is_customer(account: User) -> None:
    """Raises StaffAccount."""
    if account.is_staff or account.is_superuser or has_history(account=account):
        raise StaffAccount


def has_history(*, account: User) -> bool:
    """Return whether the account did something as a member of staff; its moves of its own bookings don't count."""
    # Each condition has its own index.
    for author in ("sold_by", "moved_by", "cancelled_by"):
        if Booking.objects.filter(**{author: account}).exists():
            return True
    # Other work of staff; none of it can be done with a customer's account.
    for model, author in (
        (Payment, "created_by"),
        (Refund, "created_by"),
        (Till, "clerk"),
        (Till, "closed_by"),
        (CheckIn, "by"),
    ):
        if model._default_manager.filter(**{author: account}).exists():
            return True
    own = account.bookings.order_by().annotate(as_text=Cast("pk", TextField())).values("as_text")
    bookings = ContentType.objects.get_for_model(Booking)
    entries = LogEntry.objects.filter(user=account)
    return entries.exclude(content_type=bookings, object_id__in=own).exists()


def _delete(account: User, now: datetime) -> None:
    """Raises ChangedMeanwhile and StaffAccount."""
    with write_transaction():
        shows = [lock_show(show_id) for show_id in _upcoming_shows(account, now)]
        # Race: a booking from another device. Its foreign key is checked at its commit, so it either waits for this
        # lock and fails, or is already visible here. Race: a change of the password.
        locked = lock_account(user_id=account.pk)
        if locked is None or locked.session_key != account.session_key:
            raise ChangedMeanwhile
        # Race: the account is made a staff account.
        _check_is_customer(locked)
        if not set(_upcoming_shows(account, now)) <= {show.pk for show in shows}:
            raise ChangedMeanwhile
        for show in shows:
            _cancel_seats(account, show, now)
        forget_buyers(Booking.objects.filter(user=account))
        Booking.objects.filter(user=account).update(user=None)
        Order.objects.filter(user=account).update(user=None, name="", email="", phone="")
        IdempotencyKey.objects.filter(user=account).delete()
        account.outstandingtoken_set.all().delete()
        forget_username(account=account)
        account.delete()


def forget_username(*, account: User) -> None:
    """Removes the username from the admin's history."""
    changes_by_staff(account).update(object_repr=f"Account {account.pk}")


def changes_by_staff(account: User) -> QuerySet[LogEntry]:
    """Return the entries of the admin's history about the account; they contain the username."""
    return LogEntry.objects.filter(
        content_type__app_label="booking", content_type__model="user", object_id=str(account.pk)
    )


def _upcoming_shows(account: User, now: datetime) -> list[int]:
    occupying = Booking.objects.occupying().filter(user=account, show__starts_at__gt=now)
    return list(occupying.order_by("show_id").values_list("show_id", flat=True).distinct())


def _cancel_seats(account: User, show: Show, now: datetime) -> None:
    """Cancels the account's bookings and holds in the show. The caller holds the show's lock.

    Admitted seats, and paid ones that the customer would get no refund for, stay booked; their tickets are still valid.
    """
    own = Booking.objects.occupying().filter(show=show, user=account)
    if not customers_get_refund(show=show, now=now):
        own = own.exclude(reference__in=Payment.objects.received().filter(show=show).values("reference"))
    admitted = lock_admitted(show=show, booking_ids=own.values_list("pk", flat=True))
    own = own.exclude(pk__in=[booking.pk for booking in admitted])
    references = set(own.values_list("reference", flat=True))
    own.expired(now).release()
    own.cancel(now)
    refund_overpaid(show=show, references=references, now=now, reason="The account was deleted.")
