"""A request's body: read whole, and within REQUEST_SECONDS, before Django handles the request.

A thread of the server that reads a body is blocked until the last byte has come, and granian has no time limit for
that. So each worker has one more thread, the watchdog, which cuts a read that takes too long:

1. It answers the request with 408, through granian's object for this one request.
2. It finds the request's connection. Granian doesn't say which one it is, so the answer tells: it is written in
   parts of random lengths, and the connection is the one to which exactly these numbers of bytes were written.
3. It shuts down the receiving half of that connection, which ends the read.

Another server than granian, such as runserver, waits for a body without a limit.
"""

import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread, get_ident
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.urls import get_script_prefix, reverse

logger = logging.getLogger(__name__)

# The key of a request's META under which stands what is wrong with its body. No header gets such a key.
FAULT = "movieticket.body_fault"
INCOMPLETE = "incomplete_body"
LATE = "request_timeout"

# What the form around a file may take.
FORM_BYTES = 10_000
# A read that takes longer is slow.
SLOW_SECONDS = 0.2
TICK_SECONDS = 0.1
# How long the server may take to write one part of an answer.
WRITE_SECONDS = 1.0
# The answer's end is so many parts of up to so many blanks: another connection gets the same with a probability of
# one in MOST_BLANKS ** PARTS.
PARTS = 3
MOST_BLANKS = 1_000
RANDOM = SystemRandom()
# Where Linux has them in its struct tcp_info (linux/tcp.h): __u32 tcpi_notsent_bytes, then __u64 tcpi_bytes_sent and
# __u64 tcpi_bytes_retrans.
TCPI_NOTSENT_BYTES = 144
TCPI_BYTES_SENT = 200
TCP_INFO_BYTES = 216

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def body_length(environ: Environ) -> int:
    """The announced length; Django reads as much as that, and takes a body without a length for empty."""
    try:
        return int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def most_bytes(path: str) -> int:
    """How long the body of a request to the path (without SCRIPT_NAME) may be."""
    if f"{get_script_prefix()}{path.removeprefix('/')}" == reverse("admin:booking_movie_import"):
        return settings.MAX_UPLOAD_BYTES + FORM_BYTES
    return settings.MAX_BODY_BYTES


class WholeBody:
    """A WSGI application that reads a request's body and passes the request on to another one."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._watchdog = Watchdog(application)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = body_length(environ)
        # Nothing reads the body of a GET, nor one that is refused for its length.
        if length <= 0 or environ["REQUEST_METHOD"] in ("GET", "HEAD") or _is_too_long(environ, length):
            return self._application(environ, start_response)
        if environ.get("SERVER_SOFTWARE") == "Granian":
            body = self._watchdog.read(environ, length)
        else:
            body = environ["wsgi.input"].read(length)
        if body is None:
            # It was answered by the watchdog.
            start_response("408 Request Timeout", [])
            return []
        if len(body) < length:
            environ[FAULT] = INCOMPLETE
        environ["wsgi.input"] = BytesIO(body)
        return self._application(environ, start_response)


def _is_too_long(environ: Environ, length: int) -> bool:
    return length > settings.MAX_BODY_BYTES and length > most_bytes(environ["PATH_INFO"])


@dataclass(eq=False, slots=True)
class Read:
    """The read of a body, in the thread of its request."""

    environ: Environ
    began: float
    is_over: bool = False


class Watchdog:
    """Cuts each read that takes longer than REQUEST_SECONDS, and the oldest slow ones while there are too many."""

    def __init__(self, application: Application) -> None:
        self._application = application
        # With the thread of each, in the order in which they began. Who removes a read from here answers its request.
        self._reads: dict[Read, int] = {}
        self._cut: list[Read] = []
        self._is_needed = Event()
        Thread(target=self._watch, name="request-bodies", daemon=True).start()

    def read(self, environ: Environ, length: int) -> bytes | None:
        """The body, as far as it came; None if the read was cut."""
        read = Read(environ, monotonic())
        self._reads[read] = get_ident()
        self._is_needed.set()
        try:
            body: bytes = environ["wsgi.input"].read(length)
        finally:
            is_cut = self._reads.pop(read, None) is None
            read.is_over = True
        return None if is_cut else body

    def _watch(self) -> None:
        while True:
            self._is_needed.wait()
            # A read that begins after this sets it again.
            self._is_needed.clear()
            sleep(TICK_SECONDS)
            while self._reads:
                for read, thread in self._overdue(monotonic()):
                    try:
                        self._end(read, thread)
                    except Exception:
                        logger.exception("A slow body could not be cut.")
                sleep(TICK_SECONDS)

    def _overdue(self, now: float) -> list[tuple[Read, int]]:
        # One that was cut keeps its thread until its connection is found.
        self._cut = [read for read in self._cut if not read.is_over]
        slow = [(read, thread) for read, thread in list(self._reads.items()) if now - read.began > SLOW_SECONDS]
        too_many = len(self._cut) + len(slow) - max(1, settings.THREADS - 2)
        latest = now - settings.REQUEST_SECONDS
        return [item for place, item in enumerate(slow) if place < too_many or item[0].began < latest]

    def _end(self, read: Read, thread: int) -> None:
        protocol = _protocol_of(thread)
        # A read that is still there has not ended yet, so the protocol is that of its request.
        if protocol is None or self._reads.pop(read, None) is None:
            return
        self._cut.append(read)
        status, headers, body = self._answer(read)
        parts = [body, *(b" " * RANDOM.randint(1, MOST_BLANKS) for _ in range(PARTS))]
        headers = [
            *headers,
            ("Content-Length", str(sum(map(len, parts)))),
            ("Connection", "close"),
            # Left out, the server would add these, and the length of the head would be unknown.
            ("Date", formatdate(usegmt=True)),
            ("Server", "granian"),
        ]
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers), ""]
        head_length = sum(len(line) + len("\r\n") for line in lines)
        protocol.response_iter(status, headers, _written_in_parts(read, head_length, parts, _bytes_written()))

    def _answer(self, read: Read) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the service answers to a request whose body is late."""
        started: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {**read.environ, FAULT: LATE, "wsgi.input": BytesIO()}
        response: Any = self._application(environ, lambda *status_and_headers: started.append(status_and_headers))
        body = b"".join(response)
        response.close()
        [(status, headers)] = started
        return int(status.split()[0]), headers, body


def _protocol_of(thread: int) -> Any:
    """What granian's thread answers its request with; None if it is at work on none."""
    frame = sys._current_frames().get(thread)
    while frame and frame.f_globals["__name__"] != "granian.wsgi":
        frame = frame.f_back
    return frame and frame.f_locals["proto"]


# --- Finding a connection ---------------------------------------------------------------------


def _written_in_parts(read: Read, head_length: int, parts: list[bytes], before: dict[int, int]) -> Iterator[bytes]:
    """The parts of an answer, each once the one before was written; at the end, the read is over."""
    connections = before
    length = head_length
    for part in parts:
        yield part
        length += len(part)
        connections = _those_written_to(connections, length, read)
    if len(connections) == 1:
        _shut_down(*connections)


def _those_written_to(connections: dict[int, int], length: int, read: Read) -> dict[int, int]:
    """The connections to which so many bytes more were written; none if that takes too long or the read is over."""
    latest = monotonic() + WRITE_SECONDS
    while connections and monotonic() < latest and not read.is_over:
        written = _bytes_written()
        found = {inode: before for inode, before in connections.items() if written.get(inode) == before + length}
        if found:
            return found
        sleep(0.001)
    return {}


def _bytes_written() -> dict[int, int]:
    """How many bytes were ever written to each TCP connection of this process, by the connection's inode."""
    written = {}
    for inode, connection in _sockets():
        # Not everything that is a socket is TCP.
        with suppress(OSError):
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            [waiting] = struct.unpack_from("=I", info, TCPI_NOTSENT_BYTES)
            sent, sent_again = struct.unpack_from("=QQ", info, TCPI_BYTES_SENT)
            written[inode] = sent - sent_again + waiting
    return written


def _shut_down(inode: int) -> None:
    for other, connection in _sockets():
        if other == inode:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """Each socket of this process with its inode. A copy of the descriptor stays the socket's, whatever is closed."""
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            copy = os.dup(int(path.name))
            status = os.fstat(copy)
            if not stat.S_ISSOCK(status.st_mode):
                os.close(copy)
                continue
            with socket.socket(fileno=copy) as connection:
                yield status.st_ino, connection
