"""Removing rows and personal data that have expired, and renewing search texts that are outdated.

No other code depends on it: every query ignores expired rows. Each batch is a separate transaction, so requests don't
wait for a whole run, and an interrupted run keeps the results of its finished batches. Rows that another transaction
has locked are skipped, so that two runs at the same time don't wait for each other.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, QuerySet

from booking.infrastructure.tasks import expired_tasks
from booking.models import Booking, IdempotencyKey, Movie, Order, RevokedSession, User, of_outer_order
from booking.models.folding import Folding, fold_rows
from booking.services.accounts.counters import sweep
from booking.services.money.payments import close_old_payments
from booking.services.programme.movies import expired_uploads
from booking.services.programme.old_rows import complete_old_rows
from booking.services.seats.bookings import forget_buyers
from booking.services.seats.holds import release_expired_holds
from booking.services.transactions import retried, write_transaction

BATCH_SIZE = 1000
SHOWS_PER_BATCH = 100

Batches = Iterator[int]


def clean_up(*, now: datetime) -> Iterator[tuple[str, int]]:
    """Removes all rows that have expired by `now` (UTC), in batches.

    Yields (kind, 0) before the first batch of a kind and (kind, number of rows) after each batch. Raises Busy.
    """
    for kind, batches in _kinds(now):
        yield kind, 0
        for number in batches:
            yield kind, number


def _kinds(now: datetime) -> Iterator[tuple[str, Batches]]:
    idempotency_end = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    hold_end = now - timedelta(minutes=settings.HOLD_MINUTES)
    sessions = RevokedSession.objects.filter(revoked_at__lt=now - settings.REFRESH_TOKEN_LIFETIME)
    # The column has no index. Older tokens have lower ids, and the order keeps PostgreSQL on the index of these.
    tokens = apps.get_model("token_blacklist", "OutstandingToken").objects.filter(expires_at__lte=now).order_by("pk")
    staff_sessions = Session.objects.filter(expire_date__lt=now)
    yield "idempotency records", _delete_by_show(IdempotencyKey.objects.filter(created_at__lte=idempotency_end))
    yield "rate-limit windows", _repeated(sweep)
    yield "refresh tokens", _deleted(tokens)
    yield "revoked sessions", _deleted(sessions.order_by("revoked_at"))
    yield "sessions of staff", _deleted(staff_sessions.order_by("expire_date"))
    folding = [_repeated(partial(_refold_batch, model)) for model in (Movie, Order, User)]
    yield "outdated search texts", chain.from_iterable(folding)
    yield "missing seat plans and orders", filter(None, complete_old_rows())
    yield "contacts", _repeated(partial(_forget_contacts, now - timedelta(days=settings.KEEP_CONTACTS_DAYS)))
    yield "pending payments", _repeated(partial(close_old_payments, now=now))
    yield "uploaded files", _deleted(expired_uploads(now).order_by("pk"))
    yield "finished tasks", _deleted(expired_tasks(now))
    # Last, because a show that stays locked ends the run.
    release = partial(release_expired_holds, expired_by=hold_end, max_shows=SHOWS_PER_BATCH)
    yield "holds", _repeated(release)


def _repeated(remove: Callable[[], int]) -> Batches:
    """Runs batches until one changes nothing."""
    run = retried(remove)
    while number := run():
        yield number


def _deleted(expired: QuerySet[Any, Any]) -> Batches:
    return _repeated(partial(_delete_batch, expired))


def _delete_batch(expired: QuerySet[Any, Any]) -> int:
    with write_transaction():
        # PostgreSQL checks the condition again when it locks a row that has changed.
        batch = expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH_SIZE]
        keys = list(batch)
        expired.model._default_manager.filter(pk__in=keys).delete()
    return len(keys)


def _forget_contacts(ended_by: datetime) -> int:
    """Clears names, e-mail addresses and phone numbers in orders of shows that ended by then (UTC)."""
    known = Order.objects.exclude(name="", email="", phone="").filter(show__ends_at__lte=ended_by)
    with write_transaction():
        keys = list(
            known.order_by("pk")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("pk", flat=True)[:BATCH_SIZE]
        )
        orders = Order.objects.filter(pk__in=keys)
        of_order = of_outer_order(orders)
        # Earlier versions wrote the name of the contact into the admin's history.
        forget_buyers(Booking.objects.filter(Exists(of_order), show__in=orders.values("show"), user=None))
        orders.update(name="", email="", phone="")
    return len(keys)


def _refold_batch(model: type[Folding]) -> int:
    """Folds titles and names that were written without it: by an earlier version or by SQL."""
    texts = model._default_manager.order_by("pk").perhaps_stale()  # type: ignore[attr-defined]
    stale = [row.pk for row in texts.iterator() if row.has_stale_folds()][:BATCH_SIZE]
    with write_transaction():
        # Race: a member of staff changes the row.
        batch = list(texts.select_for_update(skip_locked=True, no_key=True).filter(pk__in=stale))
        fold_rows(batch, model._default_manager)
    return len(batch)


def _delete_by_show(expired: QuerySet[Any, Any]) -> Batches:
    """Deletes show by show, so that each statement filters by show and the table can be sharded by show."""
    for show_id in _shows(expired):
        yield from _deleted(expired.filter(show=show_id))


@retried
def _shows(expired: QuerySet[Any, Any]) -> list[int]:
    return list(expired.order_by("show").values_list("show", flat=True).distinct())
