"""The tutorial of the README, from the sale to the door, with the service as `make run` starts it."""

import re
import subprocess

import pytest
from django.conf import settings
from playwright.sync_api import expect

from tests.browser.conftest import free_port, running
from tests.browser.test_door import expect_answer, scan
from tests.browser.test_tickets import PHONE, picture_of
from tests.qr import codes_in

[WALK] = re.findall(
    "^## From the sale to the door\n(.*?)^## ", (settings.BASE_DIR / "README.md").read_text(), re.DOTALL | re.MULTILINE
)
START, BUY, TICKET = re.findall("^```\n(.*?)^```$", WALK, re.DOTALL | re.MULTILINE)


@pytest.fixture
def service(filled, tmp_path, monkeypatch):
    """The service with demo data and the setting of the tutorial."""
    variable, value = re.fullmatch(r"(\w+)=(\d+) make run\n", START).groups()
    monkeypatch.setenv(variable, value)
    (tmp_path / "db.sqlite3").write_bytes((filled / "db.sqlite3").read_bytes())
    port = free_port()
    with running(tmp_path, ["manage.py", "runserver", "--noreload", str(port)], debug=True, port=port) as service:
        yield service


class Shell:
    """A shell in which the lines of the README are pasted."""

    def __init__(self, service):
        self._url = service.url
        self._process = subprocess.Popen(["bash"], stdin=-1, stdout=-1, text=True)

    def paste(self, lines):
        """Return what the lines print."""
        self._process.stdin.write(f"{lines.replace('http://127.0.0.1:8000', self._url)}echo THE END\n")
        self._process.stdin.flush()
        return [line.strip() for line in iter(self._process.stdout.readline, "THE END\n")]

    def close(self):
        self._process.communicate()


@pytest.fixture
def shell(service):
    shell = Shell(service)
    yield shell
    shell.close()


def sign_in_as_admin(page, service):
    page.get_by_label("Username:").fill(service.username)
    page.get_by_label("Password:").fill(service.password)
    page.get_by_role("button", name="Log in").click()


def buys_two_seats(page, shell):
    """The text and the address of the first ticket, and the address of the door."""
    page.goto(shell.paste(BUY)[-1])
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_text("paid")).to_be_visible()
    return shell.paste(TICKET)


def opens_the_ticket(page, ticket, url):
    page.set_viewport_size(PHONE)
    page.goto(url)
    assert codes_in(picture_of(page)) == [ticket]


def is_admitted_once(page, service, door, ticket):
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(door)
    sign_in_as_admin(page, service)
    expect(page.locator("#door-sold")).to_have_text(re.compile(r"\d"))
    scan(page, ticket)
    expect_answer(page, "Go")
    scan(page, ticket)
    expect_answer(page, "Stop", "was already admitted")


def sells_for_cash_and_prints(page, service, hall):
    page.goto(f"{service.url}/admin/")
    page.get_by_role("link", name="Open your till").click()
    page.get_by_label("Float").fill("50")
    page.get_by_role("button", name="Open the till").click()
    page.goto(hall)
    page.locator("#hall-grid [title$='free']").first.click()
    page.get_by_label("Given").fill("50")
    page.get_by_role("button", name="Sell for cash").click()
    page.get_by_role("link", name="Order", exact=True).click()
    page.add_init_script("window.print = () => {}")
    page.get_by_role("link", name="Print", exact=True).click()
    [ticket] = codes_in(picture_of(page))
    return ticket


def sees_the_money(page, service):
    page.goto(f"{service.url}/admin/booking/booking/reports/")
    page.get_by_role("link", name="Payments and refunds").click()
    for clerk in (r"\(online\)", "admin"):
        expect(page.get_by_role("row", name=re.compile(rf"^{clerk} .* [1-9]\d*\.\d\d$")).first).to_be_visible()


def test_the_tutorial_of_the_readme(page, service, shell):
    ticket, url, door = buys_two_seats(page, shell)
    opens_the_ticket(page, ticket, url)
    is_admitted_once(page, service, door, ticket)
    printed = sells_for_cash_and_prints(page, service, door.replace("door/", "change/"))
    page.goto(door)
    scan(page, printed)
    expect_answer(page, "Go")
    expect(page.locator("#door-admitted")).to_have_text("2")
    sees_the_money(page, service)
