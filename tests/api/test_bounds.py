"""Limits on the size of addresses, headers and bodies, and on the depth of JSON."""

import json
import socket
import time
from http.client import HTTPResponse

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from booking.middleware import RequestBounds
from booking.parsers import is_too_deep
from tests.bodies import field_errors
from tests.service import serving

LONG = "x" * 10_000
URL_TOO_LONG = {"detail": "The address must not be longer than 8000 bytes.", "code": "url_too_long"}
HEADERS_TOO_LARGE = {"detail": "The headers must not be larger than 16000 bytes.", "code": "headers_too_large"}


# --- Address and headers ----------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"/api/{LONG}", f"/api/movies/?search={LONG}", "/api/movies/?" + "%41" * 3_000])
def test_an_address_that_is_too_long_is_refused(anyone, path):
    answer = anyone.get(path)
    assert (answer.status_code, answer.json()) == (414, URL_TOO_LONG)


@pytest.mark.parametrize("headers", [{"HTTP_X": LONG * 2}, {f"HTTP_X_{n}": "x" * 200 for n in range(90)}])
def test_headers_that_are_too_large_are_refused(anyone, headers):
    answer = anyone.get("/api/movies/", **headers)
    assert (answer.status_code, answer.json()) == (431, HEADERS_TOO_LARGE)


def test_outside_the_api_the_error_is_a_page(anyone):
    answer = anyone.get(f"/admin/{LONG}")
    assert (answer.status_code, answer["Content-Type"]) == (414, "text/html; charset=utf-8")
    assert "The address must not be longer than 8000 bytes." in answer.content.decode()


@pytest.mark.django_db
def test_an_address_and_headers_of_a_usual_size_are_accepted(anyone):
    answer = anyone.get(f"/api/?page=1&x={'x' * 7_000}", HTTP_COOKIE="x" * 8_000)
    assert answer.status_code == 200


# --- Bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/signup/", "/api/no-such-path/", "/api/movies/"])
def test_a_body_that_is_too_large_is_refused_by_its_announced_length(anyone, path):
    answer = anyone.generic("POST", path, b"x" * 1_000_001, content_type="application/json")
    detail = "The body must not be larger than 1000000 bytes."
    assert (answer.status_code, answer.json()) == (413, {"detail": detail, "code": "body_too_large"})


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/booking/movie/add/", "/swagger/"])
def test_a_form_that_is_too_large_is_refused(staff, path):
    answer = staff.post(path, {"title": "x" * 1_000_000})
    assert answer.status_code == 413
    assert "The body must not be larger than 1000000 bytes." in answer.content.decode()


def upload(staff, size):
    file = SimpleUploadedFile("movies.csv", b"x" * size, content_type="text/csv")
    return staff.post("/admin/booking/movie/import/", {"file": file})


def test_an_import_may_be_larger_than_other_bodies(staff):
    answer = upload(staff, 9_999_999)
    assert answer.status_code == 200
    assert "is larger than" not in answer.content.decode()


def test_an_import_that_is_too_large_is_refused_on_its_form(staff):
    answer = upload(staff, 10_000_001)
    assert answer.context["form"].errors == {"file": ["The file is larger than 10 MB."]}


def test_an_import_that_is_much_too_large_is_not_read(staff):
    answer = upload(staff, 10_020_000)
    assert answer.status_code == 413
    assert "The body must not be larger than 10010000 bytes." in answer.content.decode()


@pytest.mark.parametrize("length", ["rubbish", "-1", "1e9", "+9", "1_9", "0x9", "٩", "9, 9", " 9", "9" * 200])
def test_an_invalid_length_is_refused(length):
    request = RequestFactory().post("/api/movies/", CONTENT_LENGTH=length)
    answer = RequestBounds(lambda _: "answer")(request)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "bad_request")


def test_an_empty_length_counts_as_0():
    request = RequestFactory().get("/api/movies/", CONTENT_LENGTH="")
    assert RequestBounds(lambda _: "answer")(request) == "answer"


# --- Depth ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "too_deep"),
    [
        ("[" * 20 + "]" * 20, False),
        ("[" * 21 + "]" * 21, True),
        ('{"a":' * 20 + "1" + "}" * 20, False),
        ('{"a":[' * 10 + '{"b": 1}' + "]}" * 10, True),
        ("[" * 21, True),
        ("]" * 50, False),
        ("[" + "[]," * 100 + "[]]", False),
        (json.dumps({"a": "[" * 50, '{"[' * 20: 1}), False),
        (json.dumps(['"[' * 30, "\\", "[" * 30]), False),
        (json.dumps(["\\", "\\\\"]) + "[" * 21, True),
        ('"' + "[" * 30, False),
    ],
)
def test_a_body_nested_deeper_than_20_is_refused(body, too_deep):
    assert is_too_deep(body.encode()) is too_deep


@pytest.mark.parametrize(
    "pattern", [b"[]", b'"', b'\\"', b"\\", b'"\\', b'["', b'[]"\\"[', b"{}\\"], ids=lambda pattern: pattern.decode()
)
def test_the_nesting_check_takes_linear_time(pattern):
    def seconds(size):
        body = b"[" * 18 + b"[]" * 10 + pattern * (size // len(pattern))
        begin = time.process_time()
        is_too_deep(body)
        return time.process_time() - begin

    # A hundred times the size: quadratic would be ten thousand times as long.
    assert seconds(1_000_000) < max(seconds(10_000), 0.001) * 1_000


def test_a_body_that_is_nested_too_deep_is_refused(client, show):
    body = '{"seat_number": ' + "[" * 20 + "]" * 20 + "}"
    answer = client.generic("POST", f"/api/shows/{show.pk}/book/", body, content_type="application/json")
    detail = "JSON parse error - nested too deep."
    assert (answer.status_code, answer.json()) == (400, {"detail": detail, "code": "parse_error"})


# --- The real server --------------------------------------------------------------------------


def ask(port, head, body=b""):
    """Send a raw request and return the response's status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\n".encode() + body)
        answer = HTTPResponse(client)
        answer.begin()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def port(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), serving() as port:
        yield port


@pytest.mark.server
def test_the_server_answers_a_long_address_in_json(port):
    status, body = ask(port, f"GET /api/{LONG} HTTP/1.1", b"\r\n")
    assert (status, json.loads(body)) == (414, URL_TOO_LONG)


@pytest.mark.server
def test_the_server_answers_large_headers_in_json(port):
    headers = "".join(f"X-{number}: {'x' * 200}\r\n" for number in range(90)).encode()
    status, body = ask(port, "GET /api/movies/ HTTP/1.1", headers + b"\r\n")
    assert (status, json.loads(body)) == (431, HEADERS_TOO_LARGE)


@pytest.mark.server
@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /api/movies/ HTTP/1.1", b"X: 1\r\n" * 200 + b"\r\n", 431),
        ("GET /api/movies/ HTTP/1.1", b"X: " + b"x" * 500_000 + b"\r\n\r\n", 431),
        (f"GET /api/{'x' * 100_000} HTTP/1.1", b"\r\n", 414),
        ("POST /api/token/ HTTP/1.1", b"Content-Length: rubbish\r\n\r\n", 400),
        ("POST /api/token/ HTTP/1.1", b"Content-Length: -1\r\n\r\n", 400),
        ("GET /api/movies/ HTTP/1.1", b"no colon\r\n\r\n", 400),
    ],
)
def test_the_server_refuses_invalid_http_itself(port, line, headers, status):
    assert ask(port, line, headers) == (status, b"")


@pytest.mark.server
def test_the_server_does_not_wait_for_a_body_that_is_too_large(port):
    status, body = ask(
        port, "POST /api/token/ HTTP/1.1", b"Content-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n{"
    )
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/admin/login/", {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-16"}),
        ("/admin/login/?next=%00", {}),
        ("/admin/", {"HTTP_COOKIE": 'sessionid="\\000abc12345"'}),
    ],
)
def test_a_request_that_django_can_not_parse_is_a_bad_request(path, headers):
    content_type = headers.pop("CONTENT_TYPE", "text/plain")
    assert Client().generic("POST", path, "a=1", content_type=content_type, **headers).status_code == 400


@pytest.mark.django_db
def test_a_form_in_utf_8_is_read():
    answer = Client().generic(
        "POST", "/admin/login/", "", content_type="application/x-www-form-urlencoded; charset=UTF8"
    )
    assert answer.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["", "{}"])
def test_a_body_in_chunks_is_refused(anyone, body):
    answer = anyone.generic("POST", "/api/signup/", body, HTTP_TRANSFER_ENCODING="chunked")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


# --- Encodings and lengths --------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip"])
def test_a_compressed_body_is_refused(anyone, encoding):
    answer = anyone.post("/api/token/", {"username": "esha"}, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db
def test_a_body_with_the_encoding_identity_is_read(anyone):
    answer = anyone.post("/api/token/", {"username": "esha"}, headers={"Content-Encoding": "identity"})
    assert list(field_errors(answer)) == ["password"]


def test_a_number_of_5000_digits_is_refused_without_advice_on_python(anyone):
    answer = anyone.generic("POST", "/api/token/", "9" * 5000, content_type="application/json")
    assert answer.json() == {"detail": "JSON parse error - A number has more than 100 digits.", "code": "parse_error"}


def test_a_response_without_a_body_has_no_length(client):
    answer = client.post("/api/me/logout-everywhere/")
    assert (answer.status_code, answer.has_header("Content-Length")) == (204, False)


@pytest.mark.django_db
def test_an_unchanged_seat_map_has_no_length(anyone, show):
    path = f"/api/shows/{show.pk}/seats/"
    answer = anyone.get(path, headers={"If-None-Match": anyone.get(path)["ETag"]})
    assert (answer.status_code, answer.has_header("Content-Length")) == (304, False)


@pytest.mark.parametrize("is_local", [True, False])
def test_a_wrong_host_is_refused_in_json(anyone, settings, is_local):
    settings.DEBUG = is_local
    answer = anyone.get("/api/movies/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Bad request.", "code": "bad_request"})


@pytest.mark.django_db
def test_local_hosts_are_served(anyone, settings):
    settings.DEBUG = True
    assert anyone.get("/api/movies/").status_code == 200
