"""Fixtures for the service under load during a fault, and the results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.results import Results
from tests.faults.site import options as options_for
from tests.faults.site import postgres_site, sqlite_site, step
from tests.service import PROJECT


def pytest_addoption(parser):
    parser.addoption("--short", action="store_true", help="only some faults, and those for a shorter time")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--short"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(autouse=True, scope="session")
def _same_for_all_tests():
    """Replaces the fixture of tests/conftest.py: the service runs in other processes with its own settings."""


@pytest.fixture(scope="session")
def options(request):
    return options_for(is_short=request.config.getoption("--short"))


@pytest.fixture(scope="session", autouse=True)
def _static_files():
    """The staff's pages name their static files by digest, which only collected files have."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run([PROJECT / "deploy" / "build"], env={**os.environ, "PATH": path}, check=True)


@pytest.fixture(scope="session")
def results(options):
    results = Results(
        workers=options.environment["WORKERS"],
        threads=options.threads,
        seconds=options.database_seconds,
        fault_seconds=options.fault_seconds,
    )
    yield results
    for path in filter(None, os.environ.get("FAULT_RESULTS", "").split(":")):
        results.write(path)


@pytest.fixture
def site(tmp_path, options):
    step("PostgreSQL and the service start")
    with postgres_site(tmp_path, options) as site:
        yield site
    step("stopped")


@pytest.fixture
def site_behind_proxy(tmp_path, options):
    step("PostgreSQL, a proxy and the service start")
    with postgres_site(tmp_path, options, behind_proxy=True) as site:
        yield site
    step("stopped")


@pytest.fixture
def site_on_sqlite(tmp_path, options):
    step("the service starts on SQLite")
    with sqlite_site(tmp_path, options) as site:
        yield site
    step("stopped")
