"""Takings in the reports: the prices of the sold seats."""

import csv
import io
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from booking import services
from booking.models import Booking
from tests.factories import NOW, make_booking, make_movie, make_screen, make_show, make_ticket_type, make_user

REPORTS = "/admin/booking/booking/reports/"
PERIOD = {"first_day": date(2099, 6, 1), "last_day": date(2099, 6, 3)}
LAYOUT = "SSSSSS\nPPPP"

pytestmark = pytest.mark.django_db


def show_on(day, **fields):
    return make_show(starts_at=datetime(2099, 6, day, 18, tzinfo=timezone.utc), layout=LAYOUT, **fields)


def sell(show, seat, price, **fields):
    return make_booking(show=show, seat_number=seat, price=Decimal(price), **fields)


def read():
    return services.read_report(**PERIOD)


def takings(lines):
    return [(line.name, line.sold, line.takings) for line in lines]


def download(client, table):
    response = client.get(f"{REPORTS}{table}.csv", PERIOD)
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


# --- What is summed up ------------------------------------------------------------------------


def test_takings_count_on_the_day_of_the_show():
    sell(show_on(1), 1, "12.50", created_at=NOW)
    sell(show_on(3), 1, "0.10")
    sell(show_on(3), 1, "0.20")
    assert [line.takings for line in read().days] == [Decimal("12.50"), 0, Decimal("0.30")]


def test_takings_of_movies_screens_and_shows():
    alien, big = make_movie(title="Alien"), make_screen(name="Big")
    sell(show_on(1, movie=alien, screen=big), 1, 12)
    sell(show_on(2, movie=alien, screen=make_screen(name="Small")), 1, 8)
    sell(show_on(2, movie=make_movie(title="Brazil"), screen=big), 1, 5)
    report = read()
    assert takings(report.movies) == [("Alien", 2, 20), ("Brazil", 1, 5)]
    assert takings(report.screens) == [("Big", 2, 17), ("Small", 1, 8)]
    assert ([show.takings for show in report.shows], report.total.takings) == ([12, 8, 5], 25)


def test_only_booked_seats_of_the_period_count_as_takings():
    show = show_on(1)
    sell(show, 1, 12)
    sell(show, 2, 12, status=Booking.Status.CANCELLED)
    sell(show, 3, 12, status=Booking.Status.HELD, held_since=NOW, expires_at=NOW)
    sell(show_on(4), 1, 12)
    report = read()
    assert takings([report.total, *report.clerks]) == [("", 1, 12), ("(online)", 1, 12)]


def test_takings_by_ticket_type_the_highest_first():
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    show = show_on(1)
    for seat, (ticket_type, price) in enumerate([(child, 8), (adult, 12), (child, 3), (None, 0)], start=1):
        sell(show, seat, price, ticket_type=ticket_type)
    assert takings(read().ticket_types) == [("Adult", 1, 12), ("Child", 2, 11), ("(free show)", 1, 0)]


def test_takings_by_seat_category():
    show = show_on(1)
    sell(show, 1, 12)
    sell(show, 7, 15)
    # A row as version 1.0 wrote it.
    sell(show, 2, 0, category="")
    assert takings(read().categories) == [("Premium", 1, 15), ("Standard", 2, 12)]


def test_takings_by_clerk():
    seller, show = make_user(username="seller", is_staff=True), show_on(1)
    sell(show, 1, 12, sold_by=seller)
    sell(show, 7, 15, sold_by=seller)
    sell(show, 2, 12)
    assert takings(read().clerks) == [("seller", 2, 27), ("(online)", 1, 12)]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1,234"), ("EUR", "1,234.00"), ("KWD", "1,234.000")])
def test_amounts_have_the_decimals_of_the_currency(staff, settings, currency, amount):
    settings.CURRENCY = currency
    sell(show_on(1), 1, 1234)
    page = staff.get(REPORTS, PERIOD)
    assert page.context["report"].total.amount == amount
    assert f"<div><dt>Takings in {currency}</dt><dd>{amount}</dd></div>" in page.content.decode()
    assert download(staff, "clerks")[1] == ["(online)", "1", amount.replace(",", "")]


# --- The page and the files -------------------------------------------------------------------


def test_the_page_has_the_takings_of_each_kind(staff):
    sell(show_on(1), 1, "12.50", ticket_type=make_ticket_type(name="Adult"))
    page = staff.get(REPORTS, PERIOD).content.decode()
    assert "Takings are the prices of the sold seats" in page
    for name in ("Adult", "Standard", "(online)"):
        row = f'<tr><th scope="row">{name}</th><td class="number">1</td><td class="number">12.50</td></tr>'
        assert row in page


def test_a_period_with_shows_and_no_sales_has_a_message(staff):
    show_on(1)
    assert staff.get(REPORTS, PERIOD).content.decode().count("No seats are sold.") == 3


def test_each_kind_can_be_downloaded(staff):
    sell(show_on(1), 1, "12.50", ticket_type=make_ticket_type(name="=Adult"))
    head = ["sold", "takings in EUR"]
    assert download(staff, "ticket-types") == [["ticket type", *head], ["'=Adult", "1", "12.50"]]
    assert download(staff, "categories") == [["category", *head], ["Standard", "1", "12.50"]]
    assert download(staff, "clerks") == [["clerk", *head], ["(online)", "1", "12.50"]]


def test_the_other_files_have_takings(staff):
    sell(show_on(1), 1, "12.50")
    files = {table: download(staff, table) for table in ("days", "movies", "screens", "shows")}
    assert {(rows[0][-1], rows[1][-1]) for rows in files.values()} == {("takings in EUR", "12.50")}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_costs_the_same_queries_for_1_and_3_kinds(staff, rows, django_assert_num_queries):
    show = show_on(1)
    for seat in range(1, rows + 1):
        sell(show, seat, 12, ticket_type=make_ticket_type(), sold_by=make_user(is_staff=True))
    with django_assert_num_queries(5):
        assert len(staff.get(REPORTS, PERIOD).context["report"].clerks) == rows
