"""Faults of one node, of all nodes and of etcd, while customers book; see docs/cluster.md."""

import os
import signal
import time

import pytest

from deploy.cluster.network import Loopback
from tests.cluster.site import BASE_PORT, DATABASE_SECONDS, open_site, settle


@pytest.fixture(scope="module")
def site():
    with open_site(Loopback(), BASE_PORT) as site:
        yield site


def test_the_primarys_postmaster_killed(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        os.kill(site.cluster.wait_for_primary().postmaster, signal.SIGKILL)
        crowd.wait_for(60, 201, since=since + 1)
    settle(site, crowd, "`kill -9` of the primary's postmaster", since, results)
    assert crowd.pause(since) < 30


@pytest.mark.long
def test_the_primarys_node_dead(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        primary = site.cluster.wait_for_primary()
        primary.kill()
        site.cluster.wait_for_primary(other_than=primary)
        crowd.wait_for(60, 201, since=time.monotonic())
    settle(site, crowd, "the primary's node dead", since, results)
    assert crowd.pause(since) < 40


@pytest.mark.long
def test_the_primarys_node_frozen_and_awake_again(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        primary = site.cluster.wait_for_primary()
        primary.signal(signal.SIGSTOP)
        site.cluster.wait_for_primary(other_than=primary)
        crowd.wait_for(60, 201, since=time.monotonic())
        # It may still act as the primary.
        primary.signal(signal.SIGCONT)
        crowd.wait_for(60, 201, since=time.monotonic())
    settle(site, crowd, "the primary's node frozen (SIGSTOP), later awake again", since, results)
    assert crowd.pause(since) < 40


@pytest.mark.long
def test_both_replicas_dead_and_one_back(site, results):
    with site.load() as crowd:
        primary = site.cluster.wait_for_primary()
        replicas = [node for node in site.cluster.nodes if node is not primary]
        for node in replicas:
            node.kill_postgresql()
        since = time.monotonic()
        crowd.wait_for(12, 503, since=since)
        alone = crowd.begun(since)
        replicas[0].repair()
        crowd.wait_for(60, 201, since=time.monotonic())
    settle(site, crowd, "both replicas dead until 12 requests were refused, then one back", since, results)
    # Or 409: a seat that was sold before is still taken.
    assert 201 not in {attempt.outcome for attempt in alone}
    assert max(attempt.seconds for attempt in alone) < DATABASE_SECONDS + 2


def test_a_planned_switch_over(site, results):
    with site.load() as crowd:
        primary = site.cluster.wait_for_primary()
        since = time.monotonic()
        site.cluster.switch_over()
        site.cluster.wait_for_primary(other_than=primary)
        crowd.wait_for(60, 201, since=time.monotonic())
    settle(site, crowd, "planned switch-over", since, results)
    assert crowd.most_attempts <= 2
    # The workers of tasks go on with the new primary.
    assert [node.ended() for node in site.cluster.nodes] == [[], [], []]


@pytest.mark.long
def test_the_service_restarted_node_by_node(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        for node in site.cluster.nodes:
            node.stop("service")
            node.start("service")
            site.cluster.wait_for_service(node)
            crowd.wait_for(30, 201, since=time.monotonic())
    settle(site, crowd, "the service restarted node by node", since, results)
    assert crowd.most_attempts <= 2


def test_pgbouncer_restarted_node_by_node(site, results):
    with site.load() as crowd:
        since = time.monotonic()
        for node in site.cluster.nodes:
            node.stop("pgbouncer")
            node.start("pgbouncer")
            crowd.wait_for(30, 201, since=time.monotonic())
    settle(site, crowd, "PgBouncer restarted node by node", since, results)
    assert crowd.most_attempts <= 2


# The last test: for 20 seconds after etcd is back, Patroni lets no other node take over.
@pytest.mark.long
def test_etcds_quorum_lost(site, results):
    with site.load() as crowd:
        primary = site.cluster.wait_for_primary()
        since = time.monotonic()
        for node in (primary, next(node for node in site.cluster.nodes if node is not primary)):
            node.kill_program("etcd")
        # Longer than a primary's lock in etcd lasts.
        crowd.wait_for(1, 201, since=since + 30)
        assert site.cluster.primary() is primary
    settle(site, crowd, "two of three etcd dead for 30 s", since, results)
    assert crowd.pause(since) < 10
