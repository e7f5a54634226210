"""The error pages of a service in production: plain, in the style of the admin, with a way out."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import GRANIAN, free_port, running
from tests.browser.test_axe import serious


@pytest.fixture(scope="module")
def folder(filled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("errors")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def base_url(folder):
    """The address of a service of its own, whose data the tests break."""
    port = free_port()
    command = [*GRANIAN.split(), "--port", str(port), "movieticket.wsgi:application"]
    with running(folder, command, debug=False, port=port) as service:
        yield service.url


@pytest.fixture
def page(context):
    """Without the check of the console, to which the browser writes each status."""
    return context.new_page()


@pytest.fixture
def database(folder):
    """Runs statements on the data, and reverts them by the second of each pair."""
    undo = []

    def run(statement, reverse):
        execute(folder, statement)
        undo.append(reverse)

    yield run
    for statement in undo:
        execute(folder, statement)


def execute(folder, statement):
    with closing(sqlite3.connect(folder / "db.sqlite3")) as connection:
        connection.execute(statement)
        connection.commit()


# --- Ways to each error -----------------------------------------------------------------------


def bad_request(page, database):
    return page.goto("/admin/login/?next=%00")


def forbidden(page, database):
    """The form is sent without the cookie of its CSRF token."""
    page.goto("/admin/login/")
    page.context.clear_cookies()
    return log_in(page)


def not_found(page, database):
    return page.goto("/nothing/")


def server_error(page, database):
    """Bytes are no hash of a password."""
    password = "(SELECT password FROM booking_user WHERE username = 'bruno')"
    database(
        "UPDATE booking_user SET password = X'00' WHERE username = 'alice'",
        f"UPDATE booking_user SET password = {password} WHERE username = 'alice'",
    )
    page.goto("/admin/login/")
    return log_in(page, "alice")


def unavailable(page, database):
    database("ALTER TABLE booking_user RENAME TO away", "ALTER TABLE away RENAME TO booking_user")
    page.goto("/admin/login/")
    return log_in(page)


def log_in(page, username="admin"):
    page.get_by_label("Username:").fill(username)
    page.get_by_label("Password:").fill("admin")
    with page.expect_navigation() as navigation:
        page.get_by_role("button", name="Log in").click()
    return navigation.value


ERRORS = {
    bad_request: (400, "Bad request"),
    forbidden: (403, "Not allowed"),
    not_found: (404, "Page not found"),
    server_error: (500, "Server error"),
    unavailable: (503, "Try again in a moment"),
}


@pytest.mark.parametrize("fail", ERRORS, ids=lambda fail: fail.__name__)
def test_an_error_page_links_to_the_start_page(page, database, fail):
    page.set_viewport_size({"width": 390, "height": 800})
    status, title = ERRORS[fail]
    assert fail(page, database).status == status
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        # The bar of the admin.
        expect(page.locator("#header")).to_have_css("background-color", "rgb(65, 118, 144)")
    assert (serious(page), page.evaluate("document.documentElement.scrollWidth")) == ([], 390)
    page.get_by_role("link", name="Start page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Movie ticket booking")
