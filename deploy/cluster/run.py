"""Runs a cluster of three nodes on this machine's loopback, with demo data, until Ctrl-C.

python -m deploy.cluster.run [--port BASE]    seven ports from BASE on, on 127.0.0.1, 127.0.0.2 and 127.0.0.3
"""

import argparse
import signal
import sys
import time
from typing import NoReturn

from deploy.cluster.cluster import Cluster, cluster
from deploy.cluster.node import missing

BASE_PORT = 9300


def fill(cluster: Cluster) -> None:
    """Creates tables, static files and demo data."""
    node = cluster.nodes[0]
    node.migrate()
    node.manage("collectstatic", "--no-input", "--verbosity", "0")
    # The demo accounts have passwords only with DEBUG on.
    print(node.manage("demo", DEBUG="true"))


def describe(cluster: Cluster) -> str:
    """Return the URLs and paths of everything."""
    ports = cluster.plan.ports
    lines = [f"  service     http://{node.door}:{ports.service}/api/movies/" for node in cluster.nodes]
    lines += [f"  Patroni     http://{node.address}:{ports.patroni}/cluster" for node in cluster.nodes]
    lines += [f"  logs        {node.folder}/*.log" for node in cluster.nodes]
    first = cluster.nodes[0]
    password = cluster.plan.secrets["tickets"]
    lines.append(f"  primary     postgres://tickets:{password}@{first.address}:{ports.haproxy}/tickets")
    lines.append(f"  patronictl  patronictl -c {first.folder}/patroni.yml list")
    return "\n".join(lines)


def watch(cluster: Cluster) -> NoReturn:
    """Prints each program that ends and each change of the primary."""
    printed: dict[str, object] = {}
    while True:
        for node in cluster.nodes:
            ended = node.ended()
            if ended != printed.get(f"{node.number}", []):
                printed[f"{node.number}"] = ended
                print(f"node{node.number}: ended: {', '.join(ended) or 'nothing'}")
        primary = cluster.primary()
        if primary and primary is not printed.get("primary"):
            printed["primary"] = primary
            print(f"node{primary.number} is the primary.", flush=True)
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Three nodes on this machine, until Ctrl-C.")
    parser.add_argument("--port", type=int, default=BASE_PORT, help="the first of seven ports (default: %(default)s)")
    arguments = parser.parse_args()
    if lines := missing():
        sys.exit("\n".join(lines))
    # On SIGTERM, as on Ctrl-C, stop the nodes first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with cluster(base_port=arguments.port) as nodes:
            print("Starting three nodes; this takes half a minute.", flush=True)
            nodes.start()
            fill(nodes)
            nodes.start_services()
            print(describe(nodes), flush=True)
            watch(nodes)
    except KeyboardInterrupt:
        print("\nAll nodes have ended.")


if __name__ == "__main__":
    main()
