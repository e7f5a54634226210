"""The orders of the admin, in a browser: the customer at the counter who wants something changed."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from booking.models import Booking, Movie, Order
from booking.services import Contact, book_seats
from booking.services.mail.links import sign_order, sign_order_to_pay
from tests.factories import make_price_list, make_show, make_ticket_type

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = "/admin/booking/order/"


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def order(live_server) -> Order:
    """Seats A1 to A3 of a customer without an account, at 12.00 each."""
    adult, child = make_ticket_type(name="Adult"), make_ticket_type(name="Child")
    show = make_show(price_list=make_price_list({("S", adult): 12, ("S", child): 8}))
    contact = Contact("Jo Bakker", phone="06 1234 5678")
    [booking, *_] = book_seats(user=None, show_id=show.pk, seat_numbers=[1, 2, 3], now=timezone.now(), contact=contact)
    return Order.objects.get(reference=booking.reference)


def prices():
    rows = Booking.objects.sold().order_by("seat_number")
    return [(row.seat_label, int(row.price)) for row in rows]


def test_an_order_is_found_by_a_part_of_the_phone_number_and_its_contact_changed(page, seller, order):
    page.goto(ORDERS)
    page.get_by_role("textbox", name="Search").fill("345678")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=order.reference).click()
    page.get_by_label("Name:").fill("Jo Visser")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.locator("#result_list").get_by_text("Jo Visser (no account)")).to_be_visible()


def test_ticket_types_are_changed_with_the_difference_shown_before(page, seller, order):
    page.goto(f"{ORDERS}{order.pk}/change/")
    page.get_by_label("Ticket type of A2").select_option("Child, 8.00")
    page.get_by_role("button", name="Change ticket types").click()
    expect(page.get_by_text("The order will cost 32.00 instead of 36.00")).to_be_visible()
    assert prices() == [("A1", 12), ("A2", 12), ("A3", 12)]
    page.get_by_role("button", name="Change ticket types").click()
    expect(page.get_by_text("Changed A2 to Child, 8.00.")).to_be_visible()
    assert prices() == [("A1", 12), ("A2", 8), ("A3", 12)]


def test_an_order_is_split_and_moved_by_keyboard(page, seller, order):
    page.goto(f"{ORDERS}{order.pk}/change/")
    page.get_by_label("Choose A3").press("Space")
    page.get_by_role("button", name="Split off ticked seats").press("Enter")
    expect(page.get_by_text("This is the new order.")).to_be_visible()
    page.get_by_label("Move to").fill("e5")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Move a seat").press("Enter")
    expect(page.get_by_text(re.compile("^Moved Jo Bakker .*, from A3 to E5.$"))).to_be_visible()
    assert prices() == [("A1", 12), ("A2", 12), ("E5", 12)]


def test_ticked_seats_are_cancelled_after_a_question(page, seller, order):
    page.goto(f"{ORDERS}{order.pk}/change/")
    page.get_by_label("Choose A1").check()
    page.get_by_role("button", name="Cancel ticked seats").click()
    page.get_by_role("button", name="Cancel 1 booking").click()
    expect(page.get_by_text("1 booking cancelled.")).to_be_visible()
    assert prices() == [("A2", 12), ("A3", 12)]


def test_the_pages_fit_a_phone(page, seller, order):
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("", "{pk}/change/", "{pk}/cancel/", "{pk}/print/", "{pk}/history/"):
        page.goto(ORDERS + path.format(pk=order.pk))
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path


def test_the_question_fits_a_phone(page, seller, order):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{ORDERS}{order.pk}/change/")
    page.get_by_label("Move to").fill("E5")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("The order still costs 36.00")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_long_word_in_a_title_is_broken_on_a_phone(page, boss, order):
    Movie.objects.update(title="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft")
    page.set_viewport_size({"width": 360, "height": 800})
    [booking, *_] = Booking.objects.sold()
    show = f"/admin/booking/show/{order.show_id}/"
    pages = [reverse(name, args=[sign_order(order)]) for name in ("order_keep", "order_cancel")]
    pages += [reverse("order_pay", args=[sign_order_to_pay(order)])]
    pages += [f"{ORDERS}{order.pk}/{name}/" for name in ("change", "cancel", "history")]
    pages += [f"/admin/booking/booking/{booking.pk}/{name}/" for name in ("change", "cancel")]
    pages += [f"{show}{name}" for name in ("change/", "door/", "history/")]
    wide = {}
    for path in pages:
        page.goto(path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert set(wide.values()) == {360}, wide
