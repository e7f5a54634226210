"""Names of headers with an underscore, and values that are not ASCII, on sockets of the real server."""

import json
import socket
from http.client import HTTPResponse
from uuid import uuid4

import pytest

from tests.service import PATIENCE_SECONDS, filled_sqlite, served

pytestmark = pytest.mark.server

LIMIT = 2
TRUSTED = {"TRUSTED_PROXIES": "127.0.0.1", "PROXY_SSL_HEADER": "X-Forwarded-Proto", "SECURE_SSL_REDIRECT": "true"}
SPELLINGS = ["X_Forwarded_For", "X-Forwarded_For", "x_forwarded-for"]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    data = filled_sqlite(folder)
    with served(*data, folder, traced=True, WORKERS="1", LIMIT_SIGNUP=f"{LIMIT}/hour", **TRUSTED) as service:
        yield service


@pytest.fixture
def ask(service):
    def ask(line, *headers, body=b""):
        head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers, "", ""]
        with socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS) as client:
            client.sendall("\r\n".join(head).encode() + body)
            answer = HTTPResponse(client)
            answer.begin()
            return answer.status, answer.headers, answer.read()

    return ask


def sign_up(ask, *headers):
    body = json.dumps({"username": uuid4().hex, "password": "a long way to the sea"}).encode()
    return ask("POST /api/signup/", "Content-Type: application/json", "X-Forwarded-Proto: https", *headers, body=body)[
        0
    ]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_name_with_an_underscore_does_not_replace_the_proxy_s(ask, name, is_first):
    address = f"198.51.100.{2 * SPELLINGS.index(name) + is_first}"

    def headers(number):
        pair = [f"{name}: 192.0.2.{number}", f"X-Forwarded-For: {address}"]
        return pair if is_first else pair[::-1]

    assert [sign_up(ask, *headers(number)) for number in range(LIMIT + 1)] == [201] * LIMIT + [429]


def test_a_name_with_an_underscore_is_ignored(ask):
    assert [sign_up(ask, f"X_Forwarded_For: 192.0.2.{number}") for number in range(LIMIT + 1)] == [201] * LIMIT + [429]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["X-Forwarded-Proto: https"], 200),
        (["X_Forwarded_Proto: https"], 301),
        (["X-Forwarded-Proto: http", "X_Forwarded_Proto: https"], 301),
        (["X_Forwarded_Proto: https", "X-Forwarded-Proto: http"], 301),
        (["X-Forwarded-Proto: https", "X_Forwarded_Proto: http"], 200),
    ],
)
def test_only_the_proxy_s_header_marks_a_request_as_encrypted(ask, headers, status):
    assert ask("GET /api/movies/", *headers)[0] == status


def test_the_id_of_a_request_comes_from_its_own_header(ask):
    headers = ["X-Forwarded-Proto: https", "X-Request-ID: own", "X_Request_ID: other"]
    assert ask("GET /api/movies/", *headers)[1]["X-Request-ID"] == "own"


def test_an_idempotency_key_with_an_underscore_is_ignored(ask, service):
    headers = [
        f"Authorization: Bearer {service.tokens[0]}",
        "X-Forwarded-Proto: https",
        "Content-Type: application/json",
    ]
    line = f"POST /api/shows/{service.shows[0]}/book/"
    answers = [ask(line, *headers, "Idempotency_Key: again", body=b'{"seat_number": 7}')[0] for _ in range(2)]
    assert answers == [201, 409]


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("Idempotency-Key: é", 400, "invalid"),
        ("Content-Encoding: é", 415, "unsupported_media_type"),
        ("Content-Type: é", 415, "unsupported_media_type"),
    ],
)
def test_a_header_that_is_not_ascii_is_not_ignored(ask, service, header, status, code):
    headers = [f"Authorization: Bearer {service.tokens[1]}", "X-Forwarded-Proto: https"]
    others = ["Content-Type: application/json"] if not header.startswith("Content-Type") else []
    line = f"POST /api/shows/{service.shows[1]}/book/"
    answer = ask(line, *headers, *others, header, body=b'{"seat_number": 8}')
    assert (answer[0], json.loads(answer[2])["code"]) == (status, code)


@pytest.mark.parametrize("header", ["Bearer é", "é"])
def test_a_token_that_is_not_ascii_gets_no_anonymous_seat_map(ask, service, header):
    headers = ["X-Forwarded-Proto: https", f"Authorization: {header}"]
    answer = ask(f"GET /api/shows/{service.shows[1]}/seats/", *headers)
    assert (answer[0], json.loads(answer[2])["code"]) == (401, "bad_authorization_header")


def test_a_content_type_with_an_underscore_is_ignored(ask):
    headers = ["X-Forwarded-Proto: https", "Content_Type: text/plain", "Content-Type: application/json"]
    assert ask("POST /api/token/", *headers, body=b"{}")[0] == 400
