"""The steps of the Dockerfile, run without a container engine.

Its files, packages and scripts are put into a folder of their own and run by a user who may not write there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.postgres_server import NOBODY, postgres_server
from tests.service import PATIENCE_SECONDS, PROJECT, free_port, wait_until

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
SETTINGS = {
    "SECRET_KEY": "only-for-tests-only-for-tests-only-for-tests",
    "TICKET_SIGNING_KEY": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtb24",
    "ALLOWED_HOSTS": "tickets.example.com",
}


class Image:
    """The image's files under a folder that stands for its root."""

    def __init__(self, folder):
        self.folder = folder
        self.app = folder / "app"
        # Nothing outside the image is used: only the Python of its virtual environment, and no settings.
        [line] = re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
        self.environment = dict(pair.split("=", 1) for pair in line.split())
        path = self.environment["PATH"].replace("/venv", f"{folder}/venv").replace("$PATH", os.defpath)
        # A copy of Python finds its library there.
        self.environment |= {"PATH": path, "LD_LIBRARY_PATH": str(folder / "python" / "lib")}

    def build(self):
        for pattern in (PROJECT / ".dockerignore").read_text().splitlines():
            if pattern.startswith("!"):
                copy(PROJECT / pattern[1:], self.app / pattern[1:])
        python = self.folder / "venv" / "bin" / "python"
        subprocess.run([base_python(self.folder), "-m", "venv", self.folder / "venv"], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            "requirements.txt",
        ]
        subprocess.run([python, *install], cwd=self.app, env=os.environ | self.environment, check=True)
        subprocess.run([self.app / "deploy" / "build"], cwd=self.app, env=self.environment, check=True)

    def popen(self, *command, **settings):
        env = self.environment | SETTINGS | settings
        return subprocess.Popen(command, cwd=self.app, env=env, stdout=-1, stderr=-1, text=True, **AS_NOBODY)

    def run(self, *command, **settings):
        """Run a command, and return its exit status and its output."""
        process = self.popen(*command, **settings)
        output = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, *output

    @contextmanager
    def serving(self, **settings):
        """Run the image's command, and yield the port of the service."""
        [command] = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
        port = free_port()
        process = self.popen(*json.loads(command), HOST="127.0.0.1", PORT=str(port), **settings)
        try:
            wait_until(lambda: process.poll() is not None or status(port, "/healthz") == 200)
            yield port
        finally:
            process.terminate()
            output = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, output


def base_python(folder):
    """Return a Python that every user may run: this one, or a copy if it is in a home directory."""
    python = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o5 == 0o5 for parent in python.parents):
        return python
    leave_out = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "__pycache__", "*.a")
    shutil.copytree(sys.base_prefix, folder / "python", symlinks=True, ignore=leave_out)
    return folder / "python" / "bin" / python.name


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def status(port, path, host="tickets.example.com"):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


@pytest.fixture(scope="module")
def image():
    with TemporaryDirectory(prefix="image-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        image = Image(Path(folder))
        image.build()
        yield image


def test_the_image_migrates_and_serves_as_a_user_without_write_permission(image):
    with postgres_server() as database:
        migration = image.run("python", "manage.py", "migrate", "-v0", DATABASE_URL=database.url)
        assert migration == (0, "", "")
        with image.serving(DATABASE_URL=database.url) as port:
            [probe] = re.findall(r'CMD \["python", "-c", "(.*)"\]', DOCKERFILE)
            assert image.run("python", "-c", probe.replace("8000", str(port))) == (0, "", "")
            paths = ["/readyz", "/api/movies/", "/swagger/", "/static/booking/swagger.js", "/admin/login/"]
            assert {path: status(port, path) for path in paths} == dict.fromkeys(paths, 200)


def test_the_image_reports_missing_settings(image):
    process = image.popen("deploy/start", SECRET_KEY="", PORT=str(free_port()), WORKERS="1")
    try:
        wait_until(lambda: "SECRET_KEY must be set" in process.stderr.readline())
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
