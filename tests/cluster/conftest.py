"""A cluster as `make cluster` starts it, under load, and the results of its tests."""

import os

import pytest

from deploy.cluster.node import missing
from tests.cluster.results import Results


def pytest_addoption(parser):
    parser.addoption(
        "--short", action="store_true", help="only those tests of the cluster that take less than a minute"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--short"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


def pytest_runtest_setup():
    """Skips all tests with one message if programs are missing; with CI set, they are required."""
    if missing() and "CI" not in os.environ:
        pytest.skip(" ".join(missing()))


@pytest.fixture(autouse=True, scope="session")
def _same_for_all_tests():
    """Replaces the fixture of tests/conftest.py: the service runs in other processes with its own settings."""


@pytest.fixture(scope="session")
def results():
    results = Results()
    yield results
    if path := os.environ.get("CLUSTER_RESULTS"):
        results.write(path)
