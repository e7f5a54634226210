"""Slow and incomplete bodies, on sockets of the real server."""

import json
import os
import socket
import sqlite3
import time
from contextlib import ExitStack, closing
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from booking.middleware import RequestBounds
from movieticket.request_body import FAULT, LATE, WholeBody
from tests.service import PATIENCE_SECONDS, filled_sqlite, run, served, wait_until

pytestmark = pytest.mark.server

REQUEST_SECONDS = 2
# More than the threads of the workers.
SLOW_BODIES = 20
# Several times the usual duration, for a loaded machine.
SOON_SECONDS = 2
# A little less than MAX_BODY_BYTES.
LARGE_BODY = 900_000
TIMED_OUT = {"detail": "The body did not arrive in time.", "code": "request_timeout"}
INCOMPLETE = {"detail": "The body is shorter than Content-Length says.", "code": "incomplete_body"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return filled_sqlite(tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module")
def database(data):
    return data[0].removeprefix("sqlite:///")


@pytest.fixture(scope="module")
def service(data, tmp_path_factory):
    """One worker whose requests have to arrive soon."""
    folder = tmp_path_factory.mktemp("service")
    with served(*data, folder, WORKERS="1", REQUEST_SECONDS=str(REQUEST_SECONDS)) as service:
        yield service


@pytest.fixture(scope="module")
def service_that_waits_long(data, tmp_path_factory):
    """A service with one thread that cancels no slow body."""
    settings = {"WORKERS": "1", "THREADS": "1", "REQUEST_SECONDS": "600"}
    with served(*data, tmp_path_factory.mktemp("waits-long"), **settings) as service:
        yield service


class Client:
    """A connection on which a request is sent bit by bit."""

    def __init__(self, service):
        self.service = service
        self.socket = socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS)
        # Head and body are sent one after the other; the second is not to wait for the first one's receipt.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def begin(self, path, length, *headers):
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def begin_booking(self, length, customer=0, *headers):
        """Send the head of a booking of a seat in the customer's show."""
        path = f"/api/shows/{self.service.shows[customer]}/book/"
        token = f"Authorization: Bearer {self.service.tokens[customer]}"
        self.begin(path, length, token, "Content-Type: application/json", *headers)

    def answer(self):
        response = HTTPResponse(self.socket)
        response.begin()
        return response.status, response.headers, response.read()

    def refusal(self):
        """Return the status and the JSON body of the response."""
        status, _, body = self.answer()
        return status, json.loads(body)

    def page(self):
        """Return the status and the sentence of a response that is a page, or text without collected static files."""
        status, _, body = self.answer()
        found = [fault["detail"] for fault in (TIMED_OUT, INCOMPLETE) if fault["detail"].encode() in body]
        return status, *found

    def is_at_its_end(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def slow_bodies(stack, service, number=SLOW_BODIES):
    clients = [stack.enter_context(Client(service)) for _ in range(number)]
    for client in clients:
        client.begin_booking(1_000)
        client.send(b"{")
    return clients


def seats(database, show):
    """Return the seats of a show that were ever sold or blocked."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT seat_number FROM booking_booking WHERE show_id = ?", [show])
        return sorted(seat for (seat,) in rows)


def statuses(service, request_id):
    """Return the statuses in the log of requests with this id."""
    lines = [json.loads(line) for line in service.stdout.read_text().splitlines()]
    return [line["status"] for line in lines if line["request_id"] == request_id]


def seconds(function, *arguments):
    began = time.monotonic()
    function(*arguments)
    return time.monotonic() - began


# --- Slow bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [b"", b"{"])
def test_a_missing_body_is_cancelled_at_the_deadline(service, begin):
    with Client(service) as client:
        began = time.monotonic()
        client.begin_booking(1_000)
        client.send(begin)
        status, headers, body = client.answer()
        assert time.monotonic() - began >= REQUEST_SECONDS
        assert (status, json.loads(body), headers["Connection"]) == (408, TIMED_OUT, "close")
        assert client.is_at_its_end()


def test_a_body_that_arrives_byte_by_byte_is_cancelled_at_the_deadline(service):
    with Client(service) as client:
        client.begin_booking(1_000)
        client.socket.settimeout(0.1)
        while True:
            client.send(b" ")
            try:
                assert client.refusal() == (408, TIMED_OUT)
                break
            except TimeoutError:
                continue


def test_a_late_response_is_logged_once(service):
    with Client(service) as client:
        client.begin("/api/token/", 1_000, "X-Request-ID: late")
        assert client.answer()[1]["X-Request-ID"] == "late"
        assert client.is_at_its_end()
    service.ask("GET", "/healthz")
    assert statuses(service, "late") == [408]


def test_outside_the_api_a_late_body_is_refused_without_json(service):
    with Client(service) as client:
        client.begin("/admin/login/", 1_000, "Content-Type: application/x-www-form-urlencoded")
        assert client.page() == (408, TIMED_OUT["detail"])


def test_a_slow_body_that_arrives_in_time_is_accepted(service, database):
    body = b'{"seat_number": 50}'
    with Client(service) as client:
        client.begin_booking(len(body))
        with Client(service) as other:
            # Cut at its deadline, which is the next after half of that of the first.
            other.begin_booking(1_000)
            client.send(body[:1])
            client.socket.settimeout(REQUEST_SECONDS / 2)
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.socket.settimeout(PATIENCE_SECONDS)
            client.send(body[1:])
            assert client.answer()[0] == 201
    assert 50 in seats(database, service.shows[0])


def test_a_get_does_not_wait_for_a_body(service):
    assert service.ask("GET", "/healthz", Content_Length="1000")[0] == 200


def test_other_connections_stay_open_when_one_is_closed(service):
    """Idle and busy ones, whose client and head are those of the slow ones."""
    with ExitStack() as stack:
        steady = [stack.enter_context(Client(service)) for _ in range(4)]
        statuses = []
        slow = slow_bodies(stack, service, 2)
        for number in range(200):
            client = steady[number % len(steady)]
            client.begin_booking(2)
            client.send(b"{}")
            statuses.append(client.answer()[0])
        assert [client.refusal() for client in slow] == [(408, TIMED_OUT)] * 2
        for client in steady:
            client.begin_booking(2)
            client.send(b"{}")
            statuses.append(client.answer()[0])
    assert set(statuses) == {400}


def memory_of_workers(service):
    """Return the resident memory of the service's children in bytes."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    pages = [int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children]
    assert pages
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of other processes is read from /proc")
def test_a_body_needs_no_memory_after_its_response(service):
    def send(number):
        for _ in range(number):
            assert service.ask("POST", "/healthz", b" " * LARGE_BODY)[0] == 200

    send(20)
    before = memory_of_workers(service)
    send(60)
    assert memory_of_workers(service) - before < 60 * LARGE_BODY / 2


# --- Many slow bodies -------------------------------------------------------------------------


def test_the_service_answers_while_bodies_are_slow(service_that_waits_long):
    with ExitStack() as stack:
        slow_bodies(stack, service_that_waits_long)
        assert seconds(service_that_waits_long.ask, "GET", "/healthz") < SOON_SECONDS
        began = time.monotonic()
        assert [service_that_waits_long.book(1, seat).status for seat in range(1, 11)] == [201] * 10
        assert time.monotonic() - began < 10 * SOON_SECONDS


# --- Bodies that end too soon -----------------------------------------------------------------


@pytest.fixture(scope="module")
def staff_cookie(data):
    code = """
import django; django.setup()
from django.test import Client
from tests.factories import make_user
make_user(username="customer"); client = Client(); client.force_login(make_user(is_staff=True, is_superuser=True))
print(client.cookies["sessionid"].value)
"""
    done = run(data[0], "-c", code)
    assert done.returncode == 0, done.stderr
    return f"Cookie: sessionid={done.stdout.strip()}; csrftoken={'a' * 32}"


def form(*fields):
    """Return a multipart form, whose end comes last."""
    parts = [f"--X\r\nContent-Disposition: form-data; name={head}\r\n\r\n{text}\r\n" for head, text in fields]
    return "".join([*parts, "--X--\r\n"]).encode()


def test_truncated_json_books_nothing(service, database):
    with Client(service) as client:
        client.begin_booking(60, customer=2)
        client.send(b'{"seat_number": 20}')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.refusal() == (400, INCOMPLETE)
    assert 20 not in seats(database, service.shows[2])


def test_json_of_a_client_that_hangs_up_books_nothing(service, database):
    with Client(service) as client:
        client.begin_booking(60, 2, "X-Request-ID: hung-up")
        client.send(b'{"seat_number": 20}')
    wait_until(lambda: statuses(service, "hung-up"))
    assert statuses(service, "hung-up") == [400]
    assert 20 not in seats(database, service.shows[2])


def test_a_truncated_form_of_staff_sells_nothing(service, database, staff_cookie):
    show = service.shows[3]
    fields = f"csrfmiddlewaretoken={'a' * 32}&customer=customer&seats=1,22".encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    with Client(service) as client:
        client.begin(f"/admin/booking/show/{show}/hall/sell/", len(fields), kind, staff_cookie)
        client.send(fields[:-1])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.page() == (400, INCOMPLETE["detail"])
    assert seats(database, show) == []
    with Client(service) as client:
        client.begin(f"/admin/booking/show/{show}/hall/sell/", len(fields), kind, staff_cookie)
        client.send(fields)
        assert client.answer()[0] == 200
    assert seats(database, show) == [1, 22]


def uploads(database):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT COUNT(*) FROM booking_movieupload").fetchone()[0]


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_truncated_upload_is_not_stored(service, database, staff_cookie, rows):
    """More than Django takes for a body that is read whole, and less."""
    lines = [f"Film {rows} of {number},90,,,,{'x' * 60}" for number in range(rows)]
    text = "\n".join(["title,duration_minutes,certificate,release_date,genre,director", *lines])
    upload = form(
        ("csrfmiddlewaretoken", "a" * 32),
        ("file; filename=movies.csv\r\nContent-Type: text/csv", text),
    )
    before = uploads(database)
    kind = "Content-Type: multipart/form-data; boundary=X"
    with Client(service) as client:
        client.begin("/admin/booking/movie/import/", len(upload), kind, staff_cookie)
        client.send(upload[:-2])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()[0] == 400
    assert uploads(database) == before
    with Client(service) as client:
        client.begin("/admin/booking/movie/import/", len(upload), kind, staff_cookie)
        client.send(upload)
        client.answer()
    assert uploads(database) == before + 1


def test_a_probe_with_an_incomplete_body_is_refused(service):
    with Client(service) as client:
        client.begin("/healthz", 10)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.page() == (400, INCOMPLETE["detail"])


# --- The same within the test's process -------------------------------------------------------


def says_what_came(environ, start_response):
    """A WSGI application whose response is the fault of the body, or the body."""
    return [environ.get(FAULT, "").encode() or environ["wsgi.input"].read()]


@pytest.mark.parametrize(("length", "answer"), [(4, b"body"), (5, b"incomplete_body")])
def test_bodies_from_another_server_are_read_completely(length, answer):
    environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(length), "wsgi.input": BytesIO(b"body")}
    assert b"".join(WholeBody(says_what_came)(environ, lambda *_: None)) == answer


@pytest.mark.parametrize(("fault", "status"), [("incomplete_body", 400), (LATE, 408)])
def test_a_request_with_an_incomplete_body_reaches_no_view(fault, status):
    request = RequestFactory().post("/api/token/", **{FAULT: fault})
    answer = RequestBounds(lambda _: HttpResponse())(request)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, fault)
