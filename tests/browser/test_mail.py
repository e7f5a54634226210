"""Mail: its preview in the admin, and its HTML, which has to be readable light and dark, on a phone and wide."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from booking.infrastructure.worker import Worker
from booking.models import Order, Payment
from booking.services import Mail, preview_letter
from tests.browser.test_axe import serious
from tests.factories import make_booking, make_price_list, make_show, make_ticket_type, make_user
from tests.smtp import Inbox, mail_server
from tests.tills import make_priced_show, sell

pytestmark = pytest.mark.django_db(transaction=True)
# Longer than a phone is wide.
LONG_NAME = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def order(live_server):
    """Two seats that cost something, of a customer with an address."""
    adult = make_ticket_type(name="Adult")
    show = make_show(price_list=make_price_list({("S", adult): 12}))
    user = make_user(username="ann", email="ann@example.com", first_name=LONG_NAME)
    booking = make_booking(show=show, user=user, ticket_type=adult, price=12)
    make_booking(show=show, user=user, ticket_type=adult, price=12, seat_number=2, reference=booking.reference)
    return Order.objects.select_related("user", "show__movie", "show__screen").get()


def test_staff_choose_a_mail_and_an_order_and_see_both_parts(page, boss, order):
    page.goto("/admin/booking/order/")
    page.get_by_role("link", name="Preview mail").click()
    page.get_by_label("Mail:", exact=True).select_option("Time changed")
    page.get_by_label("Order:").fill(order.reference)
    page.get_by_label("Sentence for the mail").fill("Popcorn is free.")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("pre")).to_contain_text("Popcorn is free.")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("link", name="Keep my seats")).to_be_visible()
    expect(frame.get_by_text("Popcorn is free.")).to_be_visible()


def test_staff_choose_a_show_by_its_movie(page, boss, order):
    page.goto("/admin/booking/order/mail/")
    page.get_by_role("combobox").last.click()
    page.get_by_role("searchbox").last.fill(order.show.movie.title)
    page.get_by_role("option", name=order.show.movie.title).click()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("ann@example.com")).to_be_visible()


def test_the_preview_is_accessible(page, boss, order):
    page.goto(f"/admin/booking/order/mail/?reference={order.reference}&mail=order_confirmed")
    assert serious(page) == []


@pytest.mark.parametrize("kind", Mail)
def test_a_mail_is_accessible_and_fits(page, order, kind):
    letter = preview_letter(mail=kind, order=order, now=timezone.now(), note="Popcorn is free.")
    page.set_content(letter.html)
    for width in (390, 600):
        page.set_viewport_size({"width": width, "height": 900})
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


# --- Paying from the mail ---------------------------------------------------------------------


def deliver(smtp):
    """Runs the tasks that are due, and returns the mail that a mail server then has got."""
    with mail_server(inbox := Inbox()) as port:
        smtp(port)
        Worker(clock=timezone.now).run_due()
    return inbox.messages


@pytest.fixture
def confirmation(live_server, settings, smtp):
    """The HTML of the mail about a booked seat that is not paid."""
    settings.PUBLIC_URL = live_server.url
    sell(make_priced_show(), 1, user=make_user(email="ann@example.com"))
    [message] = deliver(smtp)
    return message.get_body(["html"]).get_content()


def test_a_customer_pays_by_the_link_of_the_mail(page, confirmation, smtp):
    page.set_content(confirmation)
    page.get_by_role("link", name="Pay online").click()
    page.get_by_role("button", name="Pay 12.00 EUR").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_text("Your seats are paid.")).to_be_visible()
    assert [payment.status for payment in Payment.objects.all()] == ["paid"]
    [message] = deliver(smtp)
    assert message["Subject"].startswith("Payment received for")


def test_the_page_of_the_link_is_accessible_and_fits(page, confirmation):
    page.set_viewport_size({"width": 390, "height": 844})
    page.set_content(confirmation)
    page.get_by_role("link", name="Pay online").click()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
