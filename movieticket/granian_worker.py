"""Lets granian's workers serve a WSGI application with the names of headers as they were sent.

WSGI has one key for `X-Forwarded-For` and `X_Forwarded_For`, and granian's WSGI interface stores whichever comes last:
a client could replace what a trusted proxy has set. Only granian's RSGI interface gives the names as sent. `install`
makes a worker use that one: granian's threads pass each request to `Requests`, which drops headers with an underscore
in their name, and granian's own WSGI code runs the application. RSGI is made for an event loop, which requests
to a WSGI application don't need.

RSGI leaves out values of headers that are not ASCII. A header of which no value is left gets the value UNREADABLE,
because a request must not be carried out as if its `Idempotency-Key`, for example, had not been sent.

In RSGI the body of a request is a future. No thread waits for it. One that does not arrive within REQUEST_SECONDS is
cancelled, and the request is answered with 408.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from multiprocessing import current_process
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from granian import _granian

from movieticket.request_body import FAULT, LATE, Environ, body_length, is_read

# Its type hints are incomplete.
internals: Any = _granian
logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
# The announced lengths of all bodies that a worker waits for. Beyond that, the oldest ones are cut.
MOST_WAITING_BYTES = 64 * 1024 * 1024
# Also not ASCII, so it is no valid key, token or address.
UNREADABLE = "\xff"
Headers = list[tuple[str, str]]
Handle = Callable[["Protocol", Environ], Any]


def install() -> None:
    """Change granian's WSGI interface in this process, if it is a worker of granian. Called before it serves."""
    if current_process().name == "granian-worker":
        server = sys.modules["granian.server.mp"]
        # A version of granian with other names must not serve without this module.
        for name, ours in {"WSGIWorker": _Worker, "_new_cbscheduler": _scheduler}.items():
            getattr(server, name)
            setattr(server, name, ours)


def _scheduler(_: Any, handle: Handle, **__: Any) -> Any:
    scheduler = internals.CallbackScheduler(_Loop(), handle, None, None, None)
    scheduler._schedule_fn = Requests(handle).begin
    return scheduler


class _Worker:
    """Granian's RSGIWorker with the arguments and methods of its WSGIWorker."""

    def __init__(self, *arguments: Any) -> None:
        # The argument that WSGIWorker lacks says whether there are web sockets.
        self._worker = internals.RSGIWorker(*arguments[:11], False, *arguments[11:])

    def __getattr__(self, name: str) -> Any:
        serve = getattr(self._worker, name)
        return lambda scheduler, _, signal: serve(scheduler, _Loop(), signal)


class _Loop:
    """The methods of an event loop that granian calls when a future is done; they run the callback immediately."""

    def call_soon(self, callback: Callable[..., Any], *arguments: Any, **_: Any) -> None:
        callback(*arguments)

    call_soon_threadsafe = call_soon


class Protocol:
    """The RSGI object that answers a request, with the methods that granian's WSGI code calls."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.closes = False

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self._protocol.response_bytes(status, [*headers, ("Connection", "close")] if self.closes else headers, body)

    def response_iter(self, status: int, headers: Headers, body: Any) -> None:
        response = body.inner
        try:
            if getattr(response, "streaming", True):
                transport = self._protocol.response_stream(status, headers)
                for chunk in response:
                    transport.send_bytes(chunk)
            else:
                self.response_bytes(status, headers, b"".join(response))
        finally:
            response.close()


@dataclass(eq=False, slots=True)
class Read:
    """A body that is awaited."""

    protocol: Protocol
    environ: Environ
    length: int
    began: float


class Requests:
    """Builds the environment of each request, waits for its body and passes it on."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        # In the order in which they began, with their bodies. The thread that removes a read from here answers its
        # request. A read must not refer to its body, which refers to it and which no garbage collector looks into.
        self._reads: dict[Read, Any] = {}
        self._is_needed = Event()
        Thread(target=self._watch, name="request-bodies", daemon=True).start()

    def begin(self, watcher: Any) -> None:
        """Handle a request. It must not raise, because granian ignores exceptions."""
        protocol = Protocol(watcher.proto)
        try:
            environ = environment(watcher.scope)
            if is_read(environ):
                self._await_body(protocol, environ, watcher.proto())
            else:
                self._handle(protocol, environ)
        except Exception:  # noqa: BLE001 - logged and answered there
            self._failed(protocol)

    def _await_body(self, protocol: Protocol, environ: Environ, body: Any) -> None:
        read = Read(protocol, environ, body_length(environ), monotonic())
        self._reads[read] = body
        waiting = [*self._reads]
        excess = sum(read.length for read in waiting) - MOST_WAITING_BYTES
        for oldest in waiting:
            if excess > 0:
                self._cut(oldest)
            excess -= oldest.length
        self._is_needed.set()
        body.add_done_callback(partial(self._arrived, read))

    def _arrived(self, read: Read, body: Any) -> None:
        if self._take(read) is None:
            return
        try:
            read.environ["wsgi.input"] = BytesIO(_content(body))
            self._handle(read.protocol, read.environ)
        except Exception:  # noqa: BLE001 - logged and answered there
            self._failed(read.protocol)

    def _take(self, read: Read) -> Any:
        """Return the body if the caller is to answer this request; otherwise None."""
        return self._reads.pop(read, None)

    def _watch(self) -> None:
        while True:
            self._is_needed.wait()
            # A read that begins after this sets it again.
            self._is_needed.clear()
            while self._reads:
                sleep(TICK_SECONDS)
                latest = monotonic() - settings.REQUEST_SECONDS
                for read in [*self._reads]:
                    if read.began < latest:
                        self._cut(read)

    def _cut(self, read: Read) -> None:
        body = self._take(read)
        if body is None:
            return
        # The rest of the body is not read, so the connection can't be used again.
        body.cancel()
        read.protocol.closes = True
        try:
            self._handle(read.protocol, read.environ | {FAULT: LATE})
        except Exception:  # noqa: BLE001 - logged and answered there
            self._failed(read.protocol)

    def _failed(self, protocol: Protocol) -> None:
        logger.exception("A request failed outside Django.")
        protocol.response_bytes(500, [], b"")


def _content(body: Any) -> bytes:
    """Return what has arrived; nothing if the client has ended the connection."""
    try:
        content: bytes = body.result()
    except Exception:  # noqa: BLE001 - granian does not say which
        return b""
    return content


def environment(scope: Any) -> Environ:
    """Return the WSGI environment of a request with an empty body. Headers with an underscore are left out."""
    server, client = _address(scope.server), _address(scope.client)
    environ: Environ = {
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "REMOTE_ADDR": client[0],
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": _latin(scope.path),
        "QUERY_STRING": _latin(scope.query_string),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(),
    }
    _add_headers(environ, scope.headers)
    environ.setdefault("HTTP_HOST", scope.authority or "")
    return environ


def _add_headers(environ: Environ, headers: Any) -> None:
    for name, text in headers.items():
        if "_" in name:
            continue
        key = _key_of(name)
        if key not in environ:
            environ[key] = text
        elif key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[key] += f"{';' if key == 'HTTP_COOKIE' else ','}{text}"
    for name in headers.keys():  # noqa: SIM118 - it is no mapping
        if "_" not in name:
            environ.setdefault(_key_of(name), UNREADABLE)


def _key_of(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _address(text: str) -> tuple[str, str]:
    """Split `127.0.0.1:8000` or `[::1]:8000`. A Unix socket has its path, or nothing, and no port."""
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), port) if port.isdecimal() else (text, "0")


def _latin(text: str) -> str:
    """Decode UTF-8 to the form that WSGI requires: one character per byte."""
    return text if text.isascii() else text.encode().decode("latin-1")
