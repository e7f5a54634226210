"""Statements that are compiled once and sent many times give the same results as the ORM."""

from contextlib import suppress
from datetime import timedelta, timezone

import pytest
from django.db import DatabaseError, IntegrityError, NotSupportedError, connection, transaction
from django.db.models import F
from django.forms.models import model_to_dict

from booking.infrastructure.statements import Insert, Query, Text, Update, mark_saved, numbered_values, send
from booking.models import Booking, IdempotencyKey, Screen, Show
from tests.factories import NOW, make_booking, make_hold, make_movie, make_screen, make_show, make_user

MOMENT = timedelta(microseconds=1)

pytestmark = pytest.mark.django_db
postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no round trips")

by_pk = Query(lambda p: Screen.objects.filter(pk=p.pk))
rename = Update(lambda p: (Screen.objects.filter(pk=p.pk), {"name": p.name}))


# --- Query ------------------------------------------------------------------------------------


def test_a_query_returns_instances_with_their_relations(django_assert_num_queries):
    show = make_show()
    make_show()
    query = Query(lambda p: Show.objects.select_related("movie", "screen").filter(pk=p.pk))
    with django_assert_num_queries(1):
        [found] = query(pk=show.pk)
        assert (found.movie, found.screen) == (show.movie, show.screen)
    assert model_to_dict(found) == model_to_dict(show)


def test_a_query_defers_what_the_queryset_defers():
    show = make_show(movie=make_movie(description="Long"))
    query = Query(lambda p: Show.objects.select_related("movie").defer("movie__description").filter(pk=p.pk))
    [found] = query(pk=show.pk)
    assert found.movie.get_deferred_fields() == {"description"}
    assert found.movie.description == "Long"


def test_a_query_returns_annotations():
    screen = make_screen(rows=5, seats_per_row=7)
    query = Query(lambda p: Screen.objects.filter(pk=p.pk).annotate(seats=F("rows") * F("seats_per_row")))
    [found] = query(pk=screen.pk)
    assert (found, found.seats) == (screen, 35)


def test_a_query_is_sent_again_with_other_values():
    shows = [make_show() for _ in range(3)]
    query = Query(lambda p: Show.objects.filter(pk__gte=p.first, pk__lte=p.last).order_by("pk"))
    assert query(first=shows[0].pk, last=shows[1].pk) == shows[:2]
    assert query(last=shows[2].pk, first=shows[2].pk) == shows[2:]
    assert query(first=10**9, last=10**9) == []


def test_a_query_takes_several_values():
    screens = [make_screen() for _ in range(3)]
    query = Query(lambda p: Screen.objects.filter(pk__in=p.several("pk", 2)).order_by("pk"))
    assert query(**numbered_values("pk", [screen.pk for screen in screens[1:]])) == screens[1:]


def test_a_query_returns_rows_of_values():
    screen = make_screen(name="One")
    assert Query(lambda p: Screen.objects.filter(pk=p.pk).values_list("name", "rows"))(pk=screen.pk) == [("One", 5)]


def test_rows_equal_those_of_the_queryset():
    """SQLite stores a time as text."""
    hold = make_hold()
    rows = Booking.objects.values_list("pk", "expires_at")
    assert Query(lambda p: rows.filter(pk=p.pk))(pk=hold.pk) == list(rows)


def test_times_are_compared_as_the_queryset_compares_them():
    booking = make_hold(expires_at=NOW + MOMENT)
    query = Query(lambda p: Booking.objects.filter(show=p.show_id, expires_at__gt=p.now))
    times = [NOW - MOMENT, NOW, NOW + MOMENT, NOW + 2 * MOMENT]
    assert [query(show_id=booking.show_id, now=now) for now in times] == [[booking], [booking], [], []]


def test_a_time_of_any_zone_is_the_same_time():
    booking = make_hold(expires_at=NOW + MOMENT)
    query = Query(lambda p: Booking.objects.filter(expires_at__gt=p.now))
    east = timezone(timedelta(hours=9))
    assert [query(now=now.astimezone(east)) for now in (NOW, NOW + MOMENT)] == [[booking], []]


def test_a_parameter_can_be_used_twice():
    booking = make_booking(created_at=NOW)
    query = Query(lambda p: Booking.objects.filter(created_at__gte=p.now, created_at__lte=p.now))
    assert [query(now=NOW + n * MOMENT) for n in (-1, 0, 1)] == [[], [booking], []]


def test_null_equals_no_value():
    make_booking()
    assert Query(lambda p: Booking.objects.filter(user=p.user_id))(user_id=None) == []


@pytest.mark.parametrize("values", [{}, {"pk": 1, "name": "One"}, {"id": 1}])
def test_a_missing_or_unknown_parameter_is_a_type_error(values):
    with pytest.raises(TypeError, match=r"^The statement takes \['pk'\], not "):
        by_pk(**values)


def test_a_percent_sign_in_the_query_is_escaped():
    screen = make_screen(name="100%s %d%%")
    make_screen(name="100")
    query = Query(lambda p: Screen.objects.filter(pk__gte=p.pk, name__endswith="s %d%%"))
    assert query(pk=screen.pk) == [screen]


@postgresql
def test_constants_are_part_of_the_sql_for_partial_indexes():
    query = Query(lambda p: Booking.objects.filter(show=p.show_id, status="it's 5 %"))
    assert "'it''s 5 %'" in query.text
    assert query.bind(show_id=1).values == [1]
    assert query(show_id=1) == []


# --- Update -----------------------------------------------------------------------------------


def test_an_update_changes_the_rows_of_the_queryset():
    one, two = make_screen(name="One"), make_screen(name="Two")
    rename(pk=one.pk, name="Three")
    assert list(Screen.objects.order_by("pk").values_list("pk", "name")) == [(one.pk, "Three"), (two.pk, "Two")]


def test_an_update_can_use_other_columns():
    screen = make_screen(rows=5, seats_per_row=7)
    Update(lambda p: (Screen.objects.filter(pk=p.pk), {"rows": F("seats_per_row") + p.more}))(pk=screen.pk, more=2)
    screen.refresh_from_db()
    assert screen.rows == 9


# --- Insert -----------------------------------------------------------------------------------


def test_an_insert_stores_what_the_orm_would_store():
    booking = Booking(user=make_user(), show=make_show(), seat_number=1, created_at=NOW)
    [[(pk,)]] = send(Insert(Booking).of(booking))
    mark_saved(booking, pk)
    assert model_to_dict(booking) == model_to_dict(Booking.objects.get())
    assert (booking._state.adding, booking._state.db) == (False, "default")


def test_ids_of_the_orm_follow_those_of_an_insert():
    show = make_show()
    [[(pk,)]] = send(Insert(Booking).of(Booking(show=show, user=make_user(), seat_number=1, created_at=NOW)))
    assert make_booking(show=show, seat_number=2).pk > pk


def test_an_insert_obeys_the_constraints():
    booking = make_booking()
    with pytest.raises(IntegrityError), transaction.atomic():
        send(Insert(Booking).of(Booking(show=booking.show, user=booking.user, seat_number=1, created_at=NOW)))


def test_an_insert_can_replace_a_row_with_equal_unique_fields():
    key = {"user": make_user(), "show": make_show(), "key": "k"}
    insert = Insert(IdempotencyKey, replace_where_equal=("show", "user", "key"))
    for response in ("first", "second"):
        send(insert.of(IdempotencyKey(**key, request="r", response=response, created_at=NOW)))
    send(insert.of(IdempotencyKey(**(key | {"key": "other"}), request="r", response="third", created_at=NOW)))
    assert sorted(IdempotencyKey.objects.values_list("key", "response")) == [("k", "second"), ("other", "third")]


# --- Text -------------------------------------------------------------------------------------


def test_a_text_has_named_parameters():
    assert Text("SELECT 2 * {n} + {n} + {m} * 1")(n=5, m=1) == [(16,)]


def test_a_text_can_contain_statements():
    screens = [make_screen(name=name) for name in ("One", "Two")]
    named = Query(lambda p: Screen.objects.filter(name=p.name).values_list("pk"))
    text = Text("SELECT count(*) FROM ({screens}) AS found WHERE pk >= {least}", screens=named)
    assert [text(name="Two", least=screen.pk) for screen in screens] == [[(1,)], [(1,)]]
    assert text(name="One", least=screens[1].pk) == [(0,)]


def test_a_text_lists_its_parameters():
    with pytest.raises(TypeError, match=r"^The statement takes \['n'\], not \['m'\]"):
        Text("SELECT {n}")(m=1)


# --- Several statements -----------------------------------------------------------------------


def test_each_of_several_statements_gets_its_own_results():
    screen = make_screen(name="One")
    calls = [by_pk.bind(pk=screen.pk), rename.bind(pk=screen.pk, name="Two"), Text("SELECT 1 + {n}").bind(n=2)]
    assert send(*calls) == [[screen], [], [(3,)]]


def test_a_statement_sees_what_an_earlier_one_wrote():
    screen = make_screen(name="One")
    _, [found] = send(rename.bind(pk=screen.pk, name="Two"), by_pk.bind(pk=screen.pk))
    assert found.name == "Two"


def test_after_a_statement_that_failed_no_later_one_is_carried_out():
    screen = make_screen(name="One")
    with pytest.raises(DatabaseError), transaction.atomic():
        send(Text("SELECT 1 FROM nowhere").bind(), rename.bind(pk=screen.pk, name="Two"))
    screen.refresh_from_db()
    assert screen.name == "One"


def test_within_a_savepoint_nothing_is_committed():
    screen = make_screen(name="One")
    with suppress(ZeroDivisionError), transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Two"), commit=True)
        raise ZeroDivisionError
    screen.refresh_from_db()
    assert screen.name == "One"


@postgresql
@pytest.mark.django_db(transaction=True)
def test_the_statements_are_sent_with_begin_and_commit_in_one_round_trip(round_trips):
    screen = make_screen(name="One")
    with transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Two"), by_pk.bind(pk=screen.pk))
        send(rename.bind(pk=screen.pk, name="Three"), commit=True)
    round_trips.clear()
    with transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Four"), by_pk.bind(pk=screen.pk))
        send(rename.bind(pk=screen.pk, name="Five"), commit=True)
    assert round_trips == [3, 2]
    assert Screen.objects.get().name == "Five"


@pytest.mark.django_db(transaction=True)
def test_without_commit_an_error_rolls_the_transaction_back():
    screen = make_screen(name="One")
    with suppress(ZeroDivisionError), transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Two"))
        raise ZeroDivisionError
    screen.refresh_from_db()
    assert screen.name == "One"


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_commit_stays_after_later_errors():
    screen = make_screen(name="One")
    with suppress(ZeroDivisionError), transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Two"), commit=True)
        raise ZeroDivisionError
    screen.refresh_from_db()
    assert screen.name == "Two"


@pytest.mark.django_db(transaction=True)
def test_a_failed_statement_with_a_commit_leaves_nothing():
    screen = make_screen(name="One")
    with pytest.raises(DatabaseError), transaction.atomic():
        send(rename.bind(pk=screen.pk, name="Two"), Text("SELECT 1 FROM nowhere").bind(), commit=True)
    screen.refresh_from_db()
    assert screen.name == "One"


@postgresql
def test_statements_are_logged_and_wrapped_as_one_query(django_assert_num_queries):
    with django_assert_num_queries(1) as queries:
        send(Text("SELECT 1").bind(), Text("SELECT 2").bind())
    assert queries[0]["sql"] == "SELECT 1;\nSELECT 2"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL gets them in one round trip")
def test_sqlite_runs_the_statements_one_by_one(django_assert_num_queries):
    with django_assert_num_queries(2) as queries:
        assert send(Text("SELECT 1").bind(), Text("SELECT 2").bind()) == [[(1,)], [(2,)]]
    assert [query["sql"] for query in queries] == ["SELECT 1", "SELECT 2"]


# --- Prepared in the server -------------------------------------------------------------------


@pytest.fixture
def column_changed(transactional_db):
    """Prepare `by_pk`, and change the column's type on another connection."""
    make_screen(name="One")
    by_pk(pk=1)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(60)")
    yield
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(50)")
    other.close()


@postgresql
@pytest.mark.usefixtures("column_changed")
def test_a_column_whose_type_changed_is_read_over_a_new_connection():
    screen = Screen.objects.get()
    assert by_pk(pk=screen.pk) == [screen]


@postgresql
@pytest.mark.usefixtures("column_changed")
def test_in_a_transaction_the_caller_has_to_retry():
    with pytest.raises(NotSupportedError), transaction.atomic():
        by_pk(pk=1)
    assert by_pk(pk=1) == list(Screen.objects.filter(pk=1))
