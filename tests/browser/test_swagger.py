"""Swagger UI as a newcomer uses it: signing in with a click, staying signed in, and booking by clicks."""

import json
import re
from http.client import HTTPConnection

import pytest
from playwright.sync_api import expect

from booking.middleware import CONTENT_SECURITY_POLICY

PASSWORD = "red-velvet-seats"
NOT_SIGNED_IN = "Not signed in. Execute POST /token/ to sign in; the examples work as they stand."


def call(service, method, path, body=None, token=None):
    """Send a request without the page, and return its status and body."""
    connection = HTTPConnection(service.url.removeprefix("http://"), timeout=60)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, f"/api{path}", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


class Swagger:
    """The page, with a method for each action on it."""

    def __init__(self, page, service):
        self.page, self.service = page, service
        self.line = page.locator("#sign-in p")
        self.sign_out = page.get_by_role("button", name="Sign out", exact=True)

    def open(self):
        self.page.goto(f"{self.service.url}/swagger/")
        return self.loaded()

    def loaded(self):
        expect(self.page.locator(".opblock").last).to_be_visible()
        return self

    def operation(self, name):
        """Return an operation's panel, unfolded."""
        panel = self.page.locator(f"[id^=operations-][id$=-{name}]")
        if "is-open" not in panel.get_attribute("class"):
            panel.locator(".opblock-summary-control").click()
        return panel

    def execute(self, name, body=None):
        """Press Execute, and return the response's status and body."""
        panel = self.operation(name)
        if body:
            panel.locator("textarea").fill(json.dumps(body))
        # Removes the response to the last request.
        if panel.get_by_role("button", name="Clear").is_visible():
            panel.get_by_role("button", name="Clear").click()
        panel.get_by_role("button", name="Execute").click()
        row = panel.locator(".live-responses-table .response").first
        status = int(row.locator(".response-col_status").inner_text().split()[0])
        shown = row.locator(".response-col_description pre").first.inner_text()
        return status, json.loads(shown) if shown.startswith(("{", "[")) else None

    def sign_in(self, username):
        call(self.service, "POST", "/signup/", {"username": username, "password": PASSWORD})
        assert self.execute("sign_in", {"username": username, "password": PASSWORD})[0] == 200
        expect(self.line).to_have_text(f"Signed in as {username}.")
        return self

    def authorize(self, text):
        self.page.get_by_role("button", name="Authorize").click()
        dialog = self.page.locator(".dialog-ux")
        dialog.locator("input").fill(text)
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.get_by_role("button", name="Close").first.click()

    @property
    def tokens(self):
        return json.loads(self.page.evaluate("sessionStorage.getItem('sign-in')"))

    def change_tokens(self, **changes):
        """Replace the stored tokens, as if they had expired or been changed."""
        self.page.evaluate("tokens => sessionStorage.setItem('sign-in', JSON.stringify(tokens))", self.tokens | changes)


@pytest.fixture
def swagger(page, service):
    return Swagger(page, service).open()


# --- The journey ------------------------------------------------------------------------------


def books_and_cancels_by_clicking(swagger):
    assert swagger.execute("sign_up")[0] == 201
    status, tokens = swagger.execute("sign_in")
    assert (status, sorted(tokens)) == (200, ["access", "refresh"])
    assert swagger.execute("list_movies")[1]["count"] > 0
    movie = swagger.execute("get_movie")[1]["title"]
    shows = swagger.execute("list_movie_shows")[1]["results"]
    show = swagger.execute("get_show")[1]
    assert (show["movie"]["title"], show["id"] in [each["id"] for each in shows]) == (movie, True)
    assert swagger.execute("get_seat_map")[1]["show"] == show["id"]
    status, booking = swagger.execute("book_seat")
    assert (status, booking["status"], booking["show"]["id"]) == (201, "booked", show["id"])
    status, refusal = swagger.execute("book_seat")
    assert (status, refusal["code"], refusal["seats"]) == (409, "seat_taken", [booking["seat_number"]])
    assert [each["id"] for each in swagger.execute("list_bookings")[1]["results"]] == [booking["id"]]
    status, cancelled = swagger.execute("cancel_booking")
    assert (status, cancelled["id"], cancelled["status"]) == (200, booking["id"], "cancelled")


def test_a_newcomer_signs_up_books_and_cancels_by_clicks(swagger):
    books_and_cancels_by_clicking(swagger)


def test_a_newcomer_does_the_same_with_debug_on(page, local_service):
    books_and_cancels_by_clicking(Swagger(page, local_service).open())


def test_several_seats_are_booked_held_moved_and_cancelled_by_clicks(swagger):
    swagger.sign_in("several")
    assert swagger.execute("hold_seats")[1]["bookings"][0]["status"] == "held"
    assert swagger.execute("cancel_booking")[0] == 200
    reference = swagger.execute("book_seats")[1]["reference"]
    assert swagger.execute("get_booking")[1]["reference"] == reference
    assert swagger.execute("move_booking")[0] == 200
    assert swagger.execute("cancel_order")[1]["reference"] == reference


def test_held_seats_are_paid_on_the_page_of_the_demo_provider(page, local_service):
    swagger = Swagger(page, local_service).open().sign_in("payer")
    hold = swagger.execute("hold_seats")[1]
    status, payment = swagger.execute("pay_order")
    assert (status, payment["status"], payment["amount"]) == (201, "pending", hold["due"])
    provider = page.context.new_page()
    provider.goto(payment["next_url"])
    provider.get_by_role("button", name="Pay", exact=True).click()
    expect(provider.get_by_text("If you have paid, your order shows it in a moment.")).to_be_visible()
    order = swagger.execute("get_order")[1]
    assert (order["reference"], order["due"], order["paid"]) == (hold["reference"], "0.00", hold["due"])
    assert {booking["status"] for booking in order["bookings"]} == {"booked"}
    assert swagger.execute("list_orders")[1]["count"] == 1
    assert swagger.execute("get_booking")[1]["reference"] == hold["reference"]


def test_a_declined_payment_is_paid_at_the_second_attempt(page, local_service):
    swagger = Swagger(page, local_service).open().sign_in("decliner")
    reference = swagger.execute("hold_seats")[1]["reference"]
    for button in ("Decline", "Pay"):
        provider = page.context.new_page()
        provider.goto(swagger.execute("pay_order")[1]["next_url"])
        provider.get_by_role("button", name=button, exact=True).click()
        expect(provider.get_by_role("heading", name="Payment")).to_be_visible()
    order = swagger.execute("get_order")[1]
    assert (order["reference"], order["due"]) == (reference, "0.00")
    assert [each["status"] for each in order["payments"]] == ["failed", "paid"]


def test_operations_are_in_the_order_of_the_journey(swagger):
    assert swagger.page.locator(".opblock-summary-description").all_inner_texts() == [
        "List the addresses",
        "Sign up",
        "Sign in",
        "See your account",
        "Change your e-mail address",
        "Delete your account",
        "Change your password",
        "Export your data",
        "Ask for a new password",
        "Choose a new password",
        "Get new tokens for a refresh token",
        "Sign out",
        "Sign out everywhere",
        "Browse movies",
        "See a movie",
        "See a movie's upcoming shows",
        "Browse shows",
        "See a show",
        "See which seats are available",
        "See all seats of a hall",
        "Book a seat",
        "Book several seats",
        "Hold seats",
        "List your bookings",
        "See a booking",
        "Move a booking to another seat",
        "Cancel a booking",
        "See the ticket of a booking",
        "See the QR code of a ticket",
        "Get a ticket to print",
        "Get the show for a calendar",
        "Get the keys that verify tickets",
        "See the tickets of an order",
        "Get the tickets of an order to print",
        "List your orders",
        "See an order",
        "Pay an order",
        "Cancel an order",
        "See who is admitted",
        "Admit a ticket",
        "Undo an admission",
    ]


def test_the_page_comes_with_the_strict_policy(page, service):
    assert page.goto(f"{service.url}/swagger/").headers["content-security-policy"] == CONTENT_SECURITY_POLICY


# --- Signing in -------------------------------------------------------------------------------


def test_swagger_starts_signed_out(swagger):
    expect(swagger.line).to_have_text(NOT_SIGNED_IN)
    expect(swagger.sign_out).to_be_hidden()
    assert swagger.execute("get_account")[1]["code"] == "not_authenticated"


def test_a_sign_in_authorises_the_page(swagger):
    swagger.sign_in("at-once")
    assert swagger.execute("get_account")[1]["username"] == "at-once"


def test_a_wrong_password_keeps_the_session(swagger):
    swagger.sign_in("typist")
    assert swagger.execute("sign_in", {"username": "typist", "password": "wrong"})[0] == 401
    assert swagger.execute("get_account")[1]["username"] == "typist"


def test_a_pasted_token_works_with_and_without_the_word(swagger):
    call(swagger.service, "POST", "/signup/", {"username": "paster", "password": PASSWORD})
    for word in ("", "Bearer ", " bearer  "):
        token = call(swagger.service, "POST", "/token/", {"username": "paster", "password": PASSWORD})[1]["access"]
        swagger.authorize(f"{word}{token}")
        expect(swagger.line).to_have_text("Signed in as paster.")
        assert swagger.execute("get_account")[1]["username"] == "paster"
        swagger.sign_out.click()
        expect(swagger.line).to_have_text("Signed out.")


def test_a_pasted_text_that_is_not_a_token_is_reported(swagger):
    swagger.authorize("nonsense")
    expect(swagger.line).to_have_text("This token is invalid or has expired. Sign in again.")


def test_a_reload_keeps_the_sign_in(swagger):
    swagger.sign_in("reloader")
    swagger.page.reload()
    swagger.loaded()
    expect(swagger.line).to_have_text("Signed in as reloader.")
    assert swagger.execute("get_account")[1]["username"] == "reloader"


def test_another_tab_is_not_signed_in(swagger):
    swagger.sign_in("one-tab")
    other = Swagger(swagger.page.context.new_page(), swagger.service).open()
    expect(other.line).to_have_text(NOT_SIGNED_IN)


def test_a_duplicated_tab_leaves_the_sign_in_to_the_first(swagger):
    swagger.sign_in("doubler")
    with swagger.page.expect_popup() as popup:
        swagger.page.evaluate("window.open(location.href)")
    other = Swagger(popup.value, swagger.service).loaded()
    expect(other.line).to_have_text("Not signed in. Another tab uses this session.")
    swagger.change_tokens(renewAt=0)
    assert swagger.execute("get_account")[1]["username"] == "doubler"


# --- Renewal ----------------------------------------------------------------------------------


def test_a_token_that_expired_is_renewed_before_a_request(swagger):
    swagger.sign_in("renewer")
    before = swagger.tokens
    swagger.change_tokens(renewAt=0, access="stale")
    assert swagger.execute("get_account")[1]["username"] == "renewer"
    assert swagger.tokens["refresh"] != before["refresh"]
    expect(swagger.line).to_have_text("Signed in as renewer.")
    # The token was used: sent again immediately, it has the same successor.
    again = call(swagger.service, "POST", "/token/refresh/", {"refresh": before["refresh"]})[1]
    assert again["refresh"] == swagger.tokens["refresh"]


def test_a_second_renewal_takes_the_rotated_token(swagger):
    swagger.sign_in("twice")
    for _ in range(2):
        swagger.change_tokens(renewAt=0)
        assert swagger.execute("get_account")[0] == 200


def test_a_token_is_renewed_on_a_reload(swagger):
    swagger.sign_in("sleeper")
    swagger.change_tokens(renewAt=0, access="stale")
    swagger.page.reload()
    expect(swagger.loaded().line).to_have_text("Signed in as sleeper.")


def test_a_session_that_can_not_be_renewed_ends(swagger):
    swagger.sign_in("gone")
    call(swagger.service, "POST", "/token/blacklist/", {"refresh": swagger.tokens["refresh"]})
    swagger.change_tokens(renewAt=0)
    assert swagger.execute("get_account")[1]["code"] == "not_authenticated"
    expect(swagger.line).to_have_text("Your sign-in has expired. Sign in again.")
    expect(swagger.sign_out).to_be_hidden()


def test_public_operations_ignore_an_invalid_token(swagger):
    swagger.sign_in("stale")
    swagger.change_tokens(access="stale", refresh="stale", renewAt=0)
    for name in ("list_movies", "get_movie", "get_show", "get_seat_map"):
        assert swagger.execute(name)[0] == 200


# --- Signing out ------------------------------------------------------------------------------


def test_signing_out_uses_up_the_refresh_token(swagger):
    swagger.sign_in("leaver")
    refresh = swagger.tokens["refresh"]
    with swagger.page.expect_response(re.compile("/api/token/blacklist")) as answer:
        swagger.sign_out.click()
    assert answer.value.status == 200
    assert call(swagger.service, "POST", "/token/refresh/", {"refresh": refresh})[0] == 401
    expect(swagger.line).to_have_text("Signed out.")
    assert swagger.execute("get_account")[1]["code"] == "not_authenticated"


def test_executing_sign_out_signs_the_page_out(swagger):
    swagger.sign_in("executor")
    assert swagger.execute("sign_out")[0] == 200
    expect(swagger.line).to_have_text("Signed out.")


def test_executing_sign_out_everywhere_signs_the_page_out(swagger):
    swagger.sign_in("everywhere")
    assert swagger.execute("sign_out_everywhere")[0] == 204
    expect(swagger.line).to_have_text("Signed out everywhere.")


def test_a_deleted_account_signs_the_page_out(swagger):
    swagger.sign_in("deleter")
    assert swagger.execute("delete_account", {"password": PASSWORD})[0] == 204
    expect(swagger.line).to_have_text("Your account was deleted.")
    assert call(swagger.service, "POST", "/token/", {"username": "deleter", "password": PASSWORD})[0] == 401


def test_the_page_signs_out_by_keyboard(swagger):
    swagger.sign_in("typewriter")
    swagger.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    swagger.sign_out.focus()
    swagger.page.keyboard.press("Enter")
    expect(swagger.line).to_have_text("Signed out.")


# --- Looks ------------------------------------------------------------------------------------


def test_the_page_fits_a_phone(swagger):
    swagger.page.set_viewport_size({"width": 390, "height": 844})
    swagger.sign_in("phone")
    assert swagger.page.evaluate("document.documentElement.scrollWidth") == 390
    expect(swagger.sign_out).to_be_in_viewport()


def test_the_sign_in_bar_follows_the_dark_mode(page, service):
    page.emulate_media(color_scheme="dark")
    swagger = Swagger(page, service).open()
    expect(page.locator("#sign-in")).to_have_css("background-color", "rgb(28, 32, 34)")
    expect(swagger.line).to_have_css("color", "rgb(228, 230, 230)")
