"""Deleting an account: its seats of upcoming shows are free again, what is past stays without a name."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, TextField
from django.db.models.functions import Cast

from booking.models import Booking, IdempotencyKey, Show, User
from booking.services.refusals import Busy, InvalidInput, NotFound, Refusal
from booking.services.transactions import lock_account, lock_show, retried, write_transaction

# Each costs the check of a password; who books that often while deleting the account may try again.
ATTEMPTS = 3


class StaffAccount(Refusal):
    """What it changed in the admin would be nobody's."""

    code = "staff_account"
    example: ClassVar[dict[str, Any]] = {"detail": "An account of staff can't be deleted here; ask an administrator."}


class Overtaken(Exception):
    """Something was booked or changed between the look and the locks."""


@retried
def delete_account(*, user: User, password: str, now: datetime) -> None:
    """Deletes the account, for whoever knows its password.

    Bookings and holds of upcoming shows at `now` (UTC) are cancelled; past bookings keep their seat and lose their
    customer. Tokens and sessions are dead, the name is free again. Raises InvalidInput, StaffAccount, NotFound or
    Busy.
    """
    for _ in range(ATTEMPTS):
        account = User.objects.filter(pk=user.pk).first()
        if account is None:
            raise NotFound
        # Before anything is locked, as it takes long.
        if not account.check_password(password):
            raise InvalidInput("password", ["This is not your current password."])
        _check_is_customer(account)
        try:
            _delete(account, now)
        except Overtaken:
            continue
        return
    raise Busy


def _check_is_customer(account: User) -> None:
    """Raises StaffAccount."""
    if account.is_staff or account.is_superuser or _has_changed_things(account):
        raise StaffAccount


def _has_changed_things(account: User) -> bool:
    """Whether the admin's history tells of it, but for moves of the account's own bookings."""
    own = account.bookings.order_by().annotate(as_text=Cast("pk", TextField())).values("as_text")
    bookings = ContentType.objects.get_for_model(Booking)
    entries = LogEntry.objects.filter(user=account)
    return entries.exclude(content_type=bookings, object_id__in=own).exists()


def _delete(account: User, now: datetime) -> None:
    """Raises Overtaken and StaffAccount. Order of locks: the shows by id, then the account."""
    with write_transaction():
        shows = [lock_show(show_id) for show_id in _upcoming_shows(account, now)]
        # Race: a booking by another device. It is checked at its commit that the account is there still: either it
        # waits for this lock and fails, or it is seen now. Race: a change of the password.
        locked = lock_account(account.pk)
        if locked is None or locked.session_key != account.session_key:
            raise Overtaken
        # Race: somebody makes the account one of staff.
        _check_is_customer(locked)
        if not set(_upcoming_shows(account, now)) <= {show.pk for show in shows}:
            raise Overtaken
        for show in shows:
            _give_back(account, show, now)
        Booking.objects.filter(user=account).update(user=None)
        IdempotencyKey.objects.filter(user=account).delete()
        account.outstandingtoken_set.all().delete()
        account.delete()


def _upcoming_shows(account: User, now: datetime) -> list[int]:
    occupying = Booking.objects.occupying().filter(user=account, show__starts_at__gt=now)
    return list(occupying.order_by("show_id").values_list("show_id", flat=True).distinct())


def _give_back(account: User, show: Show, now: datetime) -> None:
    """The caller has the show's lock."""
    own = Booking.objects.occupying().filter(show=show, user=account)
    own.expired(now).update(status=Booking.Status.CANCELLED, cancelled_at=F("expires_at"))
    own.update(status=Booking.Status.CANCELLED, cancelled_at=now)
