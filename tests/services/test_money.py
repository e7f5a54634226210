"""Amounts of money: exact, and with the decimals of the currency."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from booking.models import Booking, TicketType, currency_decimals, format_amount, represent_amount
from booking.serializers import represent_order
from booking.services import book_seats, calculate_amounts, read_amounts, read_report
from booking.services.programme.price_lists import HIGHEST_AMOUNT
from tests.factories import NOW, STARTS_AT, make_price_list, make_show, make_ticket_type, make_user

CURRENCIES = {"JPY": 0, "EUR": 2, "KWD": 3}
SEATS = range(1, 9)


@pytest.fixture(params=CURRENCIES)
def unit(request, settings):
    """The smallest amount of the currency."""
    settings.CURRENCY = request.param
    return Decimal(1).scaleb(-CURRENCIES[request.param])


def amounts_of(unit, highest=HIGHEST_AMOUNT - 1):
    return st.decimals(0, highest, places=-unit.as_tuple().exponent)


def examples(test):
    """Runs a test that uses the database with some generated values, in one transaction."""
    few = hypothesis_settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    return pytest.mark.django_db(few(given(st.data())(test)))


def leaves(value):
    """Return the values within lists and dicts."""
    if isinstance(value, dict | list):
        return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]
    return [value]


@pytest.mark.parametrize(("currency", "texts"), [("EUR", "7.50 7.50"), ("JPY", "8 8"), ("KWD", "7.500 7.500")])
def test_amounts_have_the_currency_s_decimals(settings, currency, texts):
    settings.CURRENCY = currency
    amount = Decimal("7.5")
    assert (currency_decimals(), f"{represent_amount(amount)} {format_amount(amount)}") == (CURRENCIES[currency], texts)


def test_reports_separate_thousands(settings):
    settings.CURRENCY = "EUR"
    assert [format_amount(Decimal(text)) for text in ("999.99", "1234567.5")] == ["999.99", "1,234,567.50"]


def sell(unit, data):
    """Sell seats at generated prices, and return the bookings and their expected prices."""
    amounts = data.draw(st.lists(amounts_of(unit), min_size=1, max_size=4))
    prices = {make_ticket_type().pk: amount for amount in amounts}
    types = data.draw(st.lists(st.sampled_from(sorted(prices)), min_size=1, max_size=len(SEATS)))
    price_list = make_price_list({("S", TicketType(pk=pk)): amount for pk, amount in prices.items()})
    expected = [prices[pk] for pk in types]
    bookings = book_seats(
        user=None,
        show_id=make_show(price_list=price_list).pk,
        seat_numbers=SEATS[: len(types)],
        ticket_types=dict(zip(SEATS, types, strict=False)),
        expected_total=sum(expected),
        sold_by=make_user(is_staff=True),
        now=NOW,
    )
    return bookings, expected


@examples
def test_the_prices_of_the_seats_sum_to_the_total(unit, data):
    bookings, expected = sell(unit, data)
    order = represent_order(bookings)
    assert [Decimal(booking["price"]) for booking in order["bookings"]] == expected
    assert order["total"] == f"{sum(expected):.{-unit.as_tuple().exponent}f}"


@examples
def test_the_prices_of_the_seats_sum_to_the_takings(unit, data):
    [booking, *_], expected = sell(unit, data)
    report = read_report(first_day=STARTS_AT.date(), last_day=STARTS_AT.date())
    assert [of.takings for of in report.shows if of.pk == booking.show_id] == [sum(expected)]
    kinds = [report.days, report.movies, report.ticket_types, report.categories, report.clerks]
    assert {sum(line.takings for line in lines) for lines in kinds} == {report.total.takings}


@examples
def test_no_amount_is_a_float(unit, data):
    bookings, _ = sell(unit, data)
    stored = Booking.objects.values_list("price", flat=True)
    report = read_report(first_day=STARTS_AT.date(), last_day=STARTS_AT.date())
    taken = [line.takings for line in [report.total, *report.shows, *report.clerks]]
    assert {type(amount) for amount in [*stored, *taken, *(booking.price for booking in bookings)]} == {Decimal}
    assert float not in map(type, leaves(represent_order(bookings)))


@examples
def test_changed_prices_are_multiples_of_the_rounding(unit, data):
    old = make_price_list({("S", make_ticket_type()): data.draw(amounts_of(unit, highest=10**7))})
    percent, round_to = data.draw(st.decimals(-100, 1000, places=2)), unit * data.draw(st.integers(1, 500))
    [[cell, before]] = read_amounts(price_list=old).items()
    amount = calculate_amounts(amounts={cell: before}, percent=percent, round_to=round_to)[cell]
    assert (type(amount), amount % round_to) == (Decimal, 0)
    assert abs(amount - before * (100 + percent) / 100) <= round_to / 2
