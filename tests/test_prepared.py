from datetime import timedelta, timezone

import pytest
from django.db import NotSupportedError, connection, transaction
from django.db.models import BooleanField, F, Q
from django.db.models.expressions import RawSQL
from django.forms.models import model_to_dict

from booking.models import Booking, Screen, Show
from booking.prepared import PreparedInsert, PreparedPair, PreparedQuery, fetch
from tests.factories import NOW, make_booking, make_hold, make_screen, make_show, make_user

MOMENT = timedelta(microseconds=1)

pytestmark = pytest.mark.django_db


def test_it_gives_what_the_queryset_gives_with_its_relations(django_assert_num_queries):
    show = make_show()
    make_show()
    query = PreparedQuery(lambda pk: Show.objects.select_related("movie", "screen").filter(pk=pk), 1)
    with django_assert_num_queries(1):
        [found] = query(show.pk)
        assert (found.movie, found.screen) == (show.movie, show.screen)
    assert model_to_dict(found) == model_to_dict(Show.objects.get(pk=show.pk))


def test_it_gives_what_is_annotated():
    screen = make_screen(rows=5, seats_per_row=7)
    query = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).annotate(seats=F("rows") * F("seats_per_row")), 1)
    [found] = query(screen.pk)
    assert (found, found.seats) == (screen, 35)


def test_it_is_asked_again_with_other_arguments():
    shows = [make_show() for _ in range(3)]
    query = PreparedQuery(lambda first, last: Show.objects.filter(pk__gte=first, pk__lte=last).order_by("pk"), 2)
    assert query(shows[0].pk, shows[1].pk) == shows[:2]
    assert query(shows[2].pk, shows[2].pk) == shows[2:]
    assert query(10**9, 10**9) == []


def test_it_gives_rows_of_values():
    screen = make_screen(name="One")
    assert PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).values_list("name", "rows"), 1)(screen.pk) == [
        ("One", 5)
    ]


def test_it_gives_rows_of_values_as_the_queryset_does():
    """SQLite keeps a time as text."""
    holds = Booking.objects.filter(pk=make_hold().pk).values_list("pk", "expires_at")
    assert PreparedQuery(lambda pk: holds.filter(pk=pk), 1)(holds[0][0]) == list(holds)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no statement that writes within another")
def test_of_a_pair_the_second_knows_what_the_first_one_gives():
    screens = [make_screen(name=name, rows=rows) for name, rows in (("One", 1), ("Two", 2), ("Three", 2))]
    first = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk).values_list("rows"), 1)
    same = RawSQL("rows = (SELECT rows FROM found)", [], output_field=BooleanField())
    second = PreparedQuery(lambda least: Screen.objects.filter(same, pk__gte=least).order_by("pk"), 1)
    pair = PreparedPair(first, second, 1)

    def ask(*arguments):
        return pair.results(fetch(pair.text, pair.parameters(*arguments)))

    assert ask([screens[1].pk], [0]) == ([(2,)], screens[1:])
    assert ask([screens[0].pk], [screens[1].pk]) == ([(1,)], [])
    assert ask([0], [0]) == ([], [])


def test_it_compares_times_as_the_queryset_does():
    booking = make_hold(expires_at=NOW + MOMENT)
    query = PreparedQuery(lambda show, now: Booking.objects.filter(show=show, expires_at__gt=now), 1, times=1)
    asked = [NOW - MOMENT, NOW, NOW + MOMENT, NOW + 2 * MOMENT]
    assert [query(booking.show_id, now) for now in asked] == [[booking], [booking], [], []]
    assert query(10**9, NOW) == []


def test_it_takes_a_time_of_any_zone():
    booking = make_hold(expires_at=NOW + MOMENT)
    query = PreparedQuery(lambda now: Booking.objects.filter(expires_at__gt=now), 0, times=1)
    east = timezone(timedelta(hours=9))
    assert [query(now.astimezone(east)) for now in (NOW, NOW + MOMENT)] == [[booking], []]


def test_it_tells_two_times_apart():
    bookings = [make_booking(created_at=NOW + n * MOMENT) for n in range(4)]
    query = PreparedQuery(lambda first, last: Booking.objects.filter(created_at__range=(first, last)), 0, times=2)
    assert query(NOW + MOMENT, NOW + 2 * MOMENT) == bookings[2:0:-1]
    assert query(NOW + 2 * MOMENT, NOW + MOMENT) == []


def test_it_refuses_a_query_in_which_a_time_goes_missing():
    query = PreparedQuery(lambda now: Booking.objects.all(), 0, times=1)
    with pytest.raises(ValueError, match="An argument went missing"):
        query(NOW)


@pytest.mark.parametrize("arguments", [(1,), (1, NOW, NOW)])
def test_it_takes_as_many_arguments_as_it_was_made_for(arguments):
    query = PreparedQuery(lambda show, now: Booking.objects.filter(show=show, expires_at__gt=now), 1, times=1)
    with pytest.raises(TypeError, match="arguments in the place of 2"):
        query(*arguments)


def test_a_percent_sign_of_the_query_s_own_stays_one():
    screen = make_screen(name="100%s %d%%")
    make_screen(name="100")
    query = PreparedQuery(lambda pk: Screen.objects.filter(pk__gte=pk, name__endswith="s %d%%"), 1)
    assert query(screen.pk) == [screen]


def test_it_needs_every_argument():
    query = PreparedQuery(lambda pk: Show.objects.filter(pk=pk), 1)
    with pytest.raises(TypeError, match="0 arguments in the place of 1"):
        query()


def test_it_refuses_a_query_in_which_an_argument_goes_missing():
    # Django drops a comparison with a number that the column can't hold.
    query = PreparedQuery(lambda pk, n: Show.objects.filter(Q(pk=pk) | Q(pk=n * 10**12)), 2)
    with pytest.raises(ValueError, match="An argument went missing"):
        query(1, 2)


def test_an_insert_is_what_the_orm_would_have_saved():
    user, show = make_user(), make_show()
    made = PreparedInsert(Booking).insert(Booking(user=user, show=show, seat_number=1, created_at=NOW))
    assert model_to_dict(made) == model_to_dict(Booking.objects.get(pk=made.pk))
    assert (made._state.adding, made._state.db) == (False, "default")
    assert make_booking(show=show, seat_number=2).pk > made.pk


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection that could be cut")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_found_without_asking(django_assert_num_queries):
    connection.ensure_connection()
    with django_assert_num_queries(0):
        assert connection.is_usable()
    pid = connection.connection.info.backend_pid
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    other.close()
    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()


@pytest.fixture
def reader_of_changed_screens(transactional_db):
    """A migration by another connection, after this one has had its statements planned."""
    query = PreparedQuery(lambda pk: Screen.objects.filter(pk=pk), 1)
    make_screen(name="One")
    for _ in range(5):
        query(1)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(60)")
    yield query
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE booking_screen ALTER COLUMN name TYPE varchar(50)")
    other.close()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite plans a statement anew by itself")
def test_a_column_that_changed_its_type_is_read_all_the_same(reader_of_changed_screens):
    screen = Screen.objects.get()
    assert reader_of_changed_screens(screen.pk) == [screen]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite plans a statement anew by itself")
def test_in_a_transaction_it_is_for_the_caller_to_begin_again(reader_of_changed_screens):
    with pytest.raises(NotSupportedError), transaction.atomic():
        reader_of_changed_screens(1)
