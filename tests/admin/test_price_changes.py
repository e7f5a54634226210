"""New versions of price lists that shows use."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from booking.models import PriceList, Screen, SeatCategory, Show
from booking.services import NotFound, add_version, assign_version, give_version_to_screen, read_amounts
from booking.services.programme.shows import PriceListChanged
from tests.factories import NOW, STARTS_AT, make_booking, make_price_list, make_screen, make_show, make_ticket_type
from tests.races import at_once, locked_elsewhere, parallel_writers, with_short_timeout
from tests.staff import page_messages, staff_with

LISTS = "/admin/booking/pricelist/"
CALCULATION = {"percent": "0", "round_to": "0.50", "since": "2099-06-01"}


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult")


@pytest.fixture
def regular(adult):
    return make_price_list({("S", adult): 12, ("P", adult): 15}, name="Regular")


def show_on(day, price_list, **fields):
    return make_show(starts_at=STARTS_AT.replace(day=day), price_list=price_list, **fields)


def path(price_list, **calculation):
    query = "&".join(f"{name}={value}" for name, value in (CALCULATION | calculation).items())
    return f"{LISTS}{price_list.pk}/change/?{query}"


def field(code, ticket_type):
    return f"price_{SeatCategory.objects.get(code=code).pk}_{ticket_type.pk}"


def fields(client, price_list, **calculation):
    """Return the data that a browser posts when nothing is changed on the preview."""
    form = client.get(path(price_list, **calculation)).context["new"]
    prices = {name: form[name].value() or "" for name in form.fields if name.startswith("price_")}
    return prices | {"shows": sorted(form.chosen_shows), "screens": sorted(form.chosen_screens)}


def save(client, price_list, changes=(), **calculation):
    data = fields(client, price_list, **calculation) | dict(changes)
    return client.post(path(price_list, **calculation), data)


def amounts(price_list):
    codes = {one.pk: one.code for one in SeatCategory.objects.all()}
    return {codes[pk]: amount for (pk, _), amount in read_amounts(price_list=price_list).items()}


def versions(*rows):
    """Return the current versions of the price lists of these shows or screens."""
    return [type(row).objects.get(pk=row.pk).price_list.version for row in rows]


# --- The preview ------------------------------------------------------------------------------


def test_a_used_list_is_shown_and_not_edited(staff, box_office, regular):
    make_price_list({("S", make_ticket_type(name="Child")): 8}, name="Other")
    show_on(1, regular)
    page = staff.get(f"{LISTS}{regular.pk}/change/").content.decode()
    assert ["12.00" in page, "Change prices" in page, "Make a new version" in page] == [True, True, False]
    assert box_office.get(f"{LISTS}{regular.pk}/change/").status_code == 403


def test_the_preview_has_the_calculated_prices_and_saves_nothing(staff, regular, adult):
    show_on(1, regular)
    form = staff.get(path(regular, percent="5")).context["new"]
    assert (form[field("S", adult)].value(), form[field("P", adult)].value()) == ("12.50", "16.00")
    assert (form[field("W", adult)].value(), PriceList.objects.count()) == (None, 1)


def test_per_cent_and_rounding_take_a_decimal_comma(staff, regular, adult):
    show_on(1, regular)
    form = staff.get(path(regular, percent="2,5", round_to="0,10")).context["new"]
    assert (form[field("S", adult)].value(), form[field("P", adult)].value()) == ("12.30", "15.40")


def test_the_preview_has_inactive_types_that_the_list_has_prices_for(staff, regular, adult):
    show_on(1, regular)
    adult.is_active = False
    adult.save()
    make_ticket_type(name="Unsold", is_active=False)
    assert [str(one) for one in staff.get(path(regular)).context["new"].types] == ["Adult"]


def test_upcoming_shows_of_any_version_and_their_screens_are_offered(staff, regular, adult):
    other, older = make_price_list({("S", adult): 6}), make_price_list(name="Regular", version=0)
    screen, _ = make_screen(price_list=older), make_screen(price_list=other)
    _, old, new, *_ = [
        show_on(1, regular),
        show_on(2, older),
        show_on(3, regular),
        show_on(3, other),
        show_on(3, regular, cancelled_at=NOW),
    ]
    form = staff.get(path(regular, since="2099-06-02")).context["new"]
    assert (form.listed_shows, form.chosen_shows) == ([old, new], {old.pk, new.pk})
    assert (form.listed_screens, form.chosen_screens) == ([screen], {screen.pk})


def test_the_preview_without_upcoming_shows_has_a_message(staff, regular):
    show_on(1, regular)
    page = staff.get(path(regular, since="2099-07-01")).content.decode()
    assert "No upcoming shows from this day on" in page


@pytest.mark.parametrize(
    "form",
    [
        {"percent": "x"},
        {"percent": "1.000,5"},
        {"round_to": "0"},
        {"round_to": "0.001"},
        {"since": "2.12."},
        {"since": ""},
    ],
)
def test_an_invalid_calculation_is_refused(staff, regular, form):
    show_on(1, regular)
    response = staff.get(path(regular, **form))
    assert (list(response.context["form"].errors), response.context["new"]) == (list(form), None)


def test_a_price_that_would_be_too_high_is_refused(staff, adult):
    price_list = make_price_list({("S", adult): 200_000_000})
    show_on(1, price_list)
    response = staff.get(path(price_list, percent="1000"))
    assert response.context["form"].errors == {"percent": ["A price would be 1000000000 or more."]}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_preview_costs_the_same_queries_for_1_and_3_shows(staff, regular, rows, django_assert_num_queries):
    for _ in range(rows):
        show_on(1, regular, screen=make_screen(price_list=regular))
    with django_assert_num_queries(11):
        assert len(staff.get(path(regular)).context["new"].listed_shows) == rows


# --- The new version --------------------------------------------------------------------------


def test_all_offered_shows_and_screens_get_the_new_prices(staff, regular):
    screen, early, late = make_screen(price_list=regular), show_on(1, regular), show_on(3, regular)
    booking = make_booking(show=late, price=12)
    response = save(staff, regular, percent="5", since="2099-06-02")
    new = PriceList.objects.get(version=2)
    assert page_messages(response) == [
        "Regular (version 2) was added.",
        "1 show changed to Regular (version 2).",
        "1 screen changed to Regular (version 2).",
    ]
    assert (amounts(new), versions(early, late, screen)) == ({"S": Decimal("12.5"), "P": 16}, [1, 2, 2])
    booking.refresh_from_db()
    assert booking.price == 12
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {str(row.pk) for row in (new, late, screen)}


def test_prices_are_changed_by_hand(staff, regular, adult):
    show_on(1, regular)
    save(staff, regular, {field("S", adult): "13.20", field("P", adult): "", field("W", adult): "1"})
    assert amounts(PriceList.objects.get(version=2)) == {"S": Decimal("13.2"), "W": 1}


def test_shows_and_screens_are_chosen(staff, regular):
    screen, first, second = make_screen(price_list=regular), show_on(1, regular), show_on(2, regular)
    response = save(staff, regular, {"shows": [second.pk], "screens": []})
    assert versions(first, second, screen) == [1, 2, 1]
    assert page_messages(response)[1:] == ["1 show changed to Regular (version 2)."]


def test_a_version_that_no_show_uses_can_be_edited(staff, regular):
    show_on(1, regular)
    save(staff, regular, {"shows": []})
    assert PriceList.objects.get(version=2).is_used() is False


@pytest.mark.parametrize(("all_shows", "version"), [("on", 2), ("", 1)])
def test_very_many_shows_all_or_none_get_the_new_prices(staff, regular, monkeypatch, all_shows, version):
    monkeypatch.setattr("booking.admin.price_forms.MAX_SHOWS_TO_CHOOSE", 1)
    shows = [show_on(day, regular) for day in (1, 2)]
    assert "All 2 upcoming shows from this day on" in staff.get(path(regular)).content.decode()
    save(staff, regular, {"all_shows": all_shows})
    assert versions(*shows) == [version] * 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"S": "1.234"}, "Enter an amount with at most 2 decimals."),
        ({"S": "", "P": ""}, "Enter at least one price."),
    ],
)
def test_invalid_prices_are_refused_and_the_choice_is_kept(staff, regular, adult, changes, error):
    first, _ = show_on(1, regular), show_on(2, regular)
    prices = {field(code, adult): amount for code, amount in changes.items()}
    response = save(staff, regular, prices | {"shows": [first.pk]})
    assert [error] in response.context["new"].errors.values()
    assert (response.context["new"].chosen_shows, PriceList.objects.count()) == ({first.pk}, 1)


def test_a_show_that_is_not_offered_is_refused(staff, regular, adult):
    show_on(1, regular)
    other = show_on(1, make_price_list({("S", adult): 6}))
    response = save(staff, regular, {"shows": [other.pk]})
    assert (list(response.context["new"].errors), PriceList.objects.filter(name="Regular").count()) == (["shows"], 1)


def test_staff_who_may_not_change_shows_make_a_version_for_no_show(regular):
    make_screen(price_list=regular)
    show_on(1, regular)
    manager = staff_with("view_pricelist", "change_pricelist", "add_pricelist")
    form = manager.get(path(regular)).context["new"]
    assert (form.listed_shows, form.listed_screens) == ([], [])


@pytest.mark.parametrize("permission", ["change_pricelist", "add_pricelist"])
def test_a_new_version_needs_both_permissions(regular, permission):
    show_on(1, regular)
    clerk = staff_with("view_pricelist", permission)
    response = clerk.post(path(regular), {})
    assert (response.context["form"], PriceList.objects.count()) == (None, 1)


def test_a_concurrently_deleted_show_is_reported_and_the_others_change(staff, regular):
    deleted, changed, pending = show_on(1, regular), show_on(2, regular), ["delete"]
    form = fields(staff, regular)

    def delete_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "booking_pricelist"') and pending.pop(0):
            Show.objects.filter(pk=deleted.pk).delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_first):
        response = staff.post(path(regular), form)
    assert page_messages(response)[1:] == [f"{deleted}: Not found.", "1 show changed to Regular (version 2)."]
    assert versions(changed) == [2]


def test_a_show_that_gets_another_list_concurrently_keeps_it(staff, regular, adult):
    show, other, pending = show_on(1, regular), make_price_list({("S", adult): 6}, name="Other"), ["change"]
    form = fields(staff, regular)

    def change_first(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "booking_pricelist"') and pending:
            pending.clear()
            Show.objects.filter(pk=show.pk).update(price_list=other)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(change_first):
        staff.post(path(regular), form)
    assert Show.objects.get(pk=show.pk).price_list == other


@parallel_writers
@pytest.mark.django_db(transaction=True)
def test_a_list_that_is_locked_for_long_is_refused_on_the_form(staff, regular):
    show_on(1, regular)
    form = fields(staff, regular)
    with locked_elsewhere(regular):
        [response] = at_once([lambda: with_short_timeout(staff.post, path(regular), form)])
    assert response.context["new"].non_field_errors() == ["The service is busy, please try again."]
    assert PriceList.objects.count() == 1


# --- The services -----------------------------------------------------------------------------


def test_only_shows_that_still_have_an_earlier_version_get_the_new_one(regular, adult):
    other = make_price_list({("S", adult): 6})
    shows = [
        make_show(price_list=regular),
        make_show(price_list=other),
        make_show(price_list=regular, cancelled_at=NOW),
    ]
    new = make_price_list({("S", adult): 13}, name="Regular", version=2)
    given = [assign_version(show_id=show.pk, price_list=new, now=NOW) for show in [*shows, shows[0], make_show()]]
    assert given == [shows[0], None, None, None, None]
    assert assign_version(show_id=show_on(1, regular).pk, price_list=new, now=STARTS_AT) is None


def test_only_screens_that_still_have_an_earlier_version_get_the_new_one(regular, adult):
    screens = [make_screen(price_list=regular), make_screen()]
    new = make_price_list({("S", adult): 13}, name="Regular", version=2)
    assert [give_version_to_screen(screen_id=screen.pk, price_list=new) for screen in screens] == [screens[0], None]
    assert Screen.objects.get(pk=screens[0].pk).price_list == new


def test_a_concurrently_replaced_version_is_given_to_no_show(staff, regular):
    show = show_on(1, regular)
    new = make_price_list(name="Regular", version=2)
    PriceList.objects.filter(pk=new.pk).delete()
    with pytest.raises(PriceListChanged):
        assign_version(show_id=show.pk, price_list=new, now=NOW)
    assert Show.objects.get(pk=show.pk).price_list == regular


@pytest.mark.django_db
def test_the_next_version_of_a_missing_list_is_not_found():
    with pytest.raises(NotFound):
        add_version(price_list_id=77, amounts={})
