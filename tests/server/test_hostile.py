"""Hostile requests on a socket of the real server, which no HTTP library would send."""

import json
import socket
import sqlite3
from contextlib import closing
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import CONTENT_TYPES, HEADER_VALUES, QUERY_VALUES, RAW_VALUES, SEGMENTS, Reply, bounded, check
from tests.service import filled_sqlite, served

pytestmark = pytest.mark.server

WAIT_SECONDS = 10
HEADERS = [b"Idempotency-Key", b"X-Request-ID", b"Accept", b"If-None-Match", b"X-Forwarded-For", b"Content-Type"]
PATHS = [b"/api/movies/%s/", b"/api/shows/%s/seats/", b"/api/bookings/%s/", b"/api/%s/", b"/%s"]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with served(*filled_sqlite(folder), folder, WORKERS="1") as service:
        service.database = folder / "db.sqlite3"
        yield service


@pytest.fixture
def send(service):
    """A function that sends bytes and returns the response, or None without one."""

    def send(raw):
        with socket.create_connection(("127.0.0.1", service.port), WAIT_SECONDS) as client:
            try:
                client.sendall(raw)
                answer = HTTPResponse(client)
                answer.begin()
                return Reply(answer.status, dict(answer.headers), answer.read())
            except (ConnectionError, HTTPException, TimeoutError):
                return None

    return send


def request(line, *headers, body=b""):
    fields = [b"Host: 127.0.0.1", b"Connection: close", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([line + b" HTTP/1.1", *fields, b"", body])


def booking_of(service, body, *headers):
    path = b"POST /api/shows/%d/book/" % service.shows[0]
    token = b"Authorization: Bearer " + service.tokens[0].encode()
    return request(path, token, b"Content-Type: application/json", *headers, body=body)


def check_api(reply):
    """Check the response; only the server's own refusals of invalid HTTP have an empty body."""
    if reply is not None:
        check(Reply(reply.status, {name.title(): text for name, text in reply.headers.items()}, reply.body))


def as_bytes(text):
    return text.encode(errors="surrogatepass")


@bounded(75)
@given(
    line=st.sampled_from(SEGMENTS).flatmap(lambda bad: st.sampled_from([path % bad for path in PATHS[:4]])),
    query=st.sampled_from(QUERY_VALUES),
    header=st.sampled_from(HEADERS),
    value=st.sampled_from([*HEADER_VALUES, *CONTENT_TYPES]) | st.text(max_size=20),
)
def survives_paths_and_headers(send, line, query, header, value):
    check_api(send(request(b"GET " + line + b"?page=" + query, header + b": " + as_bytes(value))))


def test_no_path_query_or_header_causes_a_server_error(send):
    survives_paths_and_headers(send)
    assert send(request(b"GET /api/movies/")).status == 200


@pytest.mark.parametrize("raw", RAW_VALUES, ids=range(len(RAW_VALUES)))
def test_no_body_causes_a_server_error(service, send, raw):
    reply = send(booking_of(service, b'{"seat_number": ' + as_bytes(raw) + b"}"))
    check_api(reply)
    assert reply.status in (201, 400, 409)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("path", [b"POST /api/signup/", b"GET /api/movies/", b"POST /admin/login/", b"GET /healthz"])
def test_no_content_type_causes_a_server_error(send, path, content_type):
    reply = send(
        request(path, b"Content-Type: " + as_bytes(content_type), b"Cookie: csrftoken=" + b"a" * 32, body=b"x")
    )
    assert reply is None or reply.status < 500


@pytest.mark.parametrize("charset", [b"hex", b"rot13", b"idna", b"punycode", b"undefined", b"utf-16"])
@pytest.mark.parametrize("path", [b"/healthz?a=1", b"/healthz?%ff=1", b"/api/movies/?search=%d0%b0"])
def test_addresses_are_utf_8_whatever_the_charset_of_the_body(send, path, charset):
    reply = send(request(b"GET " + path, b"Content-Type: text/plain; charset=" + charset))
    assert reply.status == 200


@pytest.mark.parametrize("content_type", ["charset*=utf-8''%00", "charset*=bogus''utf-8", "x*=a''b"])
def test_invalid_parameters_of_a_content_type_are_ignored(service, send, content_type):
    path = b"POST /api/shows/%d/book/" % service.shows[1]
    token = b"Authorization: Bearer " + service.tokens[1].encode()
    kind = b"Content-Type: application/json; " + content_type.encode()
    reply = send(request(path, token, kind, body=b'{"seat_number": 0}'))
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "no_such_seat")


# --- What would write a header of its own, or smuggle a second request ------------------------


@pytest.mark.parametrize("header", [b"Idempotency-Key", b"X-Request-ID", b"Accept", b"Host"])
@pytest.mark.parametrize(
    "end", [b"\r\nX-Injected: yes", b"\nX-Injected: yes", b"\rX-Injected: yes", b"%0d%0aX-Injected: yes"]
)
def test_no_header_of_a_client_becomes_one_of_the_response(service, send, header, end):
    reply = send(booking_of(service, b'{"seat_number": 0}', header + b": a" + end))
    assert reply is None or (reply.status, "X-Injected" in reply.headers) == (400, False)


@pytest.mark.parametrize(
    "path", [b"/api/movies%0d%0aX-Injected:%20yes/", b"/%0d%0aX-Injected:%20yes", b"/swagger%0d%0a"]
)
def test_no_path_becomes_a_header_of_the_response(send, path):
    reply = send(request(b"GET " + path))
    assert (reply.status, "X-Injected" in reply.headers) == (404, False)


SMUGGLED = b"0\r\n\r\nGET /api/movies/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
    ],
)
def test_a_request_with_two_lengths_is_not_read_as_two_requests(send, headers):
    lines = [b"POST /api/no-such-path/ HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close", *headers, b"", SMUGGLED]
    reply = send(b"\r\n".join(lines))
    assert reply is None or reply.status in (400, 404, 411)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /api/movies/\r\n\r\n",
        b"GET /api/movies/ HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"G\x00T /api/movies/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET http://evil.example/api/movies/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /api/movies/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET /api/movies/ HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    ],
)
def test_invalid_http_is_refused(send, raw):
    reply = send(raw)
    assert reply is None or 400 <= reply.status < 500 or reply.status == 505


def test_the_server_still_works_and_has_sold_no_seat_twice(service, send):
    for _ in range(2):
        send(booking_of(service, b'{"seat_number": 9}'))
    assert send(request(b"GET /api/movies/")).status == 200
    with closing(sqlite3.connect(service.database)) as database:
        seats = "COUNT(DISTINCT show_id * 100000 + seat_number)"
        query = f"SELECT COUNT(*), {seats} FROM booking_booking WHERE status = 'booked'"
        [(rows, seats)] = database.execute(query)
    assert rows == seats > 0
