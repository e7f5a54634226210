"""No secret that a client sent or received is in the service's output."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.service import Service, environment, filled_sqlite, served, wait_until, with_static_files

pytestmark = pytest.mark.server

PASSWORD, NEW_PASSWORD, WRONG = "first-secret-phrase", "second-secret-phrase", "mistyped-secret-phrase"
BOSS_PASSWORD = "secret-phrase-of-the-boss"
KEY = "idempotency-secret-1"
EMAIL = "esha.secret@example.com"
METRICS_TOKEN = "token-of-the-monitoring"
FORM = "application/x-www-form-urlencoded"
MAKE_BOSS = "UPDATE booking_user SET is_staff = TRUE, is_superuser = TRUE WHERE username = 'boss'"


@dataclass
class Visit:
    """Requests of a client: the secrets that it sent and received, and the statuses of the responses."""

    service: Service
    folder: Path
    secrets: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)

    def post(self, path, body, **headers):
        """Send a JSON body and return the response's body, whose tokens are secrets."""
        status, _, text = self.service.ask("POST", path, json.dumps(body), Content_Type="application/json", **headers)
        self.statuses.append(status)
        result = json.loads(text) if text else {}
        self.secrets |= {result[name] for name in ("access", "refresh") if name in result}
        return result

    def form(self, path, fields, cookies):
        """Send a form of the admin, and return the headers of the response."""
        csrf_token = re.search("csrftoken=([^;]+)", cookies)[1]
        headers = {"Content_Type": FORM, "Cookie": cookies, "Referer": f"http://127.0.0.1:{self.service.port}/"}
        body = urlencode(fields | {"csrfmiddlewaretoken": csrf_token})
        status, answered, _ = self.service.ask("POST", path, body, **headers)
        self.statuses.append(status)
        return answered

    def cookies(self):
        """Return the cookies of the admin's sign-in page."""
        _, headers, page = self.service.ask("GET", "/admin/login/")
        [cookie] = re.findall("csrftoken=[^;]+", headers["Set-Cookie"])
        self.secrets |= {cookie.removeprefix("csrftoken="), *re.findall('csrfmiddlewaretoken" value="([^"]+)', page)}
        return cookie

    def written(self):
        """Return the service's output after it has logged the last request."""
        last = uuid4().hex
        self.service.ask("GET", "/api/movies/", X_Request_ID=last)
        wait_until(lambda: last in self.service.stdout.read_text())
        return "".join(path.read_text() for path in [*self.folder.glob("*.out"), *self.folder.glob("*.err")])

    def logged_secrets(self):
        """Return the secrets in the service's output."""
        text = self.written()
        return sorted(secret for secret in self.secrets if secret in text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder):
    """The service with the static files of the admin's pages."""
    settings = {"WORKERS": "1", "METRICS_TOKEN": METRICS_TOKEN} | with_static_files()
    with served(*filled_sqlite(folder), folder, **settings) as service:
        for name in ("boss", "broken"):
            account = json.dumps({"username": name, "password": BOSS_PASSWORD})
            assert service.ask("POST", "/api/signup/", account, Content_Type="application/json")[0] == 201
        change(folder, MAKE_BOSS)
        yield service


@pytest.fixture
def visit(service, folder):
    common = {PASSWORD, NEW_PASSWORD, WRONG, BOSS_PASSWORD, KEY, EMAIL, METRICS_TOKEN, *service.tokens}
    return Visit(service, folder, common | {environment("")["SECRET_KEY"]})


def change(folder, sql, *values):
    """Execute the statement on the service's database."""
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database, database:
        database.execute(sql, values)


def break_account(visit, name):
    """Stores an invalid hash, so that a sign-in with this username crashes."""
    change(visit.folder, "UPDATE booking_user SET password = X'00' WHERE username = ?", name)


def test_no_secret_of_a_customer_is_logged(visit):
    account = {"username": "esha", "password": PASSWORD}
    visit.post("/api/signup/", account | {"email": EMAIL})
    visit.post("/api/token/", account | {"password": WRONG})
    tokens = visit.post("/api/token/", account)
    tokens = visit.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    bearer = {"Authorization": f"Bearer {tokens['access']}"}
    visit.post(f"/api/shows/{visit.service.shows[0]}/book/", {"seat_number": 5}, Idempotency_Key=KEY, **bearer)
    visit.post(f"/api/shows/{visit.service.shows[0]}/book/", {"seat_number": 6}, Idempotency_Key=KEY, **bearer)
    visit.post("/api/me/password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}, **bearer)
    visit.post("/api/token/refresh/", {"refresh": tokens["refresh"]})
    visit.post("/api/token/blacklist/", {"refresh": tokens["refresh"]})
    visit.service.ask("GET", "/metrics", Authorization=f"Bearer {METRICS_TOKEN}")
    assert visit.statuses[:8] == [201, 401, 200, 200, 201, 422, 204, 401]
    assert visit.logged_secrets() == []


def test_no_secret_of_a_sign_in_to_the_admin_is_logged(visit):
    cookies = visit.cookies()
    visit.form("/admin/login/", {"username": "boss", "password": WRONG}, cookies)
    answered = visit.form("/admin/login/?next=/admin/", {"username": "boss", "password": BOSS_PASSWORD}, cookies)
    [session] = re.findall("sessionid=([^;]+)", str(answered.get_all("Set-Cookie")))
    visit.secrets.add(session)
    visit.service.ask("GET", "/admin/", Cookie=f"sessionid={session}")
    assert visit.statuses == [200, 302]
    assert visit.logged_secrets() == []


def test_no_secret_of_a_crash_is_logged(visit):
    break_account(visit, "broken")
    visit.post("/api/token/", {"username": "broken", "password": BOSS_PASSWORD, "note": EMAIL})
    visit.form("/admin/login/", {"username": "broken", "password": BOSS_PASSWORD, "note": EMAIL}, visit.cookies())
    assert visit.statuses == [500, 500]
    assert "Crash in token" in visit.written()
    assert "Internal Server Error: admin:login" in visit.written()
    assert visit.logged_secrets() == []


def test_no_secret_in_a_path_or_a_query_is_logged(visit):
    visit.secrets |= {"token-in-a-query", "token-in-a-path"}
    visit.service.ask("GET", "/api/movies/?token=token-in-a-query")
    visit.service.ask("GET", "/api/bookings/token-in-a-path/")
    assert visit.logged_secrets() == []


def test_the_search_finds_a_logged_secret(visit):
    visit.secrets.add("id-that-is-written")
    visit.service.ask("GET", "/api/movies/", X_Request_ID="id-that-is-written")
    assert visit.logged_secrets() == ["id-that-is-written"]
