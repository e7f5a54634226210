"""The common format of all errors."""

import json

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import path as route
from rest_framework.exceptions import ValidationError

from booking.exception_handler import exception_handler, server_error
from booking.services import InvalidInput
from movieticket import urls
from tests.bodies import reasons, send
from tests.factories import PASSWORD


def codes(answer):
    """Return the code of each error in the input, by its field."""
    return [(error["field"], error["code"]) for error in reasons(answer, 400)["errors"]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("seat_numbers", "required")]),
        ({"seat_numbers": []}, [("seat_numbers", "empty")]),
        ({"seat_numbers": None}, [("seat_numbers", "null")]),
        ({"seat_numbers": 5}, [("seat_numbers", "not_a_list")]),
        ({"seat_numbers": [5, 6, 5]}, [("seat_numbers", "duplicate")]),
        ({"seat_numbers": [5, "x", 6, None]}, [("seat_numbers.1", "invalid"), ("seat_numbers.3", "null")]),
        ({"seat_numbers": [1] * 51}, [("seat_numbers", "max_length")]),
        ({"seat_numbers": [1], "count": 1, "split": True}, [("count", "not_allowed"), ("split", "not_allowed")]),
        ({"count": 0}, [("count", "min_value")]),
        ({"count": 51}, [("count", "max_value")]),
        (None, [("", "null")]),
        ([], [("", "invalid")]),
    ],
    ids=str,
)
def test_an_error_in_the_input_has_its_field_and_a_code(client, show, body, expected):
    assert codes(send(client, f"/api/shows/{show.pk}/hold/", json.dumps(body))) == expected


def test_each_error_of_a_new_password_has_a_code(client):
    answer = client.post("/api/me/password/", {"current_password": PASSWORD, "new_password": "123"})
    assert codes(answer) == [("new_password", "password_too_short"), ("new_password", "password_entirely_numeric")]


def test_a_sentence_that_several_fields_share_is_in_the_detail_once(client):
    answer = client.post("/api/me/password/", {})
    assert reasons(answer, 400)["detail"] == "This field is required."


@pytest.mark.parametrize(
    ("detail", "fields"),
    [
        ({"a": {"b": [{}, {"c": ["x"]}]}}, ["a.b.c"]),
        ({"a": {0: ["x"], 2: ["y"]}}, ["a.0", "a.2"]),
        ({"a": {"non_field_errors": ["x"]}}, ["a"]),
        (["x"], [""]),
    ],
    ids=str,
)
def test_the_field_of_a_nested_error_is_a_path(detail, fields):
    answer = exception_handler(ValidationError(detail), {})
    assert [error["field"] for error in json.loads(answer.content)["errors"]] == fields


def test_an_error_of_a_service_without_codes_is_invalid():
    assert InvalidInput("a", ["One.", "Two."]).codes == ["invalid", "invalid"]


@pytest.mark.parametrize(
    ("path", "content_type"), [("/api/movies/", "application/json"), ("/admin/", "text/html; charset=utf-8")]
)
def test_a_database_that_fails_outside_a_view_makes_the_service_busy(rf, path, content_type):
    try:
        raise OperationalError("the connection is closed")
    except OperationalError:
        answer = server_error(rf.get(path))
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, content_type, "1")


def fail(request, *, busy):
    raise OperationalError("the connection is closed") if busy else LookupError


urlpatterns = [route("busy/", fail, {"busy": True}), route("broken/", fail, {"busy": False}), *urls.urlpatterns]


@pytest.mark.urls(__name__)
def test_a_page_of_a_busy_service_is_no_traceback_with_debug_on(settings):
    settings.DEBUG = True
    client = Client(raise_request_exception=False)
    answers = [client.get(f"/{name}/") for name in ("busy", "broken")]
    assert [(one.status_code, one.get("Retry-After")) for one in answers] == [(503, "1"), (500, None)]
    assert b"Traceback" not in answers[0].content
