"""The daily cleanup, for each kind of row at the time of its expiry."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, models
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from booking.models import (
    Booking,
    IdempotencyKey,
    Movie,
    MovieUpload,
    Order,
    Payment,
    RateLimitWindow,
    RevokedSession,
    User,
)
from booking.services import Busy, clean_up, cleanup
from booking.services.accounts import counters
from booking.services.money.providers.base import Event, EventKind, StartedPayment
from booking.services.money.providers.demo import Demo
from tests.factories import NOW, make_booking, make_hold, make_movie, make_show, make_upload, make_user
from tests.races import at_once, locked_elsewhere
from tests.service import run

MOMENT = timedelta(microseconds=1)
DAY = timedelta(hours=24)
IS_SQLITE = connection.vendor == "sqlite"


def make_record(show, key, created_at=NOW - DAY, user=None):
    user = user or make_user()
    return IdempotencyKey.objects.create(user=user, show=show, key=key, response="{}", created_at=created_at)


def make_records(number, show=None):
    user, show = make_user(), show or make_show()
    for key in range(number):
        make_record(show, str(key), user=user)


def make_window(key, ends_in):
    counters.start_window(key=key, seconds=0)
    RateLimitWindow.objects.filter(key=key).update(ends_at=timezone.now().timestamp() + ends_in)


def batches(kind, now=NOW):
    """Return the numbers of removed rows, batch by batch."""
    return [number for name, number in clean_up(now=now) if name == kind and number]


def in_batches_of(number, monkeypatch):
    monkeypatch.setattr(cleanup, "BATCH_SIZE", number)


# --- Each kind --------------------------------------------------------------------------------


def test_an_idempotency_record_is_removed_when_it_is_24_hours_old(show):
    make_record(show, "old", NOW - DAY)
    make_record(show, "new", NOW - DAY + MOMENT)
    assert batches("idempotency records") == [1]
    assert IdempotencyKey.objects.get().key == "new"


def test_idempotency_records_expire_after_the_hours_in_the_settings(show, settings):
    settings.IDEMPOTENCY_HOURS = 2
    make_record(show, "old", NOW - timedelta(hours=2))
    make_record(show, "new", NOW - timedelta(hours=1))
    assert (batches("idempotency records"), IdempotencyKey.objects.get().key) == ([1], "new")


def test_idempotency_records_of_all_shows_are_removed(db):
    for _ in range(3):
        make_records(1)
    assert batches("idempotency records") == [1, 1, 1]


def test_a_hold_is_released_when_it_expired_10_minutes_ago(show):
    old = make_hold(show=show, seat_number=1, expires_at=NOW - timedelta(minutes=10))
    new = make_hold(show=show, seat_number=2, expires_at=NOW - timedelta(minutes=10) + MOMENT)
    assert batches("holds") == [1]
    statuses = dict(Booking.objects.values_list("pk", "status"))
    assert statuses == {old.pk: "cancelled", new.pk: "held"}


def test_bookings_are_not_removed(show):
    make_booking(show=show)
    assert (batches("holds"), Booking.objects.get().status) == ([], "booked")


@pytest.mark.django_db
def test_rate_limit_windows_are_removed_after_their_end():
    make_window("over", ends_in=-1)
    make_window("counting", ends_in=60)
    assert batches("rate-limit windows") == [1]
    assert list(RateLimitWindow.objects.values_list("key", flat=True)) == ["counting"]


@pytest.mark.django_db
def test_a_refresh_token_is_removed_when_it_expires_used_or_not():
    for jti, expires_at in (("used", NOW), ("unused", NOW), ("new", NOW + MOMENT)):
        OutstandingToken.objects.create(jti=jti, expires_at=expires_at)
    for jti in ("used", "new"):
        BlacklistedToken.objects.create(token=OutstandingToken.objects.get(jti=jti))
    assert batches("refresh tokens") == [2]
    assert [token.token.jti for token in BlacklistedToken.objects.all()] == ["new"]
    assert OutstandingToken.objects.get().jti == "new"


@pytest.mark.django_db
def test_a_revoked_session_is_removed_after_the_lifetime_of_its_tokens():
    for number, age in enumerate([timedelta(), timedelta(days=7), timedelta(days=7) + MOMENT]):
        RevokedSession.objects.create(number=number, revoked_at=NOW - age)
    assert batches("revoked sessions") == [1]
    assert sorted(RevokedSession.objects.values_list("number", flat=True)) == [0, 1]


@pytest.mark.django_db
def test_a_session_is_removed_when_it_has_expired():
    for key, expire_date in (("old", NOW - MOMENT), ("new", NOW)):
        Session.objects.create(session_key=key, session_data="", expire_date=expire_date)
    assert (batches("sessions of staff"), Session.objects.get().session_key) == ([1], "new")


def test_an_uploaded_file_is_removed_after_a_day(db):
    make_upload(name="old", created_at=NOW - DAY - MOMENT)
    make_upload(name="new", created_at=NOW - DAY)
    assert (batches("uploaded files"), MovieUpload.objects.get().name) == ([1], "new")


@pytest.mark.django_db
def test_texts_that_were_written_past_the_model_are_folded():
    movies = [make_movie(title=title, director="Ǻ") for title in ("É", "ß", "A", "B")]
    models.QuerySet(Movie).filter(title="É").update(folded_title=None)
    models.QuerySet(Movie).filter(title="ß").update(title="Ø", folded_director="")
    assert batches("outdated search texts") == [2]
    folded = Movie.objects.filter(pk__in=[movie.pk for movie in movies]).order_by("pk")
    assert list(folded.values_list("folded_title", "folded_director")) == [(title, "a") for title in "eoab"]


@pytest.mark.django_db
def test_names_that_were_written_past_the_model_are_folded():
    users = [make_user(username=f"user{number}", first_name=name) for number, name in enumerate(["Éva", "Ann", ""])]
    models.QuerySet(User).update(folded_first_name=None, folded_last_name=None)
    booking = make_booking(user=users[0])
    # The earlier version has cleared the name, but not the column that it does not know.
    models.QuerySet(Order).filter(reference=booking.reference).update(name="", folded_name="eva")
    assert batches("outdated search texts") == [1, 2]
    assert Order.objects.get(reference=booking.reference).folded_name == ""
    assert [User.objects.get(pk=user.pk).folded_first_name for user in users] == ["eva", "ann", None]
    assert batches("outdated search texts") == []


@pytest.mark.django_db
def test_every_kind_is_reported_if_nothing_has_expired():
    kinds = [
        "idempotency records",
        "rate-limit windows",
        "refresh tokens",
        "revoked sessions",
        "sessions of staff",
        "outdated search texts",
        "missing seat plans and orders",
        "contacts",
        "pending payments",
        "uploaded files",
        "finished tasks",
        "holds",
    ]
    assert list(clean_up(now=NOW)) == [(kind, 0) for kind in kinds]


# --- In batches -------------------------------------------------------------------------------


def test_rows_are_removed_in_batches(db, monkeypatch):
    in_batches_of(2, monkeypatch)
    make_records(5)
    assert batches("idempotency records") == [2, 2, 1]


def test_holds_are_released_some_shows_at_a_time(db, monkeypatch):
    monkeypatch.setattr(cleanup, "SHOWS_PER_BATCH", 2)
    for _ in range(3):
        make_hold(expires_at=NOW - DAY)
    assert batches("holds") == [2, 1]


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_run_keeps_its_finished_batches(monkeypatch):
    in_batches_of(2, monkeypatch)
    make_records(5)
    interrupted = clean_up(now=NOW)
    assert [next(interrupted) for _ in range(2)] == [("idempotency records", 0), ("idempotency records", 2)]
    interrupted.close()
    connection.close()
    assert IdempotencyKey.objects.count() == 3
    assert batches("idempotency records") == [2, 1]


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_the_same_time_remove_each_row_once(monkeypatch):
    in_batches_of(2, monkeypatch)
    shows = [make_show() for _ in range(4)]
    for show in shows:
        make_records(10, show)
        make_hold(show=show, expires_at=NOW - DAY)
    removed = at_once([lambda: sum(number for _, number in clean_up(now=NOW))] * 2)
    assert (sum(removed), IdempotencyKey.objects.count()) == (44, 0)
    assert set(Booking.objects.values_list("status", flat=True)) == {"cancelled"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IS_SQLITE, reason="SQLite locks no rows")
def test_a_locked_row_is_left_for_the_next_run():
    make_records(3)
    with locked_elsewhere(IdempotencyKey.objects.get(key="1")):
        assert batches("idempotency records") == [2]
    assert batches("idempotency records") == [1]


def make_pending_payment(provider, number):
    fields = {"provider": provider, "provider_id": f"demo-{number}", "amount": 12, "currency": "EUR"}
    return Payment.objects.create(show=make_show(), reference=f"ORDER{number}", created_at=NOW - DAY, **fields)


@pytest.mark.django_db
def test_a_payment_of_a_provider_that_is_switched_off_is_left():
    payments = [make_pending_payment(provider, number) for number, provider in enumerate(("gone", "demo"))]
    assert batches("pending payments") == [1]
    assert [Payment.objects.get(pk=payment.pk).status for payment in payments] == ["pending", "failed"]


class PaidAtTheBank(Demo):
    """A provider that has received each payment."""

    def create_payment(self, payment, return_url):
        about = payment.pk, payment.provider_id, payment.amount, payment.currency
        return StartedPayment(payment.provider_id, event=Event(f"read-{payment.pk}", EventKind.PAID, "{}", *about))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IS_SQLITE, reason="SQLite locks no rows")
def test_a_payment_of_a_locked_show_is_left_for_the_next_run(settings):
    settings.PAYMENT_PROVIDERS = {"demo": f"{__name__}.PaidAtTheBank"}
    payments = [make_pending_payment("demo", number) for number in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with locked_elsewhere(payments[0].show):
        assert batches("pending payments") == [1]
    assert batches("pending payments") == [1]
    assert set(Payment.objects.values_list("status", flat=True)) == {"paid"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IS_SQLITE, reason="SQLite locks no rows")
def test_a_locked_show_ends_the_run_after_all_other_steps():
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    hold = make_hold(expires_at=NOW - DAY)
    make_records(1)
    with locked_elsewhere(hold.show), pytest.raises(Busy):
        batches("holds")
    assert (IdempotencyKey.objects.count(), Booking.objects.get().status) == (0, "held")


# --- The command ------------------------------------------------------------------------------


def test_the_command_prints_a_line_for_each_kind(show, capsys):
    make_record(show, "old", timezone.now() - DAY)
    out = StringIO()
    call_command("cleanup", stdout=out)
    assert out.getvalue().splitlines() == [
        "Idempotency records cleaned up: 1",
        "Rate-limit windows cleaned up: 0",
        "Refresh tokens cleaned up: 0",
        "Revoked sessions cleaned up: 0",
        "Sessions of staff cleaned up: 0",
        "Outdated search texts cleaned up: 0",
        "Missing seat plans and orders cleaned up: 0",
        "Contacts cleaned up: 0",
        "Pending payments cleaned up: 0",
        "Uploaded files cleaned up: 0",
        "Finished tasks cleaned up: 0",
        "Holds cleaned up: 0",
    ]
    assert capsys.readouterr().err == ""


def test_progress_is_shown_on_a_terminal(show, capsys, monkeypatch):
    in_batches_of(1, monkeypatch)
    for key in ("one", "two"):
        make_record(show, key, timezone.now() - DAY)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    call_command("cleanup", stdout=StringIO())
    assert capsys.readouterr().err.count("Idempotency records") >= 2


@pytest.mark.server
def test_without_the_database_the_command_exits_with_1_and_a_message():
    done = run("postgres://nobody@127.0.0.1:1/none", "manage.py", "cleanup")
    sentence = "The database is unavailable or busy. Rows removed so far stay removed; run the command again."
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"CommandError: {sentence}\n")


# --- Names in the admin's history -------------------------------------------------------------


def logged(booking):
    """Create the log entry of the sale as an earlier version wrote it."""
    kind = ContentType.objects.get_for_model(Booking)
    fields = {"user": booking.sold_by, "content_type": kind, "object_id": str(booking.pk), "object_repr": str(booking)}
    return LogEntry.objects.create(action_flag=ADDITION, change_message="Sold to Jo Bakker.", **fields)


@pytest.mark.django_db
def test_names_of_contacts_are_removed_from_the_history_with_the_contacts(settings):
    settings.KEEP_CONTACTS_DAYS = 90
    shows = [make_show(starts_at=NOW - timedelta(days=days)) for days in (91, 89)]
    sold = [make_booking(show=show, sold_by=make_user()) for show in shows]
    Booking.objects.update(user=None)
    models.QuerySet(Order).update(user=None, name="Jo Bakker")
    entries = [logged(booking) for booking in sold]
    assert batches("contacts") == [1]
    messages = [LogEntry.objects.get(pk=entry.pk).change_message for entry in entries]
    assert messages == ["Sold to a customer without an account.", "Sold to Jo Bakker."]
