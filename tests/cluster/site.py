"""A cluster under load: its shows, its customers and the state of their bookings."""

import json
import os
from contextlib import contextmanager

import psycopg

from deploy.cluster.cluster import cluster as make_cluster
from tests.cluster.crowd import Crowd

# Other ports than those of `make cluster`, which may run at the same time.
BASE_PORT = int(os.environ.get("CLUSTER_PORT", "9400"))
DATABASE_SECONDS = 8
SERVICE = {
    "DATABASE_SECONDS": str(DATABASE_SECONDS),
    "ACCESS_TOKEN_MINUTES": "600",
    "LIMIT_BOOKING": "1000000/minute",
    "MAX_SEATS_PER_USER": "10000",
}
FILL = "import django; django.setup(); from tests.cluster.crowd import fill; fill()"


class Site:
    """A running cluster with shows and customers, whose bookings are recorded."""

    def __init__(self, cluster):
        self.cluster = cluster
        node = cluster.nodes[0]
        node.migrate()
        cluster.start_services()

    @contextmanager
    def load(self):
        """Customers who have booked for a while; at the end, the state of the cluster is restored."""
        # Restores the state that an earlier test may have changed.
        self.cluster.repair()
        made = self.cluster.nodes[0].python("-c", FILL, DJANGO_SETTINGS_MODULE="movieticket.settings")
        doors = [(node.door, node.port) for node in self.cluster.nodes]
        crowd = Crowd(doors, *json.loads(made))
        with crowd.booking():
            crowd.wait_for(60, 201)
            yield crowd

    def stored(self):
        """Return booking, show and seat of all active bookings on the primary."""
        plan = self.cluster.plan
        with psycopg.connect(
            host=self.cluster.wait_for_primary().address,
            port=plan.ports.postgresql,
            user="tickets",
            password=plan.secrets["tickets"],
            dbname="tickets",
        ) as connection:
            return connection.execute(
                "SELECT id, show_id, seat_number FROM booking_booking WHERE status = 'booked'"
            ).fetchall()

    def lost(self, crowd):
        """Return the acknowledged bookings that are not stored."""
        return crowd.acknowledged - set(self.stored())

    def sold_twice(self):
        seats = [(show, seat) for _, show, seat in self.stored()]
        return len(seats) - len(set(seats))

    def audit(self):
        return self.cluster.nodes[0].manage("audit")[:9]


@contextmanager
def open_site(network, base_port):
    """A cluster whose logs are reported if it fails to start."""
    with make_cluster(network, base_port, **SERVICE) as cluster:
        try:
            cluster.start()
            yield Site(cluster)
        except BaseException:
            print(cluster.logs())
            raise


def settle(site, crowd, fault, since, results):
    """Assert that all acknowledged bookings are stored and no seat was sold twice."""
    site.cluster.repair()
    lost, sold_twice = site.lost(crowd), site.sold_twice()
    results.add(fault, crowd, since, len(lost), sold_twice)
    assert (lost, sold_twice, site.audit()) == (set(), 0, "No breach")
    assert crowd.answers <= {201, 409, 503}, site.cluster.logs()
