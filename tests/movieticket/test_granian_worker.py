"""Requests of granian's RSGI interface."""

import logging
import multiprocessing
from concurrent.futures import Future
from io import BytesIO
from types import SimpleNamespace

import granian.server.mp
import pytest

from movieticket import granian_worker
from movieticket.granian_worker import MOST_WAITING_BYTES, UNREADABLE, Protocol, Requests, environment, install
from movieticket.request_body import FAULT, LATE
from tests.service import wait_until


class Answers:
    """Granian's object that reads the body of a request and answers it."""

    def __init__(self):
        self.body, self.answers, self.parts = Future(), [], []

    def __call__(self):
        return self.body

    def response_bytes(self, status, headers, body):
        self.answers.append((status, headers, body))

    def response_stream(self, status, headers):
        self.answers.append((status, headers, None))
        return SimpleNamespace(send_bytes=self.parts.append)


class Headers(list):
    """Like granian's, which has the names of all headers, and only the values that are ASCII."""

    def keys(self):
        return [name for name, _ in self]

    def items(self):
        return [(name, text) for name, text in self if text.isascii()]


def scope(*headers, method="POST", path="/api/token/", **others):
    usual = {
        "http_version": "1.1", "server": "127.0.0.1:8000", "client": "192.0.2.7:4711", "scheme": "http",
        "query_string": "a=b", "authority": None,
    }  # fmt: skip
    return SimpleNamespace(method=method, path=path, headers=Headers(headers), **usual | others)


def handle(protocol, environ):
    protocol.response_bytes(200, [], environ.get(FAULT, "").encode() or environ["wsgi.input"].read())


def begin(requests, length, *headers):
    protocol = Answers()
    requests.begin(SimpleNamespace(proto=protocol, scope=scope(("content-length", str(length)), *headers)))
    return protocol


@pytest.fixture(autouse=True)
def _waits_long(settings):
    settings.REQUEST_SECONDS = 600


def test_a_request_has_the_environment_of_wsgi():
    headers = [
        ("content-type", "text/plain"), ("content-type", "text/html"), ("content-length", "0"), ("x-a", "1"),
        ("cookie", "a=1"), ("cookie", "b=2"), ("x-a", "2"), ("x_a", "3"), ("x_b", "4"), ("content_length", "5"),
    ]  # fmt: skip
    environ = environment(scope(*headers, path="/é"))
    assert environ.pop("wsgi.input").read() == b""
    assert environ == {
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "POST", "PATH_INFO": "/Ã©", "QUERY_STRING": "a=b", "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "0", "HTTP_COOKIE": "a=1;b=2", "HTTP_X_A": "1,2",
        "HTTP_HOST": "",
    }  # fmt: skip


def test_a_header_that_can_not_be_read_is_not_left_out():
    headers = [("idempotency-key", "é"), ("x-a", "1"), ("x-a", "é"), ("x_b", "é"), ("content-type", "é")]
    environ = environment(scope(*headers))
    values = [environ.get(key) for key in ("HTTP_IDEMPOTENCY_KEY", "HTTP_X_A", "HTTP_X_B", "CONTENT_TYPE")]
    assert values == [UNREADABLE, "1", None, UNREADABLE]


@pytest.mark.parametrize(
    ("client", "address"), [("[::1]:4711", "::1"), ("", ""), ("/run/nginx.sock", "/run/nginx.sock")]
)
def test_the_address_of_a_client_has_no_port(client, address):
    assert environment(scope(client=client))["REMOTE_ADDR"] == address


def test_the_host_may_be_in_the_first_line():
    assert environment(scope(authority="tickets.example.com"))["HTTP_HOST"] == "tickets.example.com"


def test_a_request_waits_for_its_body():
    protocol = begin(Requests(handle), 4)
    assert protocol.answers == []
    protocol.body.set_result(b"body")
    assert protocol.answers == [(200, [], b"body")]


def test_an_interrupted_body_is_empty():
    protocol = begin(Requests(handle), 4)
    protocol.body.set_exception(ConnectionError())
    assert protocol.answers == [(200, [], b"")]


def test_a_late_body_is_cancelled_and_its_connection_closed(settings):
    settings.REQUEST_SECONDS = 0
    protocol = begin(Requests(handle), 4)
    wait_until(lambda: protocol.answers)
    assert protocol.answers == [(200, [("Connection", "close")], LATE.encode())]
    assert protocol.body.cancelled()


def test_a_body_is_cancelled_while_another_one_is_awaited(settings):
    requests = Requests(handle)
    late = begin(requests, 4)
    settings.REQUEST_SECONDS = 0.3
    wait_until(lambda: late.answers)
    settings.REQUEST_SECONDS = 600
    in_time = begin(requests, 4)
    in_time.body.set_result(b"body")
    assert in_time.answers == [(200, [], b"body")]


def test_the_oldest_of_too_many_bodies_are_cancelled(settings):
    settings.MAX_BODY_BYTES = MOST_WAITING_BYTES
    requests = Requests(handle)
    protocols = [begin(requests, length) for length in (MOST_WAITING_BYTES // 2, MOST_WAITING_BYTES // 2, 1)]
    assert [bool(protocol.answers) for protocol in protocols] == [True, False, False]


def test_a_body_that_arrives_before_its_turn_is_not_cancelled(settings):
    settings.MAX_BODY_BYTES = MOST_WAITING_BYTES
    protocols = []

    def handle_and_send(protocol, environ):
        handle(protocol, environ)
        if FAULT in environ:
            protocols[1].body.set_result(b"body")

    requests = Requests(handle_and_send)
    for length in (MOST_WAITING_BYTES // 2, MOST_WAITING_BYTES // 2, MOST_WAITING_BYTES):
        protocols.append(begin(requests, length))
    assert [protocol.answers[0][2] for protocol in protocols[:2]] == [LATE.encode(), b"body"]


@pytest.mark.parametrize("length", [0, 4])
def test_a_request_that_fails_outside_django_is_a_500(length, caplog):
    caplog.set_level(logging.ERROR)
    protocol = begin(Requests(lambda *_: 1 / 0), length)
    protocol.body.set_result(b"body")
    assert protocol.answers == [(500, [], b"")]
    assert caplog.messages == ["A request failed outside Django."]


def test_a_late_request_that_fails_outside_django_is_a_500(settings):
    settings.REQUEST_SECONDS = 0
    protocol = begin(Requests(lambda *_: 1 / 0), 4)
    wait_until(lambda: protocol.answers)
    assert protocol.answers == [(500, [("Connection", "close")], b"")]


class Response(list):
    """Of Django, or of another application."""

    def __init__(self, *parts, **attributes):
        super().__init__(parts)
        vars(self).update(attributes)

    def close(self):
        pass


def test_a_response_is_sent_whole_or_in_parts():
    whole, streamed = Answers(), Answers()
    Protocol(whole).response_iter(200, [], SimpleNamespace(inner=Response(b"body", streaming=False)))
    Protocol(streamed).response_iter(200, [], SimpleNamespace(inner=Response(b"bo", b"dy")))
    assert (whole.answers, whole.parts) == ([(200, [], b"body")], [])
    assert (streamed.answers, streamed.parts) == ([(200, [], None)], [b"bo", b"dy"])


def test_a_response_in_parts_is_closed():
    parts = BytesIO(b"body")
    Protocol(Answers()).response_iter(200, [], SimpleNamespace(inner=parts))
    assert parts.closed


# --- In granian's workers ---------------------------------------------------------------------


@pytest.fixture
def interface(monkeypatch):
    """The names of granian's module that are replaced; restored after the test."""
    names = ["WSGIWorker", "_new_cbscheduler"]
    for name in names:
        monkeypatch.setattr(granian.server.mp, name, getattr(granian.server.mp, name))
    return lambda: [getattr(granian.server.mp, name) for name in names]


@pytest.mark.parametrize("is_worker", [True, False])
def test_only_a_worker_of_granian_is_changed(interface, monkeypatch, is_worker):
    before = interface()
    monkeypatch.setattr(multiprocessing.current_process(), "name", "granian-worker" if is_worker else "MainProcess")
    install()
    assert [ours is not theirs for ours, theirs in zip(interface(), before, strict=True)] == [is_worker] * 2


def test_a_worker_serves_without_web_sockets_and_without_an_event_loop(monkeypatch):
    served, called = [], []
    worker = SimpleNamespace(serve_str=lambda *arguments: served.append(arguments))
    monkeypatch.setattr(granian_worker.internals, "RSGIWorker", lambda *arguments: called.append(arguments) or worker)
    granian_worker._Worker(*range(12)).serve_str("scheduler", "loop", "signal")
    assert called == [(*range(11), False, 11)]
    [(scheduler, loop, signal)] = served
    assert (scheduler, signal) == ("scheduler", "signal")
    loop.call_soon_threadsafe(called.append, "callback", context=None)
    assert called[-1] == "callback"


def test_granian_gets_a_scheduler_without_an_event_loop():
    scheduler = granian_worker._scheduler(None, handle, impl_asyncio=True)
    assert isinstance(scheduler, granian_worker.internals.CallbackScheduler)
