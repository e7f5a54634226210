"""What may happen to a node, to all of them or to etcd, while customers book; see docs/cluster.md."""

import os
import signal
import time

import pytest

from deploy.cluster.network import Loopback
from tests.cluster.site import BASE_PORT, open_site


@pytest.fixture(scope="module")
def site():
    with open_site(Loopback(), BASE_PORT) as site:
        yield site


def settle(site, crowd, fault, since, results):
    """What must hold after any fault: all acknowledged bookings are there, no seat was sold twice."""
    site.cluster.mend()
    lost, sold_twice = site.lost(crowd), site.sold_twice()
    results.add(fault, crowd, since, len(lost), sold_twice)
    assert (lost, sold_twice, site.audit()) == (set(), 0, "No breach")
    assert crowd.answers <= {201, 409, 503}


def test_the_primarys_postmaster_killed(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        os.kill(site.cluster.wait_for_primary().postmaster, signal.SIGKILL)
        crowd.wait_for(60, 201, since=since + 1)
    settle(site, crowd, "`kill -9` of the primary's postmaster", since, results)
    assert crowd.pause(since) < 30
