"""The hall on a show's page, in a browser: by mouse, by keyboard, on a phone, in the dark."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from playwright.sync_api import expect

from booking import services
from booking.models import Booking, SeatCategory, Show, User
from tests.browser.conftest import sign_in
from tests.factories import make_booking, make_price_list, make_show, make_ticket_type, make_user

pytestmark = pytest.mark.django_db(transaction=True)
# The largest hall takes long on a busy machine.
expect.set_options(timeout=15_000)

STATES = ("free", "sold", "held", "blocked")


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def show(live_server) -> Show:
    return make_show()


@pytest.fixture
def esha(live_server) -> User:
    return make_user(username="esha")


def open_hall(page, show):
    page.goto(f"/admin/booking/show/{show.pk}/change/")
    expect(page.locator("#hall-grid")).to_be_visible()


def seat(page, label):
    # A search by role and name takes seconds in ten thousand seats.
    return page.locator(f"#hall-grid [title^='{label},']")


def expect_seat(page, label, title):
    expect(seat(page, label)).to_have_attribute("title", f"{label}, {title}")


def expect_told(page, text):
    expect(page.get_by_role("status")).to_have_text(text)


def fill_all_states(show, user):
    """Bookings: A1 is sold, A2 held, A3 blocked."""
    make_booking(show=show, user=user)
    times = {"expires_at": timezone.now() + timedelta(hours=1), "held_since": timezone.now()}
    make_booking(show=show, user=user, seat_number=2, status="held", **times)
    services.block_seats(show_id=show.pk, seat_numbers=[3], reason="broken", now=timezone.now())


# --- By mouse ---


def test_two_seats_are_sold_by_clicking_and_typing(page, seller, show, esha):
    open_hall(page, show)
    seat(page, "A7").click()
    seat(page, "A8").click()
    page.get_by_role("combobox", name="Customer").press_sequentially("ES")
    page.get_by_role("option", name="esha").click()
    page.get_by_role("button", name="Sell").click()
    expect(page.get_by_role("status")).to_contain_text("Sold A7, A8 to esha, ")
    reference = Booking.objects.first().reference
    expect_seat(page, "A8", f"sold to esha, {reference} (sold by seller)")
    assert sorted(Booking.objects.values_list("user", "seat_number")) == [(esha.pk, 7), (esha.pk, 8)]


def test_enter_chooses_the_only_matching_customer(page, seller, show, esha):
    make_user(username="bruno", first_name="Bruno", email="bruno@example.com")
    open_hall(page, show)
    seat(page, "A7").click()
    customer = page.get_by_role("combobox", name="Customer")
    customer.press_sequentially("uno@")
    # Immediately, before the list is there.
    customer.press("Enter")
    expect(customer).to_have_value("bruno")
    expect(page.get_by_role("option")).to_have_count(0)
    customer.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Sold A7 to bruno, ")


def test_enter_chooses_only_a_customer_with_the_exact_username(page, seller, show, esha):
    make_user(username="eshana", first_name="Esha", last_name="Nair")
    open_hall(page, show)
    seat(page, "A7").click()
    customer = page.get_by_role("combobox", name="Customer")
    customer.press_sequentially("es")
    customer.press("Enter")
    expect_told(page, "Several customers match. Choose one with the arrow keys.")
    expect(page.get_by_role("option")).to_have_text(["esha", "eshana Esha Nair"])
    customer.press_sequentially("ha")
    customer.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Sold A7 to esha, ")


def test_an_unknown_username_is_refused(page, seller, show, esha):
    open_hall(page, show)
    seat(page, "A7").click()
    page.get_by_role("combobox", name="Customer").press_sequentially("x")
    page.keyboard.press("Enter")
    expect_told(page, "There is no customer with this username.")


def test_a_seat_is_blocked_and_put_back(page, boss, show):
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_label("Reason").fill("broken")
    page.get_by_role("button", name="Block").click()
    expect_told(page, "Blocked A1 (broken).")
    expect_seat(page, "A1", "blocked: broken")
    seat(page, "A1").click()
    page.get_by_role("button", name="Unblock").click()
    expect_told(page, "Unblocked A1.")
    expect_seat(page, "A1", "free")


def ask_cancel(page, name="Cancel the booking"):
    """Return the question."""
    page.get_by_role("button", name=name).click()
    return page.get_by_role("dialog", name=f"{name}?")


def test_a_booking_is_cancelled_after_asking(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    question = ask_cancel(page)
    expect(question.get_by_role("listitem")).to_have_text(f"A1, sold to esha, {booking.reference}")
    expect(question).to_contain_text("No customer will be told: 1 order has no e-mail address.")
    expect(question.get_by_label("Sentence for the mail")).to_be_hidden()
    page.keyboard.press("Enter")
    expect_told(page, f"Cancelled A1 of esha, {booking.reference}.")
    expect_seat(page, "A1", "free")


def test_the_customer_of_a_cancelled_booking_gets_a_sentence(page, seller, show):
    make_booking(show=show, user=make_user(username="ann", email="ann@example.com"))
    open_hall(page, show)
    seat(page, "A1").click()
    question = ask_cancel(page)
    expect(question).to_contain_text("The customer of 1 order will be told by e-mail.")
    question.get_by_label("Sentence for the mail").fill("The seat broke.")
    question.get_by_role("button", name="Cancel the booking").click()
    expect(page.get_by_role("status")).to_contain_text("Cancelled A1 of ann")
    assert DBTaskResult.objects.get().args_kwargs["kwargs"]["note"] == "The seat broke."


def test_a_refused_question_cancels_nothing_and_has_the_reason(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    page.route("**/hall/ask-cancel/", lambda route: route.abort())
    page.get_by_role("button", name="Cancel the booking").click()
    expect_told(page, "The service can't be reached. Try again.")
    booking.refresh_from_db()
    assert booking.status == "booked"


def test_a_question_about_a_seat_that_has_changed_has_the_reason_and_the_hall(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    page.route("**/hall/", lambda _: None)
    seat(page, "A1").click()
    Booking.objects.filter(pk=booking.pk).delete()
    page.get_by_role("button", name="Cancel the booking").click()
    expect_told(page, "This show has no such booking.")
    expect_seat(page, "A1", "free")
    expect(page.locator("#hall-chosen")).to_have_text("No seat is chosen.")
    expect(seat(page, "A1")).to_be_focused()


def test_a_question_is_about_the_seats_that_were_chosen_when_it_was_asked(page, seller, show, esha):
    for number in (1, 2):
        make_booking(show=show, user=esha, seat_number=number, reference="ACDEFGHJ")
    open_hall(page, show)
    seat(page, "A1").click()
    questions = []
    page.route("**/hall/ask-cancel/", lambda route: questions.append(route))
    with page.expect_request("**/hall/ask-cancel/"):
        page.get_by_role("button", name="Cancel the booking").click()
    page.get_by_role("button", name="Choose all 2 seats").click()
    questions.pop().continue_()
    question = page.get_by_role("dialog", name="Cancel the booking?")
    expect(question.get_by_role("listitem")).to_have_text("A1, sold to esha, ACDEFGHJ")
    question.get_by_role("button", name="Cancel the booking").click()
    expect_told(page, "Cancelled A1 of esha, ACDEFGHJ.")


def test_several_bookings_are_cancelled_after_asking_once(page, seller, show, esha):
    bookings = [make_booking(show=show, user=esha, seat_number=number, reference="ACDEFGHJ") for number in (1, 2)]
    open_hall(page, show)
    for booking in bookings:
        seat(page, booking.seat_label).click()
    question = ask_cancel(page, "Cancel 2 bookings")
    titles = ["A1, sold to esha, ACDEFGHJ", "A2, sold to esha, ACDEFGHJ"]
    expect(question.get_by_role("listitem")).to_have_text(titles)
    question.get_by_role("button", name="Cancel 2 bookings").click()
    expect_told(page, "Cancelled A1, A2 of esha, ACDEFGHJ.")
    assert not Booking.objects.sold().exists()


def test_all_seats_of_a_reference_are_chosen_by_a_click(page, seller, show, esha):
    for number in (1, 2, 23):
        make_booking(show=show, user=esha, seat_number=number, reference="ACDEFGHJ")
    make_booking(show=show, user=esha, seat_number=3)
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_role("button", name="Choose all 3 seats of ACDEFGHJ").click()
    expect(page.locator("#hall-chosen")).to_have_text("Chosen: A1, A2, C3.")


def test_several_blocked_seats_are_unblocked_together(page, boss, show):
    services.block_seats(show_id=show.pk, seat_numbers=[1, 2, 3], reason="broken", now=timezone.now())
    open_hall(page, show)
    seat(page, "A1").click()
    seat(page, "A3").click(modifiers=["Shift"])
    page.get_by_role("button", name="Unblock").click()
    expect_told(page, "Unblocked A1, A2, A3.")


def test_seats_of_one_kind_are_chosen_at_a_time(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A2").click()
    seat(page, "A1").click()
    expect(page.locator("#hall-chosen")).to_have_text(f"A1, sold to esha, {booking.reference}.")
    seat(page, "A2").click()
    expect(page.locator("#hall-chosen")).to_have_text("Chosen: A2.")


@pytest.mark.parametrize("answer", ["No, take me back", "Escape"])
def test_a_booking_is_not_cancelled_without_a_confirmation(page, seller, show, esha, answer):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    question = ask_cancel(page)
    expect(question).to_be_visible()
    if answer == "Escape":
        page.keyboard.press(answer)
    else:
        question.get_by_role("button", name=answer).click()
    expect(question).to_be_hidden()
    # The seat is still chosen.
    expect(page.locator("#hall-chosen")).to_have_text(f"A1, sold to esha, {booking.reference}.")
    assert Booking.objects.get().status == "booked"


def test_a_booking_is_moved(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_role("button", name="Move to another seat").click()
    seat(page, "B2").click()
    expect_told(page, f"Moved esha, {booking.reference}, from A1 to B2.")
    expect_seat(page, "A1", "free")
    expect_seat(page, "B2", f"sold to esha, {booking.reference} (moved by seller)")


def test_several_bookings_are_moved_together(page, seller, show, esha):
    for number in (1, 2):
        make_booking(show=show, user=esha, seat_number=number)
    open_hall(page, show)
    seat(page, "A1").click()
    seat(page, "A2").click()
    page.get_by_role("button", name="Move 2 seats").click()
    chosen = page.locator("#hall-chosen")
    expect(chosen).to_have_text("Moving A1, A2. Choose 2 free seats.")
    seat(page, "B2").click()
    expect(chosen).to_have_text("Moving A1, A2 to B2. Choose 1 more free seat.")
    # Chosen again, it is given up.
    seat(page, "B2").click()
    seat(page, "B3").press("Enter")
    seat(page, "B4").press("Enter")
    expect_told(page, "Moved A1 to B3, A2 to B4.")


@pytest.mark.parametrize(("answer", "seats"), [("accept", [1]), ("dismiss", [5])])
def test_bookings_move_to_seats_of_another_price_after_confirmation(page, seller, live_server, esha, answer, seats):
    adult = make_ticket_type(name="Adult")
    SeatCategory.objects.get_or_create(code="P", defaults={"name": "Premium", "colour": "#aa0000"})
    prices = make_price_list({("P", adult): 15, ("S", adult): 12})
    show = make_show(layout="A PPPP\nB SSSS", price_list=prices)
    booking = make_booking(show=show, user=esha, seat_number=5, ticket_type=adult, price=12)
    questions = []

    def reply(dialog):
        questions.append(dialog.message)
        getattr(dialog, answer)()

    page.on("dialog", reply)
    open_hall(page, show)
    seat(page, "B1").click()
    page.get_by_role("button", name="Move to another seat").click()
    seat(page, "A1").click()
    moved = f"Moved esha, {booking.reference}, from B1 to A1."
    expect_told(page, moved if answer == "accept" else "Nothing was moved.")
    assert questions == ["Move for 3.00 EUR more? The new price is 15.00 EUR, the old one 12.00 EUR."]
    assert list(show.bookings.values_list("seat_number", flat=True)) == seats


def test_a_taken_seat_links_to_its_booking(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    page.get_by_role("link", name=f"Booking {booking.reference}").click()
    expect(page).to_have_url(re.compile(rf"/admin/booking/booking/{booking.pk}/change/$"))


def test_shift_and_click_choose_a_range_of_free_seats(page, boss, show):
    make_booking(show=show, seat_number=3)
    open_hall(page, show)
    seat(page, "A1").click()
    seat(page, "A5").click(modifiers=["Shift"])
    expect(page.locator("#hall-chosen")).to_have_text("Chosen: A1, A2, A4, A5.")


# --- Somebody else ---


def test_the_slower_customer_gets_a_message_and_sees_the_seat_taken(page, seller, show, esha):
    open_hall(page, show)
    seat(page, "A1").click()
    seat(page, "A2").click()
    faster = make_booking(show=show, user=esha)
    page.get_by_role("combobox", name="Customer").fill("esha")
    page.get_by_role("button", name="Sell").click()
    expect_told(page, "Seat A1 is already taken.")
    expect_seat(page, "A1", f"sold to esha, {faster.reference}")
    # The other one is still chosen.
    expect(page.locator("#hall-chosen")).to_have_text("Chosen: A2.")


def test_refresh_shows_changes_since_the_page_was_loaded(page, seller, show, esha):
    open_hall(page, show)
    fill_all_states(show, esha)
    page.get_by_role("button", name="Refresh").click()
    expect_seat(page, "A3", "blocked: broken")
    legend = page.get_by_role("list", name="Seats of this show").get_by_role("listitem")
    expect(legend).to_have_text(["47 free", "1 sold", "1 held", "1 blocked", "Refresh"])


def test_the_hall_refreshes_itself_and_keeps_the_choice(page, seller, show, esha):
    open_hall(page, show)
    seat(page, "A7").click()
    customer = page.get_by_role("combobox", name="Customer")
    customer.fill("half a na")
    sold = make_booking(show=show, user=esha)
    expect_seat(page, "A1", f"sold to esha, {sold.reference}")
    expect(page.locator("[data-count=sold]")).to_have_text("1")
    expect(page.locator("#hall-chosen")).to_have_text("Chosen: A7.")
    expect(customer).to_have_value("half a na")
    expect(customer).to_be_focused()


def test_a_chosen_seat_that_changes_is_reported_and_its_action_refused(page, seller, show, esha):
    booking = make_booking(show=show, user=esha)
    open_hall(page, show)
    seat(page, "A1").click()
    services.move_booking(user=esha, booking_id=booking.pk, seat_number=11, now=timezone.now())
    expect_told(page, "Changed meanwhile: A1, free.")
    ask_cancel(page).get_by_role("button", name="Cancel the booking").click()
    expect_told(page, f"{booking.reference} has moved from A1 to B1. Nothing was changed.")
    expect(page.locator("#hall-chosen")).to_have_text("No seat is chosen.")
    assert list(Booking.objects.sold().values_list("seat_number", flat=True)) == [11]


def test_refreshing_continues_after_a_failure(page, context, seller, show):
    open_hall(page, show)
    context.clear_cookies()
    expect_told(page, "You are signed out, or the service has stopped. Reload the page.")
    sign_in(context, seller)
    expect_told(page, "")


def test_a_user_who_was_signed_out_gets_a_message(page, context, seller, show):
    open_hall(page, show)
    context.clear_cookies()
    page.get_by_role("button", name="Refresh").click()
    expect_told(page, "You are signed out, or the service has stopped. Reload the page.")


def test_a_user_who_may_only_view_has_no_actions(page, context, show, esha):
    make_booking(show=show, user=esha)
    visitor = make_user(is_staff=True)
    visitor.user_permissions.set(Permission.objects.filter(codename="view_show"))
    sign_in(context, visitor)
    open_hall(page, show)
    for label in ("A1", "A2"):
        seat(page, label).click()
        expect(page.locator("#hall-panel button:visible")).to_have_text(["Clear the selection"])
    expect_seat(page, "A1", "sold")


# --- By keyboard alone ---


def test_a_seat_is_sold_by_keyboard_alone(page, seller, show, esha):
    open_hall(page, show)
    seat(page, "A1").focus()
    for key in ("ArrowRight", "ArrowDown", "Space", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Sell")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Customer")).to_be_focused()
    page.keyboard.type("e")
    expect(page.get_by_role("option", name="esha")).to_be_visible()
    for key in ("ArrowDown", "Enter", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_contain_text("Sold B2 to esha, ")
    expect(seat(page, "B2")).to_be_focused()


STEPS = [
    (["ArrowLeft"], "A1"),
    (["ArrowUp"], "A1"),
    (["End"], "A4"),
    (["End", "ArrowRight"], "A4"),
    (["Control+End"], "C2"),
    (["Control+End", "ArrowRight"], "C2"),
    # The last row has no third seat; the second one is the nearest.
    (["ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown"], "C2"),
    (["PageDown"], "C1"),
    (["PageDown", "PageUp"], "A1"),
    (["End", "ArrowDown", "Home"], "B1"),
]


def test_the_arrow_keys_move_within_the_grid(page, seller, live_server):
    show = make_show(total_seats=10, seats_per_row=4)
    for keys, label in STEPS:
        # The grid remembers the column of the last steps.
        open_hall(page, show)
        seat(page, "A1").focus()
        for key in keys:
            page.keyboard.press(key)
        expect(seat(page, label)).to_be_focused()
        # One stop for the Tab key.
        assert page.locator("#hall-grid [tabindex='0']").count() == 1


def test_the_hall_is_reached_within_five_tabs(page, seller, show):
    open_hall(page, show)
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(seat(page, "A1")).to_be_focused()


def test_escape_clears_the_choice(page, seller, show):
    open_hall(page, show)
    seat(page, "A1").focus()
    page.keyboard.press("Enter")
    expect(seat(page, "A1")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(seat(page, "A1")).to_have_attribute("aria-selected", "false")
    expect(page.locator("#hall-chosen")).to_have_text("No seat is chosen.")


def test_the_focus_is_visible(page, seller, show):
    open_hall(page, show)
    seat(page, "A1").focus()
    page.keyboard.press("ArrowRight")
    expect(seat(page, "A2")).to_have_css("outline-style", "solid")
    expect(seat(page, "A2")).to_have_css("outline-width", "3px")


# --- What the page says ---


def test_the_title_is_the_show_s_name(page, seller, show):
    open_hall(page, show)
    expect(page.get_by_role("heading", level=1)).to_have_text(str(show))
    expect(page).to_have_title(re.compile(f"^{re.escape(str(show))} |"))


def test_a_cancelled_show_has_a_message_and_no_clickable_seats(page, seller, live_server):
    show = make_show(cancelled_at=timezone.now())
    open_hall(page, show)
    note = page.get_by_text(re.compile("This show was cancelled on "))
    assert note.bounding_box()["y"] < page.locator("#hall").bounding_box()["y"]
    expect(page.get_by_text("Click seats")).to_be_hidden()
    expect(seat(page, "A1")).to_have_css("cursor", "default")
    seat(page, "A1").click()
    expect(page.locator("#hall-chosen")).to_have_text("This show has been cancelled.")


def test_blocked_seats_have_numbers_and_buttons_have_the_page_s_font(page, boss, show):
    services.block_seats(show_id=show.pk, seat_numbers=[3], reason="broken", now=timezone.now())
    open_hall(page, show)
    size = "seat => [seat.innerText, parseFloat(getComputedStyle(seat).fontSize) >= 10]"
    assert seat(page, "A3").evaluate(size) == ["3", True]
    font = "node => getComputedStyle(node).fontFamily"
    page_font = page.locator("body").evaluate(font)
    assert {button.evaluate(font) for button in page.locator("#hall button").all()} == {page_font}


# --- Every size and look ---


@pytest.mark.parametrize(
    ("total_seats", "seats_per_row", "last"), [(1, 1, "A1"), (280, 20, "N20"), (37, 8, "E5"), (5_000, 100, "AX100")]
)
def test_only_the_box_of_the_hall_scrolls(page, boss, live_server, total_seats, seats_per_row, last):
    show = make_show(total_seats=total_seats, seats_per_row=seats_per_row)
    for width in (1200, 390):
        page.set_viewport_size({"width": width, "height": 800})
        expect_only_the_box_to_scroll(page, show, last)


def expect_only_the_box_to_scroll(page, show, last):
    open_hall(page, show)
    assert page.locator("#hall-grid [role=gridcell]").count() == show.total_seats
    seat(page, "A1").focus()
    page.keyboard.press("Control+End")
    expect(seat(page, last)).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    expect(page.locator("#hall-chosen")).to_have_text(f"Chosen: {last}.")
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_a_screen_reader_announces_each_seat(page, boss, show, esha):
    fill_all_states(show, esha)
    sold, held, _ = show.bookings.order_by("seat_number")
    open_hall(page, show)
    row = page.get_by_role("grid", name="Hall").get_by_role("row").first
    expect(row.get_by_role("rowheader")).to_have_text("A")
    until = f"{timezone.localtime(held.expires_at):%H:%M}"
    for name in (
        f"A1, sold to esha, {sold.reference}",
        f"A2, held by esha until {until}, {held.reference}",
        "A3, blocked: broken",
        "A4, free",
    ):
        expect(row.get_by_role("gridcell", name=name, exact=True)).to_be_visible()


def test_each_state_has_its_own_shape(page, boss, show, esha):
    fill_all_states(show, esha)
    open_hall(page, show)
    look = "seat => { const s = getComputedStyle(seat); return [s.borderRadius, s.borderStyle, s.backgroundImage] }"
    shapes = [page.locator(f"#hall-grid .is-{state}").first.evaluate(look) for state in STATES]
    assert len({tuple(shape) for shape in shapes}) == len(STATES)


CONTRAST = """seat => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/\\d+/g).map((n) => n / 255)
      .map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const { color, backgroundColor } = getComputedStyle(seat);
  const [one, other] = [light(color), light(backgroundColor)];
  return Math.max(one, other) / Math.min(one, other);
}"""


def test_the_numbers_have_enough_contrast_in_light_and_dark(page, boss, show, esha):
    fill_all_states(show, esha)
    open_hall(page, show)
    seat(page, "A5").click()
    for scheme, background in {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}.items():
        page.emulate_media(color_scheme=scheme)
        # The colours of the other mode come gradually.
        page.evaluate("document.getAnimations().forEach((each) => each.cancel())")
        expect(page.locator(".hall-letters").first).to_have_css("background-color", background)
        for cell in (*(page.locator(f"#hall-grid .is-{state}").first for state in STATES), seat(page, "A5")):
            assert cell.evaluate(CONTRAST) >= 4.5
