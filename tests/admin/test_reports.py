"""Sales reports, and their CSV files."""

import csv
import io
from datetime import date, datetime, timedelta, timezone

import pytest
from django.test import Client
from django.utils import timezone as django_timezone

from booking import services
from booking.admin.reports import safe_cell
from booking.models import User
from tests.factories import NOW, make_booking, make_movie, make_screen, make_show
from tests.staff import staff_with

REPORTS = "/admin/booking/booking/reports/"
FIRST, LAST = date(2099, 6, 1), date(2099, 6, 3)
PERIOD = {"first_day": FIRST, "last_day": LAST}

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def show_on(day, hour=18, **fields):
    return make_show(starts_at=datetime(2099, 6, day, hour, tzinfo=timezone.utc), **fields)


def sell(show, count, first=1):
    for seat in range(first, first + count):
        make_booking(show=show, seat_number=seat)


def read():
    return services.read_report(**PERIOD)


def figures(lines):
    return [(line.name, line.shows, line.seats, line.sold, line.cancelled) for line in lines]


def page(client, **query):
    return client.get(REPORTS, PERIOD | query)


def download(client, table):
    response = client.get(f"{REPORTS}{table}.csv", PERIOD)
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


# --- What is counted ---


def test_seats_count_on_the_day_of_their_show():
    sell(show_on(1), 2)
    sell(show_on(3), 3)
    assert figures(read().days) == [
        (date(2099, 6, 1), 1, 50, 2, 0),
        (date(2099, 6, 2), 0, 0, 0, 0),
        (date(2099, 6, 3), 1, 50, 3, 0),
    ]


def test_movies_and_screens_are_ordered_by_sold_seats():
    alien, screen = make_movie(title="Alien"), make_screen(name="Big")
    sell(show_on(1, movie=make_movie(title="Brazil"), screen=screen), 1)
    sell(show_on(2, movie=alien, screen=make_screen(name="Small")), 2)
    sell(show_on(3, movie=alien, screen=screen), 2)
    report = read()
    assert figures(report.movies) == [("Alien", 2, 100, 4, 0), ("Brazil", 1, 50, 1, 0)]
    assert figures(report.screens) == [("Big", 2, 100, 3, 0), ("Small", 1, 50, 2, 0)]


def test_two_movies_of_the_same_name_have_two_rows():
    for month in (1, 2):
        show_on(1, movie=make_movie(title="Twins", release_date=date(1988, month, 1)))
    assert [line.name for line in read().movies] == ["Twins (1988)", "Twins (1988)"]


def test_only_booked_seats_are_sold_and_only_bookings_cancelled():
    show = show_on(1)
    make_booking(show=show, seat_number=1)
    make_booking(show=show, seat_number=2, status="cancelled")
    make_booking(show=show, seat_number=2, status="held", expires_at=NOW, held_since=NOW)
    make_booking(show=show, seat_number=3, status="cancelled", expires_at=NOW, held_since=NOW)
    services.block_seats(show_id=show.pk, seat_numbers=[4], reason="broken", now=NOW)
    assert figures([read().total]) == [("", 1, 50, 1, 1)]


def test_a_hold_counts_neither_when_booked_and_cancelled_nor_when_given_back_twice(user):
    show = show_on(1)
    for seat, book in ((1, True), (2, False)):
        [hold] = services.hold_seats(user=user, show_id=show.pk, seat_numbers=[seat], now=NOW)
        if book:
            services.book_seat(user=user, show_id=show.pk, seat_number=seat, now=NOW)
        services.cancel_booking(booking_id=hold.pk, now=NOW)
    assert (read().total.sold, read().total.cancelled) == (0, 1)


def test_a_cancelled_show_has_no_seats_but_its_cancellations_count():
    show = show_on(1)
    sell(show, 3)
    services.cancel_show(show_id=show.pk, now=NOW)
    report = read()
    assert figures([report.total]) == [("", 0, 0, 0, 3)]
    assert [(of.is_cancelled, of.percent) for of in report.shows] == [(True, 0)]


@pytest.mark.parametrize(("zone", "midnight"), [("Europe/London", -1), ("America/New_York", 4)])
def test_a_day_is_one_of_the_cinema_s_time_zone(settings, zone, midnight):
    settings.TIME_ZONE = zone
    first = datetime(2099, 6, 1, tzinfo=timezone.utc) + timedelta(hours=midnight)
    sell(make_show(starts_at=first), 2)
    sell(make_show(starts_at=first + timedelta(days=3, hours=-1)), 1)
    sell(make_show(starts_at=first + timedelta(days=3)), 4)
    assert [line.sold for line in read().days] == [2, 0, 1]


def test_a_file_has_the_cinema_s_days_and_times(staff, settings):
    settings.TIME_ZONE = "America/New_York"
    show_on(2, hour=1)
    assert [row[:2] for row in download(staff, "shows")[1:]] == [["2099-06-01", "21:00"]]


@pytest.mark.parametrize(("sold", "percent"), [(0, 0), (1, 2), (49, 98), (50, 100)])
def test_the_percentage_of_sold_seats_is_rounded_down(sold, percent):
    sell(show_on(1), sold)
    assert [show.percent for show in read().shows] == [percent]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_costs_the_same_queries_for_1_and_3_shows(staff, rows, django_assert_num_queries):
    for day in range(1, rows + 1):
        sell(show_on(day), rows)
    with django_assert_num_queries(5):
        page(staff)


# --- The page ---


def test_the_report_shows_the_figures(staff):
    sell(show_on(1, movie=make_movie(title="Alien")), 2)
    text = page(staff).content.decode()
    assert all(of in text for of in ("Alien", "2 of 50", "4%", "<b>2</b>", "on the day its show starts"))


@pytest.mark.parametrize(("last_day", "title"), [(LAST, "Seats sold by day"), ("2099-08-31", "Seats sold")])
def test_the_title_of_the_chart_names_days_if_its_bars_are_days(staff, last_day, title):
    show_on(1)
    assert f">{title}</h2>" in page(staff, last_day=last_day).content.decode()


def test_a_cancelled_show_is_marked(staff):
    show_on(1, cancelled_at=NOW)
    assert "<em>cancelled</em>" in page(staff).content.decode()


def test_the_default_period_is_the_current_month(staff):
    form = staff.get(REPORTS).context["form"]
    today = django_timezone.localdate()
    last_day = form.cleaned_data["last_day"]
    assert form.cleaned_data["first_day"] == today.replace(day=1)
    assert ((last_day + timedelta(days=1)).day, last_day.month) == (1, today.month)


@pytest.mark.parametrize(
    ("period", "field"),
    [
        ({"first_day": "x"}, "first_day"),
        ({"first_day": ""}, "first_day"),
        ({"last_day": "2099-02-30"}, "last_day"),
        ({"first_day": "0001-01-01"}, "first_day"),
        ({"last_day": "9999-12-31"}, "last_day"),
        ({"last_day": "2099-05-31"}, "last_day"),
        ({"last_day": "2100-06-02"}, "last_day"),
    ],
)
@pytest.mark.parametrize("file", ["", "days.csv"])
def test_a_bad_period_is_refused_on_the_form(staff, period, field, file):
    response = staff.get(f"{REPORTS}{file}", PERIOD | period)
    assert (response.status_code, list(response.context["form"].errors)) == (200, [field])


def test_a_period_with_only_one_date_is_refused(staff):
    assert list(staff.get(REPORTS, {"first_day": FIRST}).context["form"].errors) == ["last_day"]


def test_a_period_of_366_days_is_accepted(staff):
    assert page(staff, last_day="2100-06-01").context["form"].errors == {}


def test_a_period_without_shows_has_a_message(staff):
    assert "No shows start in this period." in page(staff).content.decode()


def test_shows_are_paged(staff, monkeypatch):
    monkeypatch.setattr("booking.admin.reports.ROWS_A_PAGE", 1)
    for day in (1, 2, 3):
        show_on(day)
    text = page(staff, page=2).content.decode()
    assert "Page 2 of 3" in text
    assert ('page=1#by-shows" rel="prev"' in text, 'page=3#by-shows" rel="next"' in text) == (True, True)


# --- The files ---


def test_each_table_can_be_downloaded(staff):
    sell(show_on(1, movie=make_movie(title="Alien"), screen=make_screen(name="Big")), 2)
    show_on(2, movie=make_movie(title="Brazil"), screen=make_screen(name="Small"), cancelled_at=NOW)
    heads = ["seats", "sold", "percent sold", "cancelled", "takings in EUR"]
    assert download(staff, "days")[:2] == [["day", "shows", *heads], ["2099-06-01", "1", "50", "2", "4", "0", "0.00"]]
    assert download(staff, "movies")[:2] == [["movie", "shows", *heads], ["Alien", "1", "50", "2", "4", "0", "0.00"]]
    assert download(staff, "screens")[:2] == [["screen", "shows", *heads], ["Big", "1", "50", "2", "4", "0", "0.00"]]
    assert download(staff, "shows") == [
        ["day", "start", "movie", "screen", "state", *heads],
        ["2099-06-01", "18:00", "Alien", "Big", "", "50", "2", "4", "0", "0.00"],
        ["2099-06-02", "18:00", "Brazil", "Small", "cancelled", "50", "0", "0", "0", "0.00"],
    ]


def test_a_file_has_a_name_a_type_and_a_mark_of_its_encoding(staff):
    show_on(1, movie=make_movie(title="Amélie"))
    response = staff.get(f"{REPORTS}movies.csv", PERIOD)
    assert response.headers["Content-Disposition"] == 'attachment; filename="movies-2099-06-01-to-2099-06-03.csv"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.content.startswith(b"\xef\xbb\xbfmovie,")
    assert "Amélie" in response.content.decode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_would_run_as_a_formula_is_neutralised(staff, start):
    show_on(1, movie=make_movie(title=f"{start}HYPERLINK(1)"))
    assert download(staff, "shows")[1][2] == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize("value", ["Alien", "", "a=1", 12, date(2099, 6, 1)])
def test_other_cells_are_not_changed(value):
    assert safe_cell(value) == str(value)


def test_an_unknown_file_is_not_found(staff):
    assert staff.get(f"{REPORTS}users.csv", PERIOD).status_code == 404


# --- Who may do what ---


def test_the_booking_list_links_to_the_reports(staff):
    assert f'href="{REPORTS}"' in staff.get("/admin/booking/booking/").content.decode()


@pytest.mark.parametrize(("permission", "status"), [("view_booking", 200), ("view_show", 403)])
@pytest.mark.parametrize("file", ["", "days.csv"])
def test_the_reports_need_the_permission_to_view_bookings(permission, status, file):
    assert staff_with(permission).get(f"{REPORTS}{file}").status_code == status


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "\n=", "\ufeff=", "\uff1d"])
def test_no_generated_cell_is_a_formula(start):
    assert safe_cell(f"{start}A1") == f"'{start}A1"


@pytest.mark.parametrize("text", ["", " ", "Amélie", "1=1", "\uff11", "-24.00", "-3"])
def test_other_cells_stay_as_they_are(text):
    assert safe_cell(text) == text
