"""Runs a cluster of three nodes on one machine."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from deploy.cluster.files import Plan, Ports, write_files
from deploy.cluster.network import Loopback
from deploy.cluster.node import PATH, PROGRAMS, SERVICE, UNPRIVILEGED, WORKER, Network, Node, wait_until

# The timeout of HTTP requests to programs on the same machine.
ASK_SECONDS = 3.0
# Patroni responds to a switch-over request when the switch-over is done.
SWITCH_OVER_SECONDS = 60.0


@dataclass
class Cluster:
    """The nodes of a cluster, and their state according to Patroni."""

    nodes: list[Node]
    plan: Plan
    network: Network

    def start(self) -> None:
        """Starts PostgreSQL on all nodes; returns when there are a primary and its synchronous replica."""
        for node in self.nodes:
            node.start("etcd")
        # Patroni would retry a missing etcd only after some seconds.
        for node in self.nodes:
            wait_until(lambda node=node: self._etcd_works(node), f"etcd on {node.address}")  # type: ignore[misc]
        for node in self.nodes:
            node.start(*list(PROGRAMS)[1:])
        self.wait_until_whole()

    def _etcd_works(self, node: Node) -> bool:
        return _get(node.address, self.plan.ports.etcd, "/health")[0] == 200

    def start_services(self) -> None:
        """Starts the service on all nodes; returns when all of them respond."""
        for node in self.nodes:
            node.start(SERVICE, WORKER)
        for node in self.nodes:
            self.wait_for_service(node)

    def repair(self) -> None:
        """Restores the state after the start; returns when it is reached."""
        for node in self.nodes:
            node.repair()
        self.wait_until_whole()
        for node in self.nodes:
            self.wait_for_service(node)

    def wait_for_service(self, node: Node) -> None:
        wait_until(lambda: _get(node.door, node.port, "/api/movies/")[0] == 200, f"the service on {node.door}")

    def wait_until_whole(self) -> None:
        """Waits until there are a primary and two replicas, one of them synchronous, and all nodes reach etcd."""
        began = time.time()
        wait_until(lambda: self.is_whole() and self._reach_etcd(began), "a primary, two replicas and etcd")

    def is_whole(self) -> bool:
        wanted = {"async", "sync"} if self.is_synchronous() else {"async"}
        primary = self.primary()
        followers = self.followers(primary) if primary else {}
        return len(followers) == 2 and set(followers.values()) == wanted

    def _reach_etcd(self, since: float) -> bool:
        """Return whether etcd works on every node and every Patroni has reached etcd since `since`."""
        states = [json.loads(self.ask(node, "/patroni")[1] or "{}") for node in self.nodes]
        return all(map(self._etcd_works, self.nodes)) and all(node.get("dcs_last_seen", 0) > since for node in states)

    def followers(self, primary: Node) -> dict[str, str]:
        """Return the nodes that stream from this one, with `sync` if its commits wait for them, otherwise `async`."""
        rows = json.loads(self.ask(primary, "/patroni")[1] or "{}").get("replication", [])
        return {row["application_name"]: row["sync_state"] for row in rows if row["state"] == "streaming"}

    def is_synchronous(self) -> bool:
        status, body = self._ask_any("/config")
        return status == 200 and bool(json.loads(body).get("synchronous_mode"))

    def primary(self) -> Node | None:
        """Return the node that reports to be the primary, if exactly one does."""
        found = [node for node in self.nodes if self._is_primary(node)]
        return found[0] if len(found) == 1 else None

    def wait_for_primary(self, *, other_than: Node | None = None, seconds: float = 120.0) -> Node:
        """Wait for a primary and return it; the state that `other_than` reports is ignored."""
        found: list[Node] = []

        def has_primary() -> bool:
            found[:] = [node for node in self.nodes if node is not other_than and self._is_primary(node)]
            return len(found) == 1

        wait_until(has_primary, "a primary", seconds)
        return found[0]

    def _is_primary(self, node: Node) -> bool:
        return self.ask(node, "/primary")[0] == 200

    def ask(self, node: Node, path: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
        """Return the status and body of a response of the node's Patroni; the status is 0 without a response."""
        seconds = SWITCH_OVER_SECONDS if method == "POST" else ASK_SECONDS
        return _get(node.address, self.plan.ports.patroni, path, method, body, seconds)

    def _ask_any(self, path: str) -> tuple[int, str]:
        responses = (self.ask(node, path) for node in self.nodes)
        return next((response for response in responses if response[0] == 200), (0, ""))

    def switch_over(self) -> None:
        """Makes another node the primary while the current one is healthy, as before maintenance."""
        node = self.wait_for_primary()
        body = {"leader": f"node{node.number}"}
        status, text = self.ask(node, "/switchover", "POST", body)
        if status != 200:
            raise RuntimeError(f"Patroni did not switch over: {status} {text}")

    def configure(self, **changes: Any) -> None:
        """Changes the configuration of all nodes, as `patronictl edit-config` does."""
        status, text = self.ask(self.wait_for_primary(), "/config", "PATCH", changes)
        if status != 200:
            raise RuntimeError(f"Patroni refused the configuration: {status} {text}")

    def logs(self) -> str:
        """Return the ends of all logs, for debugging."""
        paths = sorted(path for node in self.nodes for path in node.folder.glob("*.log"))
        return "\n".join(f"--- {path}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)

    def stop(self) -> None:
        """Kills all nodes, whatever state they are in."""
        for node in self.nodes:
            node.kill()


def _get(
    host: str, port: int, path: str, method: str = "GET", body: Any = None, seconds: float = ASK_SECONDS
) -> tuple[int, str]:
    connection = HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()


@contextmanager
def cluster(network: Network | None = None, base_port: int = 9300, **service: str) -> Iterator[Cluster]:
    """Configures a cluster without starting it; at the end, removes the nodes with their data.

    `service` is added to the service's environment.
    """
    network = network or Loopback()
    plan = Plan(network.addresses, network.network, Ports.from_base(base_port), allowed_hosts=",".join(network.doors))
    # A short path, because the length of a Unix socket's path is limited.
    folder = Path(tempfile.mkdtemp(prefix="mt-", dir="/tmp"))
    folder.chmod(0o755)
    nodes = [Node(number, folder / f"node{number}", network, plan.ports.service) for number in (1, 2, 3)]
    created = Cluster(nodes, plan, network)
    try:
        network.set_up()
        for node in nodes:
            _write_configuration(node, plan, service)
        yield created
    finally:
        created.stop()
        network.tear_down()
        shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(node: Node, plan: Plan, service: dict[str, str]) -> None:
    files = plan.files(node.number, node.folder, node.folder)
    files["service.env"] += "".join(f"{name}={value}\n" for name, value in service.items())
    write_files(files, node.folder)
    if os.getuid() == 0:
        subprocess.run(
            ["chown", "-R", f"{UNPRIVILEGED}:{UNPRIVILEGED}", str(node.folder)], check=True, env={"PATH": PATH}
        )
