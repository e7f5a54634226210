"""Price lists in the admin."""

from decimal import Decimal

import pytest

from booking.models import PriceList, SeatCategory, Show
from booking.services import NotFound, book_seat, read_amounts, save_price_list
from booking.services.audit import find_breaches
from booking.services.programme.price_lists import PriceListUsed
from tests.factories import NOW, STARTS_AT, make_price_list, make_screen, make_show, make_ticket_type
from tests.staff import SHOWS, act, form_errors, page_messages

LISTS = "/admin/booking/pricelist/"


@pytest.fixture
def adult(db):
    return make_ticket_type(name="Adult")


def category(code):
    return SeatCategory.objects.get(code=code)


def field(code, ticket_type):
    return f"price_{category(code).pk}_{ticket_type.pk}"


def amounts(price_list):
    codes = {one.pk: one.code for one in SeatCategory.objects.all()}
    return {codes[pk]: amount for (pk, _), amount in read_amounts(price_list=price_list).items()}


# --- The grid ---------------------------------------------------------------------------------


def test_a_price_list_is_a_grid_of_categories_and_active_types(staff, adult):
    make_ticket_type(name="Retired", is_active=False)
    form = staff.get(f"{LISTS}add/").context["adminform"].form
    assert sorted(form.fields) == sorted(["name", *(field(code, adult) for code in "SPLW")])


def test_a_price_list_is_saved_whole(staff, adult):
    staff.post(f"{LISTS}add/", {"name": "Regular", field("S", adult): "12.50", field("P", adult): ""})
    price_list = PriceList.objects.get()
    assert (str(price_list), amounts(price_list)) == ("Regular (version 1)", {"S": Decimal("12.5")})


def test_a_price_list_that_no_show_uses_is_changed(staff, adult):
    price_list = make_price_list({("S", adult): 12})
    path = f"{LISTS}{price_list.pk}/change/"
    assert staff.get(path).context["adminform"].form[field("S", adult)].value() == "12.00"
    staff.post(path, {"name": "Other", field("P", adult): "15"})
    changed = PriceList.objects.get()
    assert (changed.name, amounts(changed)) == ("Other", {"P": 15})


def test_a_changed_list_has_another_id_because_prices_are_cached_by_it(staff, adult):
    price_list = make_price_list({("S", adult): 12}, version=3)
    screen = make_screen(price_list=price_list)
    data = {"name": price_list.name, field("S", adult): "13"}
    staff.post(f"{LISTS}{price_list.pk}/change/", data)
    changed = PriceList.objects.get()
    screen.refresh_from_db()
    assert (changed.version, changed.pk == price_list.pk, screen.price_list) == (3, False, changed)


@pytest.mark.parametrize("button", ["_save", "_continue"])
def test_a_changed_list_is_found_where_its_message_and_button_lead(staff, adult, button):
    price_list = make_price_list({("S", adult): 12}, name="Regular")
    data = {"name": "Regular", field("S", adult): "13", button: "yes"}
    page = staff.post(f"{LISTS}{price_list.pk}/change/?_changelist_filters=q%3DR", data, follow=True)
    path = f"{LISTS}{PriceList.objects.get().pk}/change/"
    [message] = page_messages(page)
    assert (f'<a href="{path}">' in message, staff.get(path).status_code) == (True, 200)
    arrived = page.request["PATH_INFO"], page.request["QUERY_STRING"]
    assert arrived == ((path, "_changelist_filters=q%3DR") if button == "_continue" else (LISTS, "q=R"))


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12,50", "EUR", "12.5"),
        ("12.50", "EUR", "12.5"),
        (" 12,5 ", "EUR", "12.5"),
        (",5", "EUR", "0.5"),
        ("12,", "JPY", "12"),
        ("1,234", "KWD", "1.234"),
    ],
)
def test_an_amount_has_a_decimal_comma_or_point(staff, settings, adult, text, currency, amount):
    settings.CURRENCY = currency
    staff.post(f"{LISTS}add/", {"name": "Regular", field("S", adult): text})
    assert amounts(PriceList.objects.get()) == {"S": Decimal(amount)}


@pytest.mark.parametrize(
    ("amount", "currency", "error"),
    [
        ("12.345", "EUR", "Enter an amount with at most 2 decimals."),
        ("12.5", "JPY", "Enter an amount with at most 0 decimals."),
        ("-1", "EUR", "Ensure this value is greater than or equal to 0."),
        ("x", "EUR", "Enter a number."),
        ("1,000", "EUR", "Enter an amount with at most 2 decimals."),
        ("1.000", "EUR", "Enter an amount with at most 2 decimals."),
        ("1.000", "JPY", "Enter an amount with at most 0 decimals."),
        ("1.234,50", "EUR", "Enter the number without separators of thousands."),
        ("1,234.50", "EUR", "Enter the number without separators of thousands."),
        ("1,234,567", "JPY", "Enter the number without separators of thousands."),
        ("1e3", "EUR", "Enter a number."),
        ("1_000", "EUR", "Enter a number."),
        ("\N{ARABIC-INDIC DIGIT THREE}", "EUR", "Enter a number."),
        ("9" * 400, "EUR", "Ensure that there are no more than 12 digits in total."),
    ],
)
def test_an_amount_has_to_fit_the_currency(staff, settings, adult, amount, currency, error):
    settings.CURRENCY = currency
    response = staff.post(f"{LISTS}add/", {"name": "Regular", field("S", adult): amount})
    assert form_errors(response)[field("S", adult)] == [error]


def test_a_list_without_prices_or_with_a_known_name_is_refused(staff, adult):
    make_price_list(name="Regular")
    empty = staff.post(f"{LISTS}add/", {"name": "Empty"})
    known = staff.post(f"{LISTS}add/", {"name": "Regular", field("S", adult): "12"})
    assert form_errors(empty) == {"__all__": ["Enter at least one price."]}
    assert form_errors(known) == {"name": ["A price list with this name already exists."]}


@pytest.mark.parametrize("version", [1, 2])
def test_an_unused_version_is_changed_beside_the_others(staff, adult, version):
    lists = [make_price_list({("S", adult): 12}, name="Regular", version=number) for number in (1, 2, 3)]
    data = {"name": "Regular", field("S", adult): "13"}
    staff.post(f"{LISTS}{lists[version - 1].pk}/change/", data)
    assert sorted(PriceList.objects.values_list("version", flat=True)) == [1, 2, 3]
    assert amounts(PriceList.objects.get(version=version)) == {"S": 13}


@pytest.mark.parametrize("name", ["Regular", "Other"])
def test_a_list_with_sold_seats_remains_beside_its_replacement(staff, user, adult, name):
    old = make_price_list({("S", adult): 12}, name="Regular", version=2)
    show, screen = make_show(price_list=old), make_screen(price_list=old)
    book_seat(user=user, show_id=show.pk, seat_number=1, now=NOW)
    Show.objects.update(price_list=make_price_list(name="Regular", version=3))
    staff.post(f"{LISTS}{old.pk}/change/", {"name": name, field("S", adult): "13"})
    new = PriceList.objects.latest("pk")
    screen.refresh_from_db()
    assert (new.name, new.version, amounts(new)) == (name, 4 if name == "Regular" else 1, {"S": 13})
    assert (screen.price_list, amounts(old), [*find_breaches()]) == (new, {"S": 12}, [])


def test_a_list_that_seats_were_sold_at_is_not_deleted(staff, user, adult):
    old = make_price_list({("S", adult): 12})
    book_seat(user=user, show_id=make_show(price_list=old).pk, seat_number=1, now=NOW)
    Show.objects.update(price_list=None)
    response = staff.post(f"{LISTS}{old.pk}/delete/", {"post": "yes"})
    [reason] = response.context["protected"]
    assert reason == f"{old}: Seats were sold at its prices, and what was sold stays explainable."
    assert PriceList.objects.get() == old


@pytest.fixture
def twins(user, adult):
    """Two lists with the same price; a seat was sold at the first one."""
    lists = [make_price_list({("S", adult): 12}, name=name) for name in ("Regular", "Twin")]
    book_seat(user=user, show_id=make_show(price_list=lists[0]).pk, seat_number=1, now=NOW)
    return lists


def test_an_unused_list_with_a_price_of_a_used_one_is_deleted(staff, twins):
    staff.post(f"{LISTS}{twins[1].pk}/delete/", {"post": "yes"})
    assert ([*PriceList.objects.all()], [*find_breaches()]) == ([twins[0]], [])


def test_an_unused_list_with_a_price_of_a_used_one_is_corrected(staff, adult, twins):
    path = f"{LISTS}{twins[1].pk}/change/"
    assert page_messages(staff.get(path)) == []
    staff.post(path, {"name": "Twin", field("S", adult): "13"})
    changed = PriceList.objects.get(name="Twin")
    assert (changed.version, amounts(changed), [*find_breaches()]) == (1, {"S": 13}, [])


def test_of_lists_that_explain_a_sale_together_one_stays(staff, twins):
    Show.objects.update(price_list=None)
    response = act(staff, LISTS, "delete_selected", twins, post="yes")
    assert (len(response.context["protected"]), PriceList.objects.count()) == (2, 2)


def test_the_page_of_a_list_with_sold_seats_says_that_it_stays(staff, adult, twins):
    Show.objects.update(price_list=None)
    twins[1].delete()
    path = f"{LISTS}{twins[0].pk}/change/"
    warning = "Seats were sold at its prices, so this version stays: saving makes a new one."
    assert page_messages(staff.get(path)) == [warning]
    saved = staff.post(path, {"name": "Regular", field("S", adult): "13"})
    assert "Regular (version 2)" in page_messages(saved)[-1]


def test_a_changed_list_keeps_the_prices_of_inactive_types(staff, adult):
    retired = make_ticket_type(name="Retired", is_active=False)
    price_list = make_price_list({("S", adult): 12, ("P", retired): 9})
    staff.post(f"{LISTS}{price_list.pk}/change/", {"name": price_list.name, field("S", adult): "13"})
    assert amounts(PriceList.objects.get()) == {"S": 13, "P": 9}


def test_an_unused_list_is_deleted(staff, adult):
    price_list = make_price_list({("S", adult): 12})
    staff.post(f"{LISTS}{price_list.pk}/delete/", {"post": "yes"})
    assert PriceList.objects.count() == 0


def test_without_ticket_types_the_page_explains_what_is_missing(staff):
    assert page_messages(staff.get(f"{LISTS}add/")) == ["Add a ticket type first, such as Adult."]


def test_the_list_of_price_lists_counts_their_shows(staff, adult):
    make_show(price_list=make_price_list({("S", adult): 12}))
    [row] = staff.get(LISTS).context["cl"].result_list
    assert row.number_of_shows == 1


def test_the_service_changes_no_list_that_a_show_uses(adult):
    price_list = make_price_list({("S", adult): 12})
    make_show(price_list=price_list)
    with pytest.raises(PriceListUsed):
        save_price_list(name="Other", amounts={}, price_list_id=price_list.pk)


@pytest.mark.django_db
def test_an_unknown_list_is_not_found():
    with pytest.raises(NotFound):
        save_price_list(name="Other", amounts={}, price_list_id=77)


# --- Shows ------------------------------------------------------------------------------------


def test_the_price_list_of_several_shows_is_set_after_a_preview(staff, adult):
    cheap, shows = make_price_list({("S", adult): 6}, name="Cheap"), [make_show(), make_show()]
    preview = act(staff, SHOWS, "set_price_list", shows)
    assert preview.content.decode().count("now: free") == 2
    response = act(staff, SHOWS, "set_price_list", shows, confirmed="yes", price_list=cheap.pk)
    assert (page_messages(response), Show.objects.filter(price_list=cheap).count()) == (["2 shows changed."], 2)


def test_shows_are_filtered_by_the_day_of_the_week(staff):
    monday, tuesday = make_show(), make_show(starts_at=STARTS_AT.replace(day=2))
    listed = [staff.get(f"{SHOWS}?weekday={day}").context["cl"].result_list for day in ("1", "2")]
    assert [[show.pk for show in shows] for shows in listed] == [[monday.pk], [tuesday.pk]]
    assert len(staff.get(f"{SHOWS}?weekday=9").context["cl"].result_list) == 2
