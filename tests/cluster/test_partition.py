"""The primary is cut off from its peers while clients still reach it; network namespaces require root."""

import os
import time

import pytest

from tests.cluster.namespaces import Namespaces
from tests.cluster.site import BASE_PORT, open_site, settle

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.getuid() != 0, reason="Only root can create network namespaces."),
]


@pytest.fixture(scope="module")
def site():
    number = os.getpid() % 150
    with open_site(Namespaces(f"mt{number}n", 64 + number), BASE_PORT + 10) as site:
        yield site


def cut_off_the_primary(site):
    """Customers, and the time at which the primary was cut off; it returns after another node has taken over."""
    with site.load() as crowd:
        primary = site.cluster.wait_for_primary()
        since = time.monotonic()
        site.cluster.network.cut_off(primary.number)
        site.cluster.wait_for_primary(other_than=primary)
        crowd.wait_for(60, 201, since=time.monotonic())
        site.cluster.network.join(primary.number)
        crowd.wait_for(30, 201, since=time.monotonic())
    return crowd, since


def test_the_primary_cut_off_from_its_peers(site, results):
    crowd, since = cut_off_the_primary(site)
    settle(site, crowd, "the primary cut off from its peers, not from clients", since, results)
    assert crowd.pause(since) < 40


def test_without_synchronous_replication_bookings_are_lost(site, results):
    """The control: without the wait for a second machine, bookings are lost."""
    site.cluster.configure(synchronous_mode=False)
    site.cluster.wait_until_whole()
    crowd, since = cut_off_the_primary(site)
    site.cluster.repair()
    lost = site.lost(crowd)
    results.add("the same with asynchronous replication, as a control", crowd, since, len(lost), site.sold_twice())
    assert lost != set()
