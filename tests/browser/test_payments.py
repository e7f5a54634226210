"""Payments at the counter, in a browser: a clerk opens a till, sells for cash, and closes the till."""

from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from booking.models import Booking, Payment, Receipt, Till
from tests.browser.conftest import sign_in
from tests.browser.test_hall import expect_told, open_hall, seat
from tests.factories import make_show
from tests.tills import TILLS, make_clerk, make_priced_show, sell, take, till_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def clerk(context, live_server):
    clerk = make_clerk()
    sign_in(context, clerk)
    return clerk


@pytest.fixture
def till(clerk):
    return till_of(clerk)


@pytest.fixture
def show(live_server):
    return make_priced_show()


def test_selling_for_cash_takes_four_actions_from_the_day_plan(page, till, show):
    page.goto(f"/admin/booking/show/plan/?day={show.starts_at:%Y-%m-%d}")
    actions = [
        page.get_by_role("link", name=show.movie.title).click,
        seat(page, "A2").click,
        lambda: page.get_by_label("Given").fill("20"),
        page.get_by_role("button", name="Sell for cash").click,
    ]
    for action in actions:
        action()
    expect(page.locator("#hall-result strong")).to_have_text("Change 8.00 EUR")
    payment, booking = Payment.objects.get(), Booking.objects.get()
    assert (len(actions), payment.amount, payment.given, payment.till) == (4, 12, 20, till)
    expect_told(page, f"Sold A2 to a customer without an account, {booking.reference}, for 12.00 EUR, paid in cash.")
    page.get_by_role("link", name="Order", exact=True).click()
    expect(page.get_by_text("20.00 given, 8.00 change")).to_be_visible()


def test_seats_are_sold_for_cash_with_the_keyboard_alone(page, till, show):
    open_hall(page, show)
    seat(page, "A1").focus()
    # The seat, its ticket type, the two buttons of types, the cash.
    for key in ("Enter", "2", "Tab", "Tab", "Tab", "1", "0", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#hall-result strong")).to_have_text("Change 2.00 EUR")
    assert (Payment.objects.get().amount, Booking.objects.get().ticket_type.name) == (8, "Child")


def test_the_change_is_visible_while_the_cash_is_typed(page, till, show):
    open_hall(page, show)
    for label in ("A1", "B1"):
        seat(page, label).click()
    given, change = page.get_by_label("Given"), page.locator("#hall-change")
    for text, message in [("20", "Missing 7.00 EUR"), ("27.5", "Change 0.50 EUR"), ("27", "Change 0.00 EUR"), ("", "")]:
        given.fill(text)
        expect(change).to_have_text(message)
    page.get_by_role("button", name="2 Child").click()
    expect(page.locator("#hall-total")).to_have_text("23.00 EUR")


@pytest.mark.parametrize(("text", "message"), [("20,00", "Change 8.00 EUR"), ("1.234,50", "")])
def test_cash_is_typed_with_a_decimal_comma(page, till, show, text, message):
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_label("Given").press_sequentially(text)
    expect(page.locator("#hall-change")).to_have_text(message)
    page.get_by_role("button", name="Sell for cash").click()
    if message:
        expect(page.locator("#hall-result strong")).to_have_text(message)
        assert Payment.objects.get().given == 20
    else:
        expect_told(page, "Enter the number without separators of thousands.")
        assert not Payment.objects.exists()


def test_float_and_count_are_typed_with_a_decimal_comma(page, clerk):
    page.goto(f"{TILLS}add/")
    page.get_by_label("Float").press_sequentially("100,50")
    page.get_by_role("button", name="Open the till").click()
    page.get_by_label("Counted cash").press_sequentially("100,50")
    page.get_by_role("button", name="Close the till").click()
    expect(page.get_by_text("Your till is closed. Difference: none.")).to_be_visible()
    assert Till.objects.get().counted_cash == Decimal("100.50")


def test_the_page_asks_before_a_till_is_closed_with_a_large_difference(page, clerk, till):
    page.goto(f"{TILLS}{till.pk}/change/")
    page.get_by_label("Counted cash").press_sequentially("5000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is 4950.00 more than expected.")).to_be_visible()
    page.get_by_role("button", name="Close the till").click()
    expect(page.get_by_text("Your till is closed. Difference: 4950.00 over.")).to_be_visible()


def test_too_little_cash_sells_nothing_and_keeps_the_seats_chosen(page, till, show):
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_label("Given").fill("10")
    page.get_by_role("button", name="Sell for cash").click()
    expect_told(page, "12.00 is due.")
    expect(page.get_by_label("Given")).to_have_value("10")
    page.get_by_role("button", name="Sell by card").click()
    expect(page.get_by_role("status")).to_contain_text("paid by card.")
    assert Payment.objects.get().method == "card"


def lose_the_answer(route):
    route.fetch()
    route.abort()


def cancel_all(page):
    """Cancel all bookings without the page, and wait until it shows A1 as free."""
    Booking.objects.sold().cancel(timezone.now())
    page.get_by_role("button", name="Refresh").click()
    expect(seat(page, "A1")).to_have_attribute("title", "A1, Standard, free")


def test_a_sale_whose_answer_was_lost_is_reported_when_it_is_sent_again(page, till, show):
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_label("Given").fill("20")
    page.route("**/hall/sell-paid/", lose_the_answer, times=1)
    page.get_by_role("button", name="Sell for cash").click()
    expect_told(page, "The service can't be reached. Try again.")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("status")).to_contain_text("Changed meanwhile: A1")
    page.get_by_role("button", name="Sell for cash").click()
    expect(page.locator("#hall-result strong")).to_have_text("Change 8.00 EUR")
    sold = f"Sold A1 to a customer without an account, {Booking.objects.get().reference}, for 12.00 EUR, paid in cash."
    expect_told(page, sold)
    assert Payment.objects.count() == 1


def test_each_sale_has_a_key_of_its_own(page, till, show):
    open_hall(page, show)
    for _ in range(2):
        seat(page, "A1").click()
        page.get_by_role("button", name="Sell unpaid").click()
        expect(page.get_by_role("status")).to_contain_text("Sold A1 ")
        cancel_all(page)
    assert Booking.objects.count() == 2


def test_a_sale_that_was_cancelled_after_its_answer_was_lost_is_made_again(page, till, show):
    open_hall(page, show)
    page.route("**/hall/sell/", lose_the_answer, times=1)
    seat(page, "A1").click()
    page.get_by_role("button", name="Sell unpaid").click()
    expect_told(page, "The service can't be reached. Try again.")
    cancel_all(page)
    for _ in range(2):
        seat(page, "A1").click()
    page.get_by_role("button", name="Sell unpaid").click()
    expect(page.get_by_role("status")).to_contain_text("Sold A1 ")
    assert Booking.objects.count() == 2


def test_seats_are_sold_unpaid_and_paid_on_the_page_of_the_order(page, till, show):
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_role("button", name="Sell unpaid").click()
    page.get_by_role("link", name="Order", exact=True).click()
    page.get_by_label("Given").fill("15")
    expect(page.get_by_text("Change 3.00 EUR")).to_be_visible()
    page.get_by_role("button", name="Take cash").click()
    expect(page.get_by_text("Took 12.00 EUR in cash. Change: 3.00 EUR.")).to_be_visible()
    assert Payment.objects.get().given == 15


def test_an_unpaid_seat_links_to_its_payment(page, till, show):
    sell(show, 1)
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_role("link", name="Take the payment of 12.00 EUR").click()
    page.get_by_role("button", name="Take card").click()
    expect(page.get_by_text("Took 12.00 EUR by card.")).to_be_visible()
    open_hall(page, show)
    seat(page, "A1").click()
    expect(page.locator("#hall-booking")).to_be_visible()
    expect(page.get_by_text("Take the payment")).to_be_hidden()


def test_without_a_till_the_hall_links_to_the_form_that_opens_one(page, clerk, show):
    open_hall(page, show)
    expect(page.get_by_text("Open your till")).to_be_hidden()
    seat(page, "A1").click()
    expect(page.get_by_role("button", name="Sell")).to_have_count(1)
    page.get_by_role("link", name="Open your till").click()
    page.get_by_label("Float").fill("50")
    page.get_by_role("button", name="Open the till").click()
    expect(page.get_by_text("Your till is open.")).to_be_visible()
    assert Till.objects.get().clerk == clerk


def test_free_seats_are_sold_without_a_payment(page, till, live_server):
    open_hall(page, make_show())
    seat(page, "A1").click()
    expect(page.get_by_role("button", name="Sell")).to_have_text("Sell")
    expect(page.get_by_text("Open your till")).to_be_hidden()


def test_a_till_is_closed_with_the_counted_cash(page, clerk, till, show):
    take(sell(show, 1), clerk)
    page.goto("/admin/")
    page.get_by_role("link", name="Your till").click()
    expect(page.get_by_text("62.00")).to_be_visible()
    page.get_by_label("Counted cash").fill("60")
    page.get_by_label("Note").fill("Change given twice")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your till is closed. Difference: 2.00 short.")).to_be_visible()
    page.get_by_role("link", name="Print").click()
    expect(page.get_by_text("2.00 short")).to_be_visible()
    till.refresh_from_db()
    assert (till.counted_cash, till.note) == (60, "Change given twice")


def test_the_receipt_of_a_paid_order_is_a_page_and_a_pdf(page, clerk, till, show):
    order = sell(show, 1)
    take(order, clerk)
    page.goto(f"/admin/booking/order/{order.pk}/change/")
    page.get_by_role("button", name="Receipt").click()
    expect(page.get_by_role("heading", name=f"Receipt {Receipt.objects.get()}")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    response = page.request.get(page.get_by_role("link", name="PDF").get_attribute("href"))
    assert response.body().startswith(b"%PDF-")


def test_the_pages_fit_a_phone(page, clerk, till, show):
    order = sell(show, 1)
    take(sell(show, 2), clerk)
    page.set_viewport_size({"width": 390, "height": 800})
    own = f"{TILLS}{till.pk}/"
    for path in (TILLS, f"{TILLS}add/", f"{own}change/", f"{own}print/", f"/admin/booking/order/{order.pk}/change/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, path


@pytest.mark.parametrize("millimetres", [80, 210])
def test_the_print_of_a_till_has_all_its_columns(page, clerk, till, show, millimetres):
    take(sell(show, 1), clerk)
    Payment.objects.update(amount=Decimal("12345.50"))
    page.add_init_script("window.print = () => {}")
    page.goto(f"{TILLS}{till.pk}/print/")
    # A browser prints 96 pixels to the inch, here with margins of 3 mm.
    paper = round((millimetres - 6) / 25.4 * 96)
    page.set_viewport_size({"width": paper, "height": 900})
    page.emulate_media(media="print")
    box = page.get_by_role("region", name="Payments by kind")
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == paper


def test_the_payment_is_visible(page, till, show):
    for width in (1200, 390):
        page.set_viewport_size({"width": width, "height": 700})
        open_hall(page, show)
        seat(page, "A1").click()
        for name in ("Sell for cash", "Sell by card", "Sell unpaid"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
