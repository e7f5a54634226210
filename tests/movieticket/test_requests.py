"""Each request in the log and in the metrics."""

import logging
import re
from contextlib import suppress
from socket import socket

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import Resolver404, resolve
from prometheus_client import REGISTRY

from movieticket.requests import RequestIdFilter, RouteFilter

pytestmark = pytest.mark.django_db


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.addFilter(RequestIdFilter())
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def log():
    """The log lines of requests."""
    logger, handler = logging.getLogger("movieticket.requests"), Records()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler.records
    logger.removeHandler(handler)
    logger.setLevel(level)


def counted(method, route, status):
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("http_request_duration_seconds_count", labels) or 0


def test_a_line_has_the_user_the_route_and_the_queries(client, user, log):
    with CaptureQueriesContext(connection) as queries:
        client.get("/api/me/")
    [line] = log
    values = (line.method, line.route, line.status, line.user_id, line.queries)
    assert values == ("GET", "me", 200, user.pk, len(queries))


def test_the_log_needs_no_query_for_the_user(staff, log):
    staff.get("/api/movies/")
    [line] = log
    assert (line.user_id, line.route) == (None, "movie-list")


def test_a_member_of_staff_is_known_by_the_session(staff, log):
    staff.get("/admin/")
    [line] = log
    assert (line.user_id, line.route) == (int(staff.session["_auth_user_id"]), "admin:index")


def test_an_unknown_path_has_no_route(anyone, log):
    anyone.get("/nowhere/at/all")
    [line] = log
    assert (line.route, line.status) == ("", 404)


def test_a_valid_id_is_used_and_returned(anyone, log):
    response = anyone.get("/api/movies/", HTTP_X_REQUEST_ID="proxy-1.A_2")
    assert (response["X-Request-ID"], log[0].request_id) == ("proxy-1.A_2", "proxy-1.A_2")


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a\nb", "é", '"}'])
def test_an_invalid_id_is_replaced(anyone, log, given):
    response = anyone.get("/api/movies/", HTTP_X_REQUEST_ID=given)
    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])
    assert log[0].request_id == response["X-Request-ID"]


def test_outside_a_request_there_is_no_id():
    record = logging.makeLogRecord({})
    assert RequestIdFilter().filter(record)
    assert record.request_id is None


def test_a_crash_is_logged(log, monkeypatch):
    monkeypatch.setattr("booking.services.accounts.accounts.User.objects.normalize_email", None)
    response = Client().post(
        "/api/signup/", {"username": "esha", "password": "correct horse"}, content_type="application/json"
    )
    assert (response.status_code, log[0].status, log[0].route) == (500, 500, "signup")


def test_requests_are_counted_by_route_and_status(anyone):
    before = counted("GET", "movie-detail", 404)
    anyone.get("/api/movies/999/")
    assert counted("GET", "movie-detail", 404) == before + 1


def test_unknown_methods_are_counted_together(anyone):
    before = counted("other", "movie-list", 405)
    anyone.generic("BREW", "/api/movies/")
    assert (counted("other", "movie-list", 405), counted("BREW", "movie-list", 405)) == (before + 1, 0)


@pytest.mark.parametrize(
    ("path", "name"), [("/password-reset/MQ/secret-token/", "password_reset_confirm"), ("/nowhere/secret", "no route")]
)
def test_the_path_of_a_page_is_not_logged(path, name):
    request = RequestFactory().get(path)
    with suppress(Resolver404):
        request.resolver_match = resolve(path)
    record = logging.makeLogRecord({"msg": "%s: %s", "args": ("Internal Server Error", path), "request": request})
    assert RouteFilter().filter(record)
    assert (record.getMessage(), hasattr(record, "request")) == (f"Internal Server Error: {name}", False)


def test_other_log_lines_are_not_changed():
    record = logging.makeLogRecord({"msg": "%s", "args": ("/a",)})
    assert (RouteFilter().filter(record), record.getMessage()) == (True, "/a")


def test_lines_of_runserver_are_not_changed():
    with socket() as peer:
        record = logging.makeLogRecord({"msg": '"%s" %s', "args": ("GET / HTTP/1.1", "200"), "request": peer})
        assert RouteFilter().filter(record)
    assert record.getMessage() == '"GET / HTTP/1.1" 200'
