"""Clients that external tools generate from the OpenAPI document compile strictly and work.

Each tool is pinned: those of npm in package-lock.json, the one for Python in requirements-dev.txt.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import filled_sqlite, served

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules"
COMPLETE = "The journey is complete.\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The service on its own database, with shows."""
    folder = tmp_path_factory.mktemp("service")
    with served(*filled_sqlite(folder), folder, LIMIT_BOOKING="60/minute", MAX_SEATS_PER_USER="10") as service:
        yield service


def run(folder, *command):
    """Runs a command in the folder, and returns its output."""
    env = os.environ | {"PATH": f"{TOOLS / '.bin'}:{os.environ['PATH']}", "REDOCLY_TELEMETRY": "off", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(service, tmp_path_factory):
    """A folder with the document, as it is and converted to OpenAPI 3, with the tools and with the journeys."""
    folder = tmp_path_factory.mktemp("clients")
    for path in HERE.iterdir():
        if path.suffix in (".ts", ".json", ".yaml"):
            shutil.copy(path, folder)
    (folder / "node_modules").symlink_to(TOOLS)
    status, _, document = service.ask("GET", "/swagger.json", Accept="text/html")
    assert status == 200
    (folder / "swagger.json").write_text(document)
    run(folder, "swagger2openapi", "swagger.json", "--outfile", "openapi.json")
    return folder


def journey(service, folder, username, *command):
    return run(folder, *command, f"http://127.0.0.1:{service.port}/api", username)


@pytest.fixture(scope="module")
def built(folder):
    """The journeys in TypeScript, compiled with the clients that they use; the clients are checked too."""
    run(folder, "swagger-typescript-api", "generate", "-p", "swagger.json", "-n", "api.ts", "--disable-throw-on-error")
    run(folder, "openapi-typescript", "openapi.json", "--output", "schema.ts")
    client = folder / "api.ts"
    client.write_text(client.read_text().replace("// @ts-nocheck", ""))
    (folder / "package.json").write_text('{"type": "module"}')
    run(folder, "tsc", "--project", "tsconfig.json")
    return folder / "built"


@pytest.mark.parametrize("name", ["journey_classes", "journey_paths"])
def test_a_typescript_client_completes_the_journey(service, built, name):
    assert journey(service, built, name, "node", f"{name}.js") == COMPLETE


def test_a_python_client_completes_the_journey(service, folder):
    # The tool knows no types of files but application/octet-stream.
    files = [f"  {each}: application/octet-stream\n" for each in ("application/pdf", "image/svg+xml", "text/calendar")]
    (folder / "config.yaml").write_text("".join(["post_hooks: []\n", "content_type_overrides:\n", *files]))
    generate = ["--path", "openapi.json", "--output-path", "tickets", "--meta", "none", "--config", "config.yaml"]
    output = run(folder, sys.executable, "-m", "openapi_python_client", "generate", *generate, "--fail-on-warning")
    assert "Generating tickets" in output
    shutil.copy(HERE / "journey.py", folder)
    run(folder, sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "journey.py", "tickets")
    assert journey(service, folder, "journey_python", sys.executable, "journey.py") == COMPLETE


@pytest.mark.parametrize("document", ["swagger.json", "openapi.json"])
def test_spectral_reports_nothing(folder, document):
    run(folder, "spectral", "lint", "--ruleset", "spectral.yaml", "--fail-severity", "hint", document)


@pytest.mark.parametrize("document", ["swagger.json", "openapi.json"])
def test_redocly_reports_nothing(folder, document):
    report = run(folder, "redocly", "lint", "--config", "redocly.yaml", "--format", "json", document)
    assert json.loads(report)["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


def test_the_journeys_need_no_casts():
    sources = {path.name: path.read_text() for path in HERE.glob("journey*")}
    assert len(sources) == 3
    loose = re.compile(r"\bas\b|\b[aA]ny\b|\bcast\b|!\.|!\)|!;|ignore")
    assert {name: found for name, source in sources.items() if (found := loose.findall(source))} == {}


def test_the_lock_file_contains_no_registry():
    assert "resolved" not in (HERE / "package-lock.json").read_text()
