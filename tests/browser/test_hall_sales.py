"""Tickets and prices in the hall on a show's page, in a browser."""

import itertools

import pytest
from playwright.sync_api import expect

from booking.models import Booking, Show, TicketType, User
from tests.browser.test_hall import expect_told, open_hall, seat
from tests.factories import make_price_list, make_show, make_ticket_type, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def show(live_server) -> Show:
    return make_show()


@pytest.fixture
def esha(live_server) -> User:
    return make_user(username="esha")


@pytest.fixture
def priced(live_server) -> Show:
    """A row of standard seats, and one of premium seats, which are not sold to children."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    prices = {("S", adult): 12, ("S", child): "8.50", ("P", adult): 15}
    return make_show(layout="SSSS\nPPPP", price_list=make_price_list(prices))


def choose(page, *labels):
    for label in labels:
        seat(page, label).click()


def expect_total(page, text):
    expect(page.locator("#hall-total")).to_have_text(text)


def test_a_sale_takes_four_actions_from_the_day_plan(page, seller, priced):
    page.goto(f"/admin/booking/show/plan/?day={priced.starts_at:%Y-%m-%d}")
    actions = [
        page.get_by_role("link", name=priced.movie.title),
        seat(page, "A2"),
        page.get_by_role("button", name="2 Child"),
        page.get_by_role("button", name="Sell"),
    ]
    for action in actions:
        action.click()
    expect(page.get_by_role("status")).to_contain_text("Sold A2 to a customer without an account, ")
    booking = Booking.objects.get()
    expect_told(page, f"Sold A2 to a customer without an account, {booking.reference}, for 8.50 EUR.")
    assert (len(actions), booking.ticket_type.name, booking.user) == (4, "Child", None)


def test_each_chosen_seat_is_listed_with_type_and_price(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1", "B1")
    expect(page.locator("#hall-tickets li b")).to_have_text(["A1", "B1"])
    expect(page.locator("#hall-tickets li :last-child:not(option)")).to_have_text(["12.00", "15.00"])
    expect_total(page, "27.00 EUR")
    page.get_by_label("Ticket type of A1").select_option("Child")
    expect_total(page, "23.50 EUR")


def test_a_digit_changes_the_type_of_the_seat_with_the_focus(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1", "A2", "A3")
    page.keyboard.press("2")
    expect_total(page, "32.50 EUR")
    page.get_by_label("Ticket type of A1").press("2")
    expect_total(page, "29.00 EUR")
    page.get_by_label("Ticket type of A1").press("1")
    expect_total(page, "32.50 EUR")


def test_a_digit_changes_all_chosen_seats_if_none_has_the_focus(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1", "A2")
    page.get_by_role("button", name="Sell").focus()
    page.keyboard.press("2")
    expect_total(page, "17.00 EUR")


def test_a_digit_without_a_type_or_in_a_field_changes_nothing(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1")
    page.keyboard.press("3")
    page.get_by_label("Phone").press("2")
    expect(page.get_by_label("Phone")).to_have_value("2")
    expect_total(page, "12.00 EUR")


def test_a_type_that_one_seat_lacks_changes_the_other_seats(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1", "B1")
    page.get_by_role("button", name="2 Child").click()
    expect_told(page, "Child is not sold for B1.")
    expect_total(page, "23.50 EUR")


def test_a_seat_without_a_price_is_not_for_sale(page, seller, live_server):
    show = make_show(layout="SP", price_list=make_price_list({("S", make_ticket_type()): 12}))
    open_hall(page, show)
    choose(page, "A1", "A2")
    expect(page.locator("#hall-tickets li").last).to_have_text("A2not for sale")
    page.get_by_role("button", name="Sell").click()
    expect_told(page, "Seat A2 is not for sale in this show.")


def test_a_total_that_has_changed_is_refused_and_the_new_one_shown(page, seller, priced):
    open_hall(page, priced)
    choose(page, "A1", "A2")
    # Without the refreshes that would show the new prices.
    page.route("**/hall/", lambda route: route.abort())
    adult = TicketType.objects.get(name="Adult")
    Show.objects.update(price_list=make_price_list({("S", adult): 14}))
    page.get_by_role("button", name="Sell").click()
    expect_told(page, "The seats cost 28.00 now.")
    expect_total(page, "28.00 EUR")


def test_a_free_show_has_no_types_and_no_total(page, seller, show):
    open_hall(page, show)
    choose(page, "A1")
    for element in ("#hall-types", "#hall-tickets", "#hall-total", "#hall-help-types"):
        expect(page.locator(element)).to_be_hidden()


def test_the_total_is_always_visible(page, boss, live_server):
    show = make_show(layout="\n".join(["S" * 20] * 20), price_list=make_price_list({("S", make_ticket_type()): 12}))
    open_hall(page, show)
    choose(page, "A1", "A2")
    for width, element in itertools.product((1200, 390), ("#hall-title", "#hall-clear")):
        page.set_viewport_size({"width": width, "height": 700})
        page.locator(element).evaluate("element => element.scrollIntoView({ block: 'center' })")
        expect(page.locator("#hall-total")).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Sell")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("label", ["Customer", "or name", "Phone", "E-mail"])
def test_a_phone_shows_what_is_typed_about_the_customer(page, seller, priced, label):
    page.set_viewport_size({"width": 360, "height": 800})
    open_hall(page, priced)
    choose(page, "A1")
    assert page.get_by_label(label, exact=True).bounding_box()["width"] > 180


def test_a_sale_over_the_seat_limit_is_reported_before_and_after(page, seller, priced, esha, settings):
    settings.MAX_SEATS_PER_USER = 2
    open_hall(page, priced)
    choose(page, "A1", "A2", "A3")
    page.get_by_role("combobox", name="Customer").fill("esha")
    page.get_by_role("option", name="esha").click()
    notice = page.locator("#hall-notice")
    expect(notice).to_have_text("esha will have 3 seats in this show; the limit is 2.")
    page.get_by_role("button", name="Sell").click()
    expect(page.get_by_role("status")).to_contain_text("esha has 3 seats in this show; the limit is 2.")
    expect(notice).to_be_empty()


def test_the_bar_covers_no_field_that_has_the_focus(page, seller, priced):
    page.set_viewport_size({"width": 390, "height": 700})
    open_hall(page, priced)
    choose(page, "A1", "A2")
    page.get_by_role("button", name="Clear the selection").focus()
    customer = page.get_by_role("combobox", name="Customer")
    customer.focus()
    bar, field = page.locator("#hall-bar").bounding_box(), customer.bounding_box()
    assert field["y"] >= bar["y"] + bar["height"] or field["y"] + field["height"] <= bar["y"]
