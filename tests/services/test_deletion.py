"""Deleting an account: its data, its bookings, and concurrent changes."""

import json
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection, transaction
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from booking import services
from booking.infrastructure.tokens import AccessToken, RefreshToken
from booking.models import Booking, IdempotencyKey, Order, User
from booking.services import (
    InvalidInput,
    NotFound,
    Refusal,
    book_seat,
    change_password,
    delete_account,
    move_booking,
    sign_up,
)
from booking.services.accounts import deletion
from tests.bodies import field_errors
from tests.conftest import signed_in
from tests.factories import NOW, PASSWORD, STARTS_AT, make_booking, make_hold, make_show, make_user
from tests.races import at_once
from tests.tokens import me, refresh, sign_in, sign_out, status_and_code

HOUR = timedelta(hours=1)
AFTER = STARTS_AT + HOUR


def delete(user, password=PASSWORD, now=NOW):
    delete_account(user=user, password=password, now=now)


def row(booking):
    """Return the booking with its current values."""
    return Booking.objects.values_list("user", "status", "cancelled_at", "seat_number").get(pk=booking.pk)


# --- What goes and what stays -----------------------------------------------------------------


def test_the_account_is_deleted_and_its_username_is_available(user):
    delete(user)
    assert not User.objects.exists()
    assert sign_up(username="esha", password=PASSWORD).username == "esha"


@pytest.mark.parametrize("make", [make_booking, make_hold])
def test_seats_of_an_upcoming_show_are_cancelled(user, show, make):
    booking = make(user=user, show=show, seat_number=7)
    delete(user)
    assert row(booking) == (None, "cancelled", NOW, 7)
    assert book_seat(user=make_user(), show_id=show.pk, seat_number=7, now=NOW).seat_number == 7


def test_seats_of_several_shows_are_cancelled(user):
    bookings = [make_booking(user=user, show=make_show(), seat_number=seat) for seat in (1, 2, 3)]
    delete(user)
    assert [row(booking)[1] for booking in bookings] == ["cancelled"] * 3


def test_a_past_booking_keeps_its_seat_and_loses_its_customer(user, show):
    booking = make_booking(user=user, show=show, seat_number=7)
    delete(user, now=STARTS_AT)
    assert row(booking) == (None, "booked", None, 7)


def test_the_history_of_staff_loses_the_account(user, show):
    sold = services.book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW, sold_by=make_user())
    entry = LogEntry.objects.get(object_id=str(sold.pk))
    assert entry.change_message == f"Sold to {user}."
    delete_account(user=user, password=PASSWORD, now=NOW)
    assert LogEntry.objects.get(pk=entry.pk).change_message == "Sold to a customer without an account."


def test_a_cancelled_booking_keeps_its_time(user, show):
    booking = make_booking(user=user, show=show, status="cancelled", cancelled_at=NOW - HOUR)
    delete(user)
    assert row(booking) == (None, "cancelled", NOW - HOUR, 1)


def test_an_expired_hold_is_cancelled_at_its_expiry(user, show):
    hold = make_hold(user=user, show=show, expires_at=NOW - HOUR, held_since=NOW - 2 * HOUR)
    delete(user)
    assert row(hold) == (None, "cancelled", NOW - HOUR, 1)


def test_seats_of_other_customers_are_not_changed(user, show):
    booking = make_booking(user=make_user(), show=show)
    delete(user)
    assert row(booking)[1] == "booked"


def test_the_data_of_the_account_is_deleted(user, show):
    IdempotencyKey.objects.create(user=user, show=show, key="1", request="", response="{}")
    OutstandingToken.objects.create(user=user, jti="1", expires_at=NOW)
    delete(user)
    assert (IdempotencyKey.objects.count(), OutstandingToken.objects.count()) == (0, 0)


def test_a_deletion_leaves_no_breach(user, show):
    from booking.services.audit import find_breaches

    make_booking(user=user, show=show)
    make_hold(user=user, show=make_show())
    delete(user)
    assert list(find_breaches()) == []


# --- Who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_a_deletion_requires_the_password(user, show, password):
    booking = make_booking(user=user, show=show)
    with pytest.raises(InvalidInput) as refusal:
        delete(user, password)
    assert (refusal.value.field, refusal.value.reasons) == ("password", ["This is not your current password."])
    assert row(booking)[:2] == (user.pk, "booked")


def code_of(call):
    with pytest.raises(Refusal) as refusal:
        call()
    return refusal.value.code


@pytest.mark.parametrize("fields", [{"is_staff": True}, {"is_superuser": True}])
def test_a_staff_account_is_not_deleted(db, fields):
    user = make_user(**fields)
    assert code_of(lambda: delete(user)) == "staff_account"
    assert User.objects.filter(pk=user.pk).exists()


def test_an_account_with_changes_as_staff_is_not_deleted(user, show):
    LogEntry.objects.log_actions(user.pk, [show], CHANGE, change_message="Moved.")
    assert code_of(lambda: delete(user)) == "staff_account"


def test_a_customer_who_moved_a_booking_can_be_deleted(user, show):
    booking = make_booking(user=user, show=show)
    move_booking(user=user, booking_id=booking.pk, seat_number=2, now=NOW)
    delete(user)
    assert row(booking) == (None, "cancelled", NOW, 2)


def test_a_deleted_account_is_not_found(user):
    User.objects.all().delete()
    with pytest.raises(NotFound):
        delete(user)


# --- Who comes in between ---------------------------------------------------------------------


@pytest.fixture
def between_look_and_lock(transactional_db):
    """Runs calls on other connections after the shows were read and before the account is locked."""
    acts = []

    def execute(run, sql, params, many, context):
        if sql.endswith("FOR UPDATE") and acts:
            at_once([acts.pop()])
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield acts


postgresql_alone = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets no second writer in between")


@postgresql_alone
def test_a_concurrent_booking_is_cancelled(user, between_look_and_lock):
    booked = []
    show = make_show()
    between_look_and_lock.append(lambda: booked.append(book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)))
    delete(user)
    assert [row(booking) for booking in booked] == [(None, "cancelled", NOW, 1)]


@postgresql_alone
def test_a_deletion_with_endless_conflicts_is_busy(user, between_look_and_lock):
    between_look_and_lock += [lambda: make_booking(user=user, show=make_show())] * 3
    assert code_of(lambda: delete(user)) == "busy"
    assert list(Booking.objects.values_list("user", "status")) == [(user.pk, "booked")] * 3


@postgresql_alone
def test_a_deletion_requires_a_concurrently_changed_password(user, between_look_and_lock):
    new = "another fine phrase"
    between_look_and_lock.append(
        lambda: change_password(user=User.objects.get(pk=user.pk), current_password=PASSWORD, new_password=new)
    )
    with pytest.raises(InvalidInput):
        delete(user)
    assert User.objects.filter(pk=user.pk).exists()


@postgresql_alone
def test_a_concurrent_promotion_to_staff_prevents_the_deletion(user, between_look_and_lock):
    between_look_and_lock.append(lambda: User.objects.filter(pk=user.pk).update(is_staff=True))
    assert code_of(lambda: delete(user)) == "staff_account"
    assert User.objects.filter(pk=user.pk).exists()


@postgresql_alone
def test_a_concurrently_deleted_account_is_not_found(user, between_look_and_lock):
    between_look_and_lock.append(lambda: delete(user))
    assert code_of(lambda: delete(user)) == "not_found"


def try_to(call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except Refusal as refusal:
        return refusal.code


def race():
    """Return the result of the deletion of an account while seven devices book for it."""
    user, shows = make_user(), [make_show() for _ in range(7)]
    make_booking(user=user, show=shows[0], seat_number=9)
    booking = [partial(try_to, book_seat, user=user, show_id=show.pk, seat_number=1, now=NOW) for show in shows]
    return at_once([*booking, partial(try_to, delete, user)])[-1]


@pytest.mark.django_db(transaction=True)
def test_concurrent_bookings_leave_no_seat_without_a_customer():
    for _ in range(10):
        deleted = race()
        seats = Booking.objects.active(NOW)
        assert deleted in (None, "busy")
        assert not seats.filter(user=None).exists()
        assert seats.exists() == (deleted == "busy")
        seats.delete()


@postgresql_alone
@pytest.mark.django_db(transaction=True)
def test_without_the_locks_a_booking_is_left_without_its_customer():
    """The control: a booking that no lock of the deletion meets would be left without its customer."""
    user, show = make_user(), make_show()
    with transaction.atomic():
        to_give_back = deletion._upcoming_shows(user, NOW)
        other = at_once([lambda: book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)])
        assert (to_give_back, len(other)) == ([], 1)
        for model in (Booking, Order):
            model.objects.filter(user=user).update(user=None)
        user.delete()
    assert Booking.objects.active(NOW).filter(user=None).exists()


# --- Over HTTP --------------------------------------------------------------------------------


def test_all_tokens_are_invalid_after_the_account_is_deleted(client, user):
    access, token = AccessToken.for_user(user), RefreshToken.for_user(user)
    answer = client.delete("/api/me/", {"password": PASSWORD})
    assert (answer.status_code, answer.content) == (204, b"")
    calls = [me(access), refresh(token), sign_out(token)]
    assert [status_and_code(call) for call in calls] == [(401, "user_not_found")] * 3
    assert sign_in().status_code == 401


def test_a_wrong_password_is_refused_with_its_field(client, user):
    answer = client.delete("/api/me/", {"password": "wrong"})
    assert field_errors(answer) == {"password": ["This is not your current password."]}


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": ["x"]}, {"password": "x" * 129}])
def test_a_body_without_a_password_deletes_nothing(client, body):
    assert client.delete("/api/me/", body).status_code == 400
    assert client.get("/api/me/").status_code == 200


def test_the_refusal_tells_staff_who_deletes_their_account(db):
    answer = signed_in(make_user(is_staff=True)).delete("/api/me/", {"password": PASSWORD})
    detail = "A staff account can't be deleted here; ask an administrator."
    assert (answer.status_code, answer.json()) == (409, {"detail": detail, "code": "staff_account"})


def test_deletions_and_password_changes_share_a_limit(client, settings):
    settings.LIMITS = settings.LIMITS | {"password": (2, 3600)}
    assert client.delete("/api/me/", {"password": "wrong"}).status_code == 400
    assert client.post("/api/me/password/", {}).status_code == 400
    assert client.delete("/api/me/", {"password": PASSWORD}).status_code == 429


# --- In the admin -----------------------------------------------------------------------------


@pytest.fixture
def past_show(user):
    """A show that is over, with a booking of an account that was deleted."""
    show = make_show(starts_at=timezone.now() - 3 * HOUR)
    make_booking(user=user, show=show, created_at=timezone.now() - 9 * HOUR)
    delete(user, now=timezone.now())
    return show


def test_pages_of_a_show_with_a_deleted_customer_open(past_show, staff):
    booking = past_show.bookings.get()
    pages = [f"/admin/booking/show/{past_show.pk}/{page}/" for page in ("change", "history")] + [
        f"/admin/booking/booking/{booking.pk}/{page}/" for page in ("change", "history")
    ]
    paths = [*pages, "/admin/booking/booking/", "/admin/booking/booking/reports/", "/admin/"]
    assert [staff.get(path).status_code for path in paths] == [200] * len(paths)
    hall = staff.get(f"/admin/booking/show/{past_show.pk}/hall/").json()
    assert "sold to a deleted account" in json.dumps(hall)


def test_the_admin_refuses_to_delete_a_customer_with_bookings(user, show, staff):
    make_booking(user=user, show=show)
    page = staff.post(f"/admin/booking/user/{user.pk}/delete/", {"post": "yes"})
    assert (page.status_code, User.objects.filter(pk=user.pk).exists()) == (200, True)


def test_the_admin_deletes_a_customer_without_bookings(user, staff):
    page = staff.post(f"/admin/booking/user/{user.pk}/delete/", {"post": "yes"})
    assert (page.status_code, User.objects.filter(pk=user.pk).exists()) == (302, False)


@pytest.mark.parametrize("from_list", [False, True])
def test_the_admin_keeps_no_username_of_a_deleted_account(user, staff, from_list):
    pk = user.pk
    staff.post(f"/admin/booking/user/{pk}/change/", {"username": "esha", "is_active": "on"})
    if from_list:
        form = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
        staff.post("/admin/booking/user/", form)
    else:
        staff.post(f"/admin/booking/user/{pk}/delete/", {"post": "yes"})
    entries = LogEntry.objects.filter(object_id=str(pk))
    assert (User.objects.filter(pk=pk).exists(), {entry.object_repr for entry in entries}) == (False, {f"Account {pk}"})
