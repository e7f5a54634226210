"""A real Redis of a test's own, on a Unix socket."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

PATIENCE_SECONDS = 30


@contextmanager
def redis_server() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its address and its process. Where none is installed the test is skipped, except in CI, which must have one."""
    program = shutil.which("redis-server")
    if program is None and "CI" not in os.environ:
        pytest.skip("No redis-server is installed; these tests need one.")
    assert program is not None, "No redis-server is installed."
    # Short, as the socket's path is limited.
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        path = f"{folder}/socket"
        command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_until_up(path)
            yield f"unix://{path}", process
        finally:
            process.kill()
            process.wait()


def _wait_until_up(path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with Redis(unix_socket_path=path) as redis:
        while not _answers(redis):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except NoConnection:
        return False
