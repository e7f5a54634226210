"""A real server with demo data, and Chromium.

`service` runs as `make serve` starts it and `local_service` as `make run` does; staff sit before a `live_server`, whose
data a test can reach. A `page` fails its test if anything is asked of another host or the console has an error to tell,
as it has of each breach of the content security policy.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from playwright.sync_api import sync_playwright

from booking.models import User
from tests.browser import ARGUMENTS, BROWSERS, CHROMIUM
from tests.factories import make_user
from tests.service import template

# Playwright runs an event loop in the thread of the tests, which Django mistakes for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
GRANIAN = "-m granian --interface wsgi --host 127.0.0.1 --workers 1 --blocking-threads 2"


# --- The service ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    """The address of a service, and a login for the admin."""

    url: str
    username: str = "admin"
    password: str = "admin"


def environment(folder, *, debug):
    """Settings of a service with its data in the folder, and limits that tests don't reach."""
    names = ("SIGNUP", "TOKEN", "TOKEN_NAME", "TOKEN_ADDRESS", "ADMIN", "ADMIN_ADDRESS", "REFRESH", "BOOKING")
    limits = {f"LIMIT_{name}": "100000/minute" for name in (*names, "PASSWORD_RESET", "PASSWORD_RESET_ADDRESS")}
    return {
        **os.environ,
        **limits,
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "STATIC_ROOT": f"{folder}/static",
        "DEBUG": str(debug).lower(),
        "SECRET_KEY": "only-for-tests-only-for-tests-only-for-tests",
        "TICKET_SIGNING_KEY": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24",
        "ALLOWED_HOSTS": "127.0.0.1",
    }


def manage(folder, *command, debug):
    subprocess.run(
        [sys.executable, "manage.py", *command, "--verbosity", "0"],
        env=environment(folder, debug=debug),
        cwd=PROJECT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/api/movies/")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


@contextmanager
def running(folder, command, *, debug, port):
    """Run a server during the block."""
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment(folder, debug=debug),
            cwd=PROJECT,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Service(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def filled(chromium):
    """A folder with static files and a migrated and demo-filled database, to be copied."""
    return template("browser", fill)[0]


def fill(folder):
    manage(folder, "migrate", debug=True)
    # Only with DEBUG on has the demo passwords.
    manage(folder, "demo", debug=True)
    manage(folder, "collectstatic", "--no-input", debug=False)


@pytest.fixture(scope="session")
def service(filled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    port = free_port()
    command = [*GRANIAN.split(), "--port", str(port), "movieticket.wsgi:application"]
    with running(folder, command, debug=False, port=port) as service:
        yield service


@pytest.fixture(scope="session")
def local_service(filled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-service")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    port = free_port()
    with running(folder, ["manage.py", "runserver", "--noreload", str(port)], debug=True, port=port) as service:
        yield service


# --- The browser ------------------------------------------------------------------------------


def pytest_runtest_setup():
    """Without a browser there is nothing to test here, except where CI must have one. Said in one line for all."""
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("No browser is installed; these tests need Chromium.")


@pytest.fixture(scope="session")
def chromium():
    """The path of an installed Chromium."""
    assert CHROMIUM is not None, f"None of {', '.join(BROWSERS)} is installed."
    return CHROMIUM


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


class Watch:
    """Records the faults of pages: requests to other hosts, and errors on the console."""

    def __init__(self, page):
        self.hosts, self.errors = set(), []
        page.on("request", self._note_host)
        page.on("console", self._note_error)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _note_host(self, request):
        if request.url.startswith("http"):
            self.hosts.add(request.url.split("/")[2].partition(":")[0])

    def _note_error(self, message):
        # The browser logs refusals among the errors, and requests without the network, which tests cut.
        is_refusal = re.search("/(api|hall|door|layout)/", message.location["url"]) or "410 (Gone)" in message.text
        if message.type == "error" and not is_refusal and "ERR_INTERNET_DISCONNECTED" not in message.text:
            self.errors.append(message.text)


@pytest.fixture
def base_url():
    """The service to which the paths of a page belong."""


@pytest.fixture
def context(browser, base_url):
    """A browser context without cookies and storage."""
    context = browser.new_context(base_url=base_url, viewport={"width": 1200, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    page = context.new_page()
    watch = Watch(page)
    yield page
    assert watch.errors == []
    assert watch.hosts <= {"127.0.0.1", "localhost"}


# --- Staff ------------------------------------------------------------------------------------


def sign_in(context, user):
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "domain": "localhost", "path": "/"}])


@pytest.fixture
def boss(context, live_server) -> User:
    boss = User.objects.create_superuser("boss")
    sign_in(context, boss)
    return boss


@pytest.fixture
def seller(context, live_server) -> User:
    """A member of the box office."""
    seller = make_user(username="seller", is_staff=True)
    may = ["view_show", "view_booking", "add_booking", "cancel_booking", "view_order", "change_order"]
    seller.user_permissions.set(Permission.objects.filter(content_type__app_label="booking", codename__in=may))
    sign_in(context, seller)
    return seller
