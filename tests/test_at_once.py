"""The sale that is one trip to PostgreSQL: made where nothing is in the way, and never against the rules."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.forms.models import model_to_dict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking.models import Booking, Movie, Screen, Show
from booking.prepared import PreparedQuery, PreparedText, PreparedTransaction
from booking.services import Refusal, at_once, book_seat, claims, kept_shows, locks
from booking.services.at_once import sell_at_once
from booking.services.claims import Claim, Wish
from tests.factories import NOW, STARTS_AT, make_block, make_booking, make_hold, make_screen, make_show, make_user
from tests.test_contention import held, start, wait_for_waiters
from tests.test_retries import cut

MOMENT = timedelta(microseconds=1)

pytestmark = [
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is asked without a trip"),
    pytest.mark.django_db,
]


def long_way(user, show):
    return book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW, sold_by=user)


def sell(user, show, seat_number=7, now=NOW, *, patient=False):
    return sell_at_once(user=user, show_id=show.pk, seat_number=seat_number, now=now, patient=patient)


def test_a_sale_is_what_the_rules_would_have_stored(user, show):
    [sold] = sell(user, show)
    stored = Booking.objects.get()
    assert model_to_dict(sold) == model_to_dict(stored)
    assert (sold.created_at, sold.reference, sold._state.adding) == (NOW, stored.reference, False)
    assert (sold.show, sold.show.movie, sold.show.screen) == (show, show.movie, show.screen)


@pytest.mark.django_db(transaction=True)
def test_a_sale_is_one_trip(user, show, django_assert_num_queries):
    book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)
    trips = []

    def count(execute, *arguments):
        trips.append(arguments[0])
        return execute(*arguments)

    with connection.execute_wrapper(count):
        book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW)
    assert len(trips) == 1
    assert all(words in trips[0] for words in ("FOR NO KEY UPDATE", "INSERT INTO"))


@pytest.mark.parametrize("seat", [-1, 0, 51, 2**31, 10**30])
def test_a_seat_outside_the_hall_is_left_to_the_rules(user, seat):
    assert sell(user, make_show(total_seats=50), seat) == []


@pytest.mark.parametrize("status", ["booked", "held", "blocked"])
def test_a_seat_that_somebody_is_on_is_left_to_the_rules(user, show, status):
    {"booked": make_booking, "held": make_hold, "blocked": make_block}[status](show=show, seat_number=7)
    assert sell(user, show) == []
    assert len(sell(user, show, 8)) == 1


def test_a_hold_of_one_s_own_and_one_that_ran_out_are_left_to_the_rules(user, show):
    make_hold(user=user, show=show, seat_number=7)
    make_hold(show=show, seat_number=8, expires_at=NOW)
    assert (sell(user, show, 7), sell(user, show, 8)) == ([], [])
    assert book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW).seat_number == 7
    assert book_seat(user=user, show_id=show.pk, seat_number=8, now=NOW).seat_number == 8


def test_a_seat_that_was_given_back_is_sold(user, show):
    make_booking(show=show, seat_number=7, status="cancelled")
    assert len(sell(user, show)) == 1


@pytest.mark.parametrize(("now", "sales"), [(STARTS_AT - MOMENT, 1), (STARTS_AT, 0)])
def test_a_show_is_sold_until_it_starts(user, show, now, sales):
    assert len(sell(user, show, now=now)) == sales


def test_a_show_called_off_or_not_there_is_left_to_the_rules(user):
    assert sell(user, make_show(cancelled_at=NOW)) == []
    assert sell(user, Show(pk=10**9)) == []


def test_a_customer_at_the_limit_is_left_to_the_rules(user, show, settings):
    settings.MAX_SEATS_PER_USER = 2
    make_booking(user=user, show=show, seat_number=1, status="cancelled")
    make_booking(user=user)
    assert [len(sell(user, show, seat)) for seat in (2, 3, 4)] == [1, 1, 0]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.dictionaries(
        st.integers(1, 4),
        st.tuples(st.sampled_from(["booked", "cancelled", "held", "ran out", "blocked"]), st.booleans()),
    ),
    seat=st.integers(-1, 6),
    minutes=st.integers(-1, 1),
    limit=st.integers(1, 3),
    is_cancelled=st.booleans(),
)
def test_what_is_sold_at_once_the_rules_allow(user, monkeypatch, rows, seat, minutes, limit, is_cancelled):
    monkeypatch.setattr("django.conf.settings.MAX_SEATS_PER_USER", limit)
    show = make_show(total_seats=4, seats_per_row=2, cancelled_at=NOW if is_cancelled else None)
    now = STARTS_AT + timedelta(minutes=minutes)
    for number, (kind, is_own) in rows.items():
        put(kind, number, user if is_own else make_user(), show, now)
    allowed = is_allowed(user, show, seat, now)
    assert len(sell(user, show, seat, now)) <= allowed


def put(kind, number, user, show, now):
    place = {"show": show, "seat_number": number}
    if kind == "blocked":
        make_block(**place)
    elif kind in {"held", "ran out"}:
        make_hold(user=user, expires_at=now + MOMENT if kind == "held" else now, **place)
    else:
        make_booking(user=user, status=kind, **place)


def is_allowed(user, show, seat, now):
    try:
        Claim(user, show.pk, Wish([seat]), now, None)._decide(show)
    except Refusal:
        return False
    return True


# --- The lock ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_who_is_not_patient_is_told_of_a_lock_that_is_held(user, show):
    with held(show), pytest.raises(claims.Contested):
        sell(user, show)
    assert claims.is_contested(show.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", [partial(sell, patient=True), lambda user, show: [long_way(user, show)]])
def test_a_show_that_moves_to_another_screen_while_it_is_waited_for_is_sold(user, show, way):
    screen, other = make_screen(), connection.copy()
    other.set_autocommit(False)
    with ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        cursor.execute("UPDATE booking_show SET screen_id = %s WHERE id = %s", [screen.pk, show.pk])
        waiting = start(pool, lambda: way(user, show))
        wait_for_waiters(1)
        other.commit()
        [sold] = waiting.result()
    other.close()
    assert (sold.show.screen, list(Booking.objects.all())) == (screen, [sold])


@pytest.mark.django_db(transaction=True)
def test_statements_that_the_server_forgot_are_prepared_anew(user, show):
    book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW).seat_number == 2


@pytest.mark.django_db(transaction=True)
def test_a_customer_s_own_hold_makes_no_show_contested(user, show):
    make_hold(user=user, show=show, seat_number=7)
    book_seat(user=user, show_id=show.pk, seat_number=7, now=NOW)
    assert not claims.is_contested(show.pk)


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_while_the_lock_is_waited_for_is_seen(user, show, settings):
    """A statement's snapshot is older than the lock it waits for; the insert has one of its own."""
    settings.MAX_SEATS_PER_USER = 1
    other = connection.copy()
    other.set_autocommit(False)
    with ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        cursor.execute("SELECT FROM booking_show WHERE id = %s FOR NO KEY UPDATE", [show.pk])
        waiting = start(pool, lambda: sell(user, show, patient=True))
        wait_for_waiters(1)
        cursor.execute(
            "INSERT INTO booking_booking (user_id, show_id, seat_number, status, reference, created_at)"
            " VALUES (%s, %s, 8, 'booked', 'AAAAAAAA', now())",
            [user.pk, show.pk],
        )
        other.commit()
        assert waiting.result() == []
    other.close()


# --- The show in the answer -------------------------------------------------------------------


@pytest.mark.parametrize("change", ["movie", "screen", "show"])
def test_a_sale_is_answered_with_the_show_as_it_is(user, show, change):
    sell(user, show, 1)
    renamed = {
        "movie": lambda: Movie.objects.filter(pk=show.movie_id).update(title="Another"),
        "screen": lambda: Screen.objects.filter(pk=show.screen_id).update(name="Another"),
        "show": lambda: Show.objects.filter(pk=show.pk).update(ends_at=show.ends_at + MOMENT),
    }[change]
    renamed()
    [sold] = sell(user, show, 2)
    stored = Show.objects.select_related("movie", "screen").get()
    assert [model_to_dict(part) for part in (sold.show, sold.show.movie, sold.show.screen)] == [
        model_to_dict(part) for part in (stored, stored.movie, stored.screen)
    ]


def test_only_so_many_shows_are_kept(user, monkeypatch):
    monkeypatch.setattr(kept_shows, "MAX_KEPT", 2)
    for _ in range(5):
        show = make_show()
        assert sell(user, show)[0].show == show
        assert 1 <= len(kept_shows._kept) <= 2


@pytest.mark.django_db(transaction=True)
def test_the_show_is_read_in_the_sale_s_own_transaction_or_not_at_all(user, show, trips):
    for seat in (1, 2):
        sell(make_user(), show, seat)
    kept_shows._kept.clear()
    trips.clear()
    for seat in (3, 4):
        sell(user, show, seat)
    assert trips == [6, 5]


@contextmanager
def catalogue_changed(show, act):
    """Has the next sale of the show read it again, and something happen before it does."""
    sell(make_user(), show, 1)
    Movie.objects.update(title="Another")
    left = [act]

    def intercept(execute, sql, *arguments):
        if left and sql == kept_shows.read_show.text:
            left.pop()()
        return execute(sql, *arguments)

    with connection.execute_wrapper(intercept):
        yield
    assert not left


def forget():
    connection.connection.execute("DEALLOCATE ALL")


def fail():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def delete():
    Booking.objects.all().delete()
    Show.objects.all().delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("happens", [forget, fail, delete])
def test_a_sale_is_answered_whatever_becomes_of_the_show_after_it(user, show, happens):
    """It is made; better told with the show as it was known than not at all."""
    with catalogue_changed(show, happens):
        sold = book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW)
    assert (sold.show, sold.show.movie.title, sold.seat_number) == (show, show.movie.title, 2)
    assert list(Booking.objects.filter(seat_number=2)) == [sold] * (happens != delete)


@pytest.mark.django_db(transaction=True)
def test_a_connection_cut_after_the_sale_is_made_anew_for_the_show(user, show):
    with catalogue_changed(show, cut):
        sold = book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW)
    assert (sold.show.movie.title, list(Booking.objects.filter(seat_number=2))) == ("Another", [sold])


@pytest.mark.django_db(transaction=True)
def test_where_no_connection_can_be_had_after_the_sale_it_is_answered_all_the_same(user, show, monkeypatch):
    monkeypatch.setattr(locks, "RETRY_SECONDS", 0.0)
    with catalogue_changed(show, cut):
        sold = book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW)
    assert (sold.show.movie.title, list(Booking.objects.filter(seat_number=2))) == (show.movie.title, [sold])


# --- The transaction --------------------------------------------------------------------------

ONE = PreparedText("SELECT %s::int")
INSERT = PreparedText("INSERT INTO booking_screen (name, rows, seats_per_row) VALUES (%s, 1, 1)")


def names():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM booking_screen ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_gives_what_each_statement_gives():
    with transaction.atomic():
        assert PreparedTransaction(ONE, INSERT, ONE)([1], ["A"], [2]) == [[(1,)], [], [(2,)]]
    assert names() == ["A"]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_of_which_one_statement_fails_does_nothing():
    with pytest.raises(IntegrityError), transaction.atomic():
        PreparedTransaction(INSERT, INSERT, INSERT)(["A"], ["A"], ["B"])
    assert names() == []
    with transaction.atomic():
        PreparedTransaction(INSERT)(["C"])
    assert names() == ["C"]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_within_another_is_committed_with_it():
    with transaction.atomic():
        with transaction.atomic():
            PreparedTransaction(INSERT)(["A"])
        assert names() == ["A"]
        transaction.set_rollback(True)
    assert names() == []


@pytest.mark.django_db(transaction=True)
def test_a_connection_of_a_pool_is_asked_without_names():
    connection.ensure_connection()
    connection.connection.prepare_threshold = None
    with transaction.atomic():
        assert PreparedTransaction(ONE)([1]) == [[(1,)]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%::int%%'")
        assert cursor.fetchone() == (0,)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_column_that_changed_its_type_is_no_reason_to_sell_nothing(user, show):
    sell(user, show, 1)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(60)")
        assert book_seat(user=user, show_id=show.pk, seat_number=2, now=NOW).seat_number == 2
    finally:
        with other.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(50)")
        other.close()


@pytest.mark.parametrize(
    ("query", "tries", "key"), [(at_once._insert, [], []), (at_once._insert_if_counted, [60], ["booking:esha"])]
)
def test_the_sale_reads_no_more_than_the_customer_s_rows_of_a_hot_show(user, show, query, tries, key):
    arguments = query.parameters(user.pk, show.pk, 7, 10, *tries, NOW, "ACDEFGHJ", *key)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query.text}", arguments)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "booking_by_show_and_user" in plan
    assert "one_live_booking_per_show_and_seat" in plan
    assert "Seq Scan on booking_tries" not in plan
    assert isinstance(query, PreparedQuery)
