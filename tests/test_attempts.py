"""The trip that finds who asks and counts the try, and sells the seat or looks at it besides."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection
from rest_framework.permissions import IsAuthenticated
from rest_framework.test import APIClient

from booking.models import Booking, EndedSignIn, Tries, User
from booking.services import Claims, attempt_booking, locks
from booking.throttling import BookingThrottle
from booking.tokens import SIGN_IN_CLAIM, AccessToken
from booking.views.bookings import BookView
from tests.factories import NOW, make_booking, make_hold
from tests.test_contention import held, post, start, wait_for_waiters
from tests.test_retries import INSERT, cut, cut_at

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked without a trip"),
    pytest.mark.django_db(transaction=True),
]

PLACE = "/api/shows/{}/book/"


def attempt(user, show, seat_number=7, key=None):
    claims = Claims(user.pk, 1, key or user.token_key)
    call = {"show_id": show.pk, "seat_number": seat_number, "now": NOW}
    return attempt_booking(limit="booking", claims=claims, may_sell=True, **call)


def tries():
    return sum(row.number for row in Tries.objects.filter(key__startswith="booking:"))


# --- A sale -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_booking_is_one_trip(client, show, trips, is_pooled):
    connection.ensure_connection()
    if is_pooled:
        connection.connection.prepare_threshold = None
    for seat in (1, 2):
        post(client, show, seat)
    trips.clear()
    answer = post(client, show, 3)
    connection.close()
    # BEGIN, how long to wait for locks, the count, the lock, the insert, COMMIT.
    assert (answer.status_code, trips) == (201, [6])
    assert tries() == 3


def test_the_answer_is_the_booking_that_is_stored(client, user, show):
    answer = post(client, show, 7).json()
    stored = Booking.objects.get()
    assert (answer["id"], answer["reference"], answer["seat_number"]) == (stored.pk, stored.reference, 7)
    assert (stored.user, stored.show) == (user, show)
    assert client.get("/api/my-bookings/").json()["results"] == [answer]


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options", "head"])
def test_only_a_post_books(client, show, method):
    getattr(client, method)(PLACE.format(show.pk), {"seat_number": 7}, format="json")
    assert not Booking.objects.exists()


def test_a_key_of_the_request_is_kept_with_the_booking(client, show):
    first, again = (post(client, show, 7, **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again["Idempotency-Replayed"] == "true"


def test_one_try_too_many_sells_nothing(client, show, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (2, 60)}
    assert [post(client, show, seat).status_code for seat in (1, 2, 3, 4)] == [201, 201, 429, 429]
    assert (Booking.objects.count(), tries()) == (2, 4)


def dismiss(user, token):
    User.objects.filter(pk=user.pk).update(is_active=False)


def sign_out_everywhere(user, token):
    User.objects.filter(pk=user.pk).update(token_key="another")


def sign_out(user, token):
    EndedSignIn.objects.create(number=token[SIGN_IN_CLAIM], ended_at=NOW)


def delete(user, token):
    user.delete()


@pytest.mark.parametrize("end", [dismiss, sign_out_everywhere, sign_out, delete])
def test_a_dead_token_buys_nothing_on_the_very_next_request(user, show, end):
    token = AccessToken.for_user(user)
    client = APIClient(headers={"Authorization": f"Bearer {token}"})
    assert post(client, show, 1).status_code == 201
    Booking.objects.all().delete()
    counted = tries()
    end(user, token)
    assert post(client, show, 2).status_code == 401
    assert (Booking.objects.count(), tries()) == (0, counted)


@pytest.mark.parametrize("seat", [0, -1, 51, 2**31, 10**20])
def test_a_seat_that_there_is_not_is_refused_as_ever(client, show, seat):
    answer = post(client, show, seat)
    assert (answer.status_code, answer.json()["code"], tries()) == (400, "no_such_seat", 1)


def test_a_show_that_there_is_not_is_not_found(client, show, trips):
    show.pk = 10**17
    assert (post(client, show).status_code, tries()) == (404, 1)


def test_where_a_seat_is_taken_the_try_is_counted_once(client, show, trips):
    make_booking(show=show, seat_number=7)
    post(client, show, 1)
    trips.clear()
    assert (post(client, show, 7).json()["code"], tries()) == ("seat_taken", 2)
    # The whole sale, and no second one before the look.
    assert [number for number in trips if number > 1] == [6]


def test_a_customer_s_own_hold_is_booked(client, user, show):
    make_hold(user=user, show=show, seat_number=7)
    assert (post(client, show, 7).status_code, tries()) == (201, 1)
    assert Booking.objects.get().status == "booked"


def test_the_try_of_who_finds_the_show_locked_is_counted_once(client, user, show, monkeypatch):
    monkeypatch.setattr(locks, "LOCK_TIMEOUT_SECONDS", 0.2)
    with held(show):
        assert post(client, show).json()["code"] == "busy"
    assert locks.is_contested(show.pk)
    assert (tries(), Booking.objects.count()) == (1, 0)


@pytest.mark.parametrize("end", [dismiss, sign_out_everywhere, sign_out, delete])
def test_a_dead_token_is_refused_without_the_show_s_lock(user, show, end):
    token = AccessToken.for_user(user)
    client = APIClient(headers={"Authorization": f"Bearer {token}"})
    end(user, token)
    with held(show):
        assert post(client, show).status_code == 401
    assert not locks.is_contested(show.pk)


def test_one_try_too_many_is_refused_without_the_show_s_lock(client, show, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
    assert post(client, show, 1).status_code == 201
    with held(show):
        assert post(client, show, 2).status_code == 429
    assert not locks.is_contested(show.pk)


def test_an_old_count_sells_nothing_to_who_is_not_counted(user, show):
    """The condition of the lock and of the insert is of this transaction's own count."""
    assert attempt(user, show, 1).booking
    assert attempt(user, show, 2, key="another").user is None
    assert Booking.objects.count() == 1


def test_after_who_is_found_nobody_but_the_throttle_refuses():
    assert (BookView.permission_classes, BookView.throttle_classes) == ([IsAuthenticated], [BookingThrottle])


def test_a_count_that_is_waited_for_is_right(user, show, settings):
    """The last try that is left, made twice at once."""
    settings.LIMITS = settings.LIMITS | {"booking": (2, 60)}
    assert attempt(user, show, 1).booking
    other = connection.copy()
    other.set_autocommit(False)
    with ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        cursor.execute("UPDATE booking_tries SET number = number + 1")
        waiting = start(pool, lambda: attempt(user, show, 2))
        wait_for_waiters(1)
        other.commit()
        result = waiting.result()
    other.close()
    assert (result.booking, result.seconds_to_wait > 0, Booking.objects.count()) == (None, True, 1)


def test_who_is_deleted_while_the_sale_is_made_is_told_that_there_is_no_such_account(client, user, show):
    """The account is found, and gone when the database looks whose booking it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN DELETE FROM booking_user; RETURN NEW; END'"
        )
        cursor.execute("CREATE TRIGGER gone AFTER INSERT ON booking_booking FOR EACH ROW EXECUTE FUNCTION gone()")
    try:
        assert attempt(user, show).user is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION gone CASCADE")
    assert (Booking.objects.count(), tries()) == (0, 0)


def test_a_sale_whose_statements_the_server_forgot_is_made_and_counted_once(client, show):
    for seat in (1, 2):
        post(client, show, seat)
    connection.connection.execute("DEALLOCATE ALL")
    assert post(client, show, 3).status_code == 201
    assert (Booking.objects.count(), tries()) == (3, 3)


def test_a_sale_cut_off_before_it_is_made_is_made_all_the_same(client, show):
    with cut_at(INSERT) as left:
        assert post(client, show, 7).status_code == 201
    assert (left, Booking.objects.count()) == ([], 1)


@contextmanager
def answer_lost(meanwhile=cut):
    """The first sale is made, and the connection breaks before that is heard of."""
    left = [meanwhile]

    def intercept(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if left and INSERT in sql:
            left.pop()()
            raise OperationalError("The server's answer did not come.")
        return result

    with connection.execute_wrapper(intercept):
        yield
    assert not left


def test_the_last_try_whose_sale_was_not_heard_of_is_answered_with_the_booking(client, show, settings):
    settings.LIMITS = settings.LIMITS | {"booking": (1, 60)}
    with answer_lost():
        answer = post(client, show)
    assert (answer.status_code, answer.json()["id"]) == (201, Booking.objects.get().pk)
    assert tries() == 1


def test_a_sale_not_heard_of_is_not_told_to_a_token_that_is_dead_by_then(user, show):
    token = AccessToken.for_user(user)
    client = APIClient(headers={"Authorization": f"Bearer {token}"})

    def dismiss_elsewhere():
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("UPDATE booking_user SET is_active = false")
        other.close()

    with answer_lost(dismiss_elsewhere):
        assert post(client, show).status_code == 401
