"""Price lists in the admin."""

from decimal import Decimal

import pytest

from booking.models import PriceList, SeatCategory, Show
from booking.services import NotFound, change_prices, read_amounts, save_price_list
from booking.services.programme.price_lists import PriceListUsed, _give_version
from tests.factories import NOW, STARTS_AT, make_booking, make_price_list, make_screen, make_show, make_ticket_type
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


@pytest.mark.parametrize(
    ("amount", "currency", "error"),
    [
        ("12.345", "EUR", "Enter an amount with at most 2 decimals."),
        ("12.5", "JPY", "Enter an amount with at most 0 decimals."),
        ("-1", "EUR", "Ensure this value is greater than or equal to 0."),
        ("x", "EUR", "Enter a number."),
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


def test_without_ticket_types_the_page_says_what_is_missing(staff):
    assert page_messages(staff.get(f"{LISTS}add/")) == ["Add a ticket type first, such as Adult."]


def test_the_list_of_price_lists_counts_their_shows(staff, adult):
    make_show(price_list=make_price_list({("S", adult): 12}))
    [row] = staff.get(LISTS).context["cl"].result_list
    assert row.number_of_shows == 1


# --- Changing prices --------------------------------------------------------------------------


def test_a_used_list_is_shown_and_not_edited(staff, box_office, adult):
    price_list = make_price_list({("S", adult): 12, ("P", make_ticket_type(name="Child")): 8}, name="Regular")
    make_show(price_list=price_list)
    page = staff.get(f"{LISTS}{price_list.pk}/change/").content.decode()
    assert [text in page for text in ("12.00", "not sold", "Make a new version")] == [True] * 3
    assert box_office.get(f"{LISTS}{price_list.pk}/change/").status_code == 403


def test_new_prices_by_per_cent_go_to_shows_from_a_day_on(staff, adult):
    price_list = make_price_list({("S", adult): 12, ("P", adult): 15}, name="Regular")
    early = make_show(price_list=price_list)
    late = make_show(price_list=price_list, starts_at=STARTS_AT.replace(day=3))
    booking = make_booking(show=late, price=12, ticket_type=adult)
    form = {"percent": "5", "round_to": "0.50", "since": "2099-06-02"}
    response = staff.post(f"{LISTS}{price_list.pk}/change/", form, follow=True)
    new = PriceList.objects.get(version=2)
    assert page_messages(response) == ["Regular (version 2) was added; 1 show changed."]
    assert amounts(new) == {"S": Decimal("12.5"), "P": Decimal("16")}
    assert [Show.objects.get(pk=show.pk).price_list.version for show in (early, late)] == [1, 2]
    booking.refresh_from_db()
    assert booking.price == 12


def test_new_prices_by_hand_are_a_copy_that_no_show_uses_yet(staff, adult):
    price_list = make_price_list({("S", adult): 12})
    make_show(price_list=price_list)
    form = {"percent": "0", "round_to": "0.50", "since": ""}
    staff.post(f"{LISTS}{price_list.pk}/change/", form)
    new = PriceList.objects.get(version=2)
    assert (amounts(new), new.is_used()) == ({"S": 12}, False)


@pytest.mark.parametrize("form", [{"percent": "x"}, {"round_to": "0"}, {"round_to": "0.001"}, {"since": "2.12."}])
def test_a_change_that_makes_no_sense_is_refused(staff, adult, form):
    price_list = make_price_list({("S", adult): 12})
    make_show(price_list=price_list)
    data = {"percent": "0", "round_to": "0.50", "since": ""} | form
    response = staff.post(f"{LISTS}{price_list.pk}/change/", data)
    assert (list(response.context["form"].errors), PriceList.objects.count()) == (list(form), 1)


def test_the_service_changes_no_list_that_a_show_uses(adult):
    price_list = make_price_list({("S", adult): 12})
    make_show(price_list=price_list)
    with pytest.raises(PriceListUsed):
        save_price_list(name="Other", amounts={}, price_list_id=price_list.pk)


def test_a_price_that_would_be_too_high_is_refused(staff, adult):
    price_list = make_price_list({("S", adult): 200_000_000})
    make_show(price_list=price_list)
    data = {"percent": "1000", "round_to": "1", "since": ""}
    response = staff.post(f"{LISTS}{price_list.pk}/change/", data)
    assert response.context["form"].errors == {"percent": ["A price would be 1000000000 or more."]}


def test_only_shows_that_still_have_an_earlier_version_get_the_new_one(adult):
    old, other = make_price_list({("S", adult): 12}), make_price_list({("S", adult): 6})
    shows = [make_show(price_list=old), make_show(price_list=other), make_show(price_list=old, cancelled_at=NOW)]
    new = make_price_list({("S", adult): 13}, name=old.name, version=2)
    given = [_give_version(show.pk, new, NOW) for show in shows]
    assert (given, _give_version(shows[0].pk, new, NOW)) == ([shows[0], None, None], None)


@pytest.mark.django_db
def test_an_unknown_list_is_not_found():
    with pytest.raises(NotFound):
        change_prices(price_list_id=77, percent=Decimal(0), round_to=Decimal(1), since=None, now=NOW)


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
