"""A cluster as `make cluster` starts it, under load, and what it went through."""

import os

import pytest

from deploy.cluster.node import missing
from tests.cluster.results import Results


def pytest_runtest_setup():
    """Without its programs there is no cluster, except where CI must have them. Said in one line for all."""
    if missing() and "CI" not in os.environ:
        pytest.skip(" ".join(missing()))


@pytest.fixture(autouse=True)
def _fast_and_unlimited():
    """Not here: the service runs elsewhere, with settings of its own."""


@pytest.fixture(scope="session")
def results():
    results = Results()
    yield results
    if path := os.environ.get("CLUSTER_RESULTS"):
        results.write(path)
