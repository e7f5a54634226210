"""Races of staff and customers over price lists, with and without the guards."""

from contextlib import contextmanager
from decimal import Decimal
from functools import partial

import pytest
from django.db import IntegrityError, connection

from booking.models import Booking, PriceList, SeatCategory, Show
from booking.services import add_version, assign_version, book_seat, change_show, plan_show, save_price_list
from booking.services.programme import price_lists, shows
from tests.factories import (
    NOW,
    STARTS_AT,
    make_movie,
    make_price_list,
    make_screen,
    make_show,
    make_ticket_type,
    make_user,
)
from tests.races import (
    WRITE,
    all_read_before_one_writes,
    at_once,
    make_users,
    outcome,
    parallel_writers,
    with_short_timeout,
)

pytestmark = [parallel_writers, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("long_timeout")]


@pytest.fixture
def adult():
    return make_ticket_type()


@pytest.fixture
def cheap(adult):
    return make_price_list({("S", adult): 12}, name="Prices")


@pytest.fixture
def dear(adult):
    return make_price_list({("S", adult): 15}, name="Prices", version=2)


@pytest.fixture
def priced(cheap):
    return make_show(price_list=cheap)


def purchase(user, show, seat_number=7, **expected):
    return partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=seat_number, now=NOW, **expected)


def switching(show, price_list):
    return partial(outcome, change_show, show_id=show.pk, changed_by=make_user(), price_list=price_list, now=NOW)


def sold(show):
    return [int(price) for price in Booking.objects.filter(show=show).values_list("price", flat=True)]


# --- The price list of a show is switched while it is sold ------------------------------------


@contextmanager
def before_the_first_write(call):
    """Runs `call` on another connection before this thread's next write; yields the list of its results."""
    results, pending = [], [call]

    def call_first(execute, sql, params, many, context):
        if WRITE.search(sql) and pending:
            results.extend(at_once([pending.pop()]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(call_first):
        yield results


@pytest.mark.parametrize("expected", [None, Decimal(12)])
def test_the_price_list_is_not_changed_during_a_sale(user, priced, dear, expected):
    switch = partial(with_short_timeout, switching(priced, dear))
    with before_the_first_write(switch) as switched:
        assert purchase(user, priced, expected_total=expected)() == "done"
    assert (switched, sold(priced)) == (["busy"], [12])


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_a_seat_is_sold_at_the_former_price(user, priced, dear):
    with before_the_first_write(switching(priced, dear)) as switched:
        assert purchase(user, priced, expected_total=Decimal(12))() == "done"
    assert (switched, sold(priced), Show.objects.get().price_list) == (["done"], [12], dear)


@pytest.mark.parametrize("turn", range(3))
def test_a_seat_is_sold_at_the_expected_price_or_refused(priced, dear, turn):
    cheaply, dearly, anyhow = make_users(3)
    switched, *outcomes = at_once(
        [
            switching(priced, dear),
            purchase(cheaply, priced, 1, expected_total=Decimal(12)),
            purchase(dearly, priced, 2, expected_total=Decimal(15)),
            purchase(anyhow, priced, 3),
        ]
    )
    assert (switched, outcomes[2]) == ("done", "done")
    for user, result, price in zip((cheaply, dearly), outcomes, (12, 15), strict=False):
        prices = [int(row.price) for row in Booking.objects.filter(user=user)]
        assert (result, prices) in [("done", [price]), ("price_changed", [])]
    assert set(sold(priced)) <= {12, 15}


def test_a_new_version_given_while_seats_are_sold_changes_no_sold_price(priced, dear):
    calls = [purchase(user, priced, seat) for seat, user in enumerate(make_users(6), start=1)]
    give = partial(outcome, assign_version, show_id=priced.pk, price_list=dear, now=NOW)
    assert at_once([give, *calls]) == ["done"] * 7
    by_id = list(Booking.objects.filter(show=priced).order_by("pk").values_list("price", flat=True))
    # Under the show's lock the sales come one after the other, and none at the former price after the switch.
    assert by_id == sorted(by_id)


# --- A list without shows is edited while a show begins to use it -----------------------------


def edit(price_list, adult):
    amounts = {(SeatCategory.objects.get(code="S").pk, adult.pk): Decimal(99)}
    return partial(outcome, save_price_list, name=price_list.name, amounts=amounts, price_list_id=price_list.pk)


def planning(price_list):
    """Plans a show that gets the list from its screen."""
    screen = make_screen(price_list=price_list)
    return partial(outcome, plan_show, movie=make_movie(), screen=screen, starts_at=STARTS_AT, now=NOW)


def changing(price_list):
    return partial(outcome, change_show, show_id=make_show().pk, changed_by=make_user(), price_list=price_list, now=NOW)


def giving(price_list):
    older = make_price_list(name=price_list.name, version=0)
    show = make_show(price_list=older)
    return partial(outcome, assign_version, show_id=show.pk, price_list=price_list, now=NOW)


USES = [planning, changing, giving]


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("use", USES)
def test_a_price_list_is_edited_or_used_but_not_both(cheap, adult, use, turn):
    results = at_once([edit(cheap, adult), use(cheap)])
    prices = int(PriceList.objects.get(version=1).prices.get().amount)
    # Each of the two refuses what the other one did.
    assert (*results, prices) in [("done", "price_list_changed", 99), ("price_list_used", "done", 12)]
    assert Show.objects.filter(price_list__version=1).count() == (results[1] == "done")


@pytest.fixture
def no_lock_of_lists(monkeypatch):
    """Neither the service that edits a list nor those that give it to shows lock its row."""
    monkeypatch.setattr(price_lists, "_lock", lambda pk, may_be_used=False: PriceList.objects.get(pk=pk))
    for module in (price_lists, shows):
        monkeypatch.setattr(module, "lock_price_list", lambda price_list: None)


@pytest.mark.usefixtures("no_lock_of_lists")
@pytest.mark.parametrize("use", [changing, giving])
def test_without_its_lock_only_the_database_refuses_the_use_of_an_edited_list(cheap, adult, use):
    def caught(call):
        try:
            return call()
        except IntegrityError:
            return "integrity"

    calls = [edit(cheap, adult), use(cheap)]
    outcomes = all_read_before_one_writes([partial(caught, call) for call in calls])
    assert "integrity" in outcomes


# --- Two members of staff make a version ------------------------------------------------------


def test_versions_made_at_the_same_time_have_different_numbers(priced, cheap):
    make = partial(outcome, add_version, price_list_id=cheap.pk, amounts={})
    assert at_once([make] * 4) == ["done"] * 4
    assert sorted(PriceList.objects.values_list("version", flat=True)) == [1, 2, 3, 4, 5]


def test_versions_made_of_different_versions_have_different_numbers(cheap, dear):
    calls = [partial(outcome, add_version, price_list_id=old.pk, amounts={}) for old in (cheap, dear) * 4]
    assert at_once(calls) == ["done"] * 8
    assert sorted(PriceList.objects.values_list("version", flat=True)) == [*range(1, 11)]


def test_a_name_that_is_taken_at_the_same_time_is_refused(cheap):
    calls = [partial(outcome, save_price_list, name="Matinee", amounts={})] * 8
    assert sorted(all_read_before_one_writes(calls)) == ["done"] + ["invalid"] * 7
