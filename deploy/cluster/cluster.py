"""Three nodes on one machine."""

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
from deploy.cluster.node import PATH, PROGRAMS, SERVICE, UNPRIVILEGED, Network, Node, wait_until

# A program's own HTTP answers, on the same machine.
ASK_SECONDS = 3.0
# Patroni answers a wish for a switch-over when that is done.
SWITCH_OVER_SECONDS = 60.0


@dataclass
class Cluster:
    """Its nodes, and what Patroni tells of them."""

    nodes: list[Node]
    plan: Plan
    network: Network

    def start(self) -> None:
        """Returns when PostgreSQL runs on all nodes, one of them the primary and one its synchronous replica."""
        for node in self.nodes:
            node.start("etcd")
        # Patroni would look for it again only after some seconds.
        for node in self.nodes:
            wait_until(lambda node=node: self._etcd_works(node), f"etcd on {node.address}")  # type: ignore[misc]
        for node in self.nodes:
            node.start(*list(PROGRAMS)[1:])
        self.wait_until_whole()

    def _etcd_works(self, node: Node) -> bool:
        return _get(node.address, self.plan.ports.etcd, "/health")[0] == 200

    def start_services(self) -> None:
        """Returns when all of them answer."""
        for node in self.nodes:
            node.start(SERVICE)
        for node in self.nodes:
            self.wait_for_service(node)

    def mend(self) -> None:
        """Returns when all is as it was after the start."""
        for node in self.nodes:
            node.mend()
        self.wait_until_whole()
        for node in self.nodes:
            self.wait_for_service(node)

    def wait_for_service(self, node: Node) -> None:
        wait_until(lambda: _get(node.door, node.port, "/api/movies/")[0] == 200, f"the service on {node.door}")

    def wait_until_whole(self) -> None:
        """Waits for a primary, a synchronous replica and another one, and for etcd to be there for all of them."""
        began = time.time()
        wait_until(lambda: self.is_whole() and self._see_etcd(began), "a primary, two replicas and etcd")

    def is_whole(self) -> bool:
        wanted = {"async", "sync"} if self.is_synchronous() else {"async"}
        primary = self.primary()
        followers = self.followers(primary) if primary else {}
        return len(followers) == 2 and set(followers.values()) == wanted

    def _see_etcd(self, since: float) -> bool:
        """Whether every node's own etcd works, and its Patroni has got an answer of any since then."""
        said = [json.loads(self.ask(node, "/patroni")[1] or "{}") for node in self.nodes]
        return all(map(self._etcd_works, self.nodes)) and all(node.get("dcs_last_seen", 0) > since for node in said)

    def followers(self, primary: Node) -> dict[str, str]:
        """Which nodes stream from this one, and whether its commits wait for them: `sync` or `async`."""
        said = json.loads(self.ask(primary, "/patroni")[1] or "{}").get("replication", [])
        return {row["application_name"]: row["sync_state"] for row in said if row["state"] == "streaming"}

    def is_synchronous(self) -> bool:
        status, body = self._ask_any("/config")
        return status == 200 and bool(json.loads(body).get("synchronous_mode"))

    def primary(self) -> Node | None:
        """The node that says so of itself."""
        said = [node for node in self.nodes if self._is_primary(node)]
        return said[0] if len(said) == 1 else None

    def wait_for_primary(self, *, other_than: Node | None = None, seconds: float = 120.0) -> Node:
        """The primary, once there is one among the other nodes, whatever this one takes itself for."""
        found: list[Node] = []

        def look() -> bool:
            found[:] = [node for node in self.nodes if node is not other_than and self._is_primary(node)]
            return len(found) == 1

        wait_until(look, "a primary", seconds)
        return found[0]

    def _is_primary(self, node: Node) -> bool:
        return self.ask(node, "/primary")[0] == 200

    def ask(self, node: Node, path: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
        """Status and answer of the node's Patroni; 0 where there is none."""
        seconds = SWITCH_OVER_SECONDS if method == "POST" else ASK_SECONDS
        return _get(node.address, self.plan.ports.patroni, path, method, body, seconds)

    def _ask_any(self, path: str) -> tuple[int, str]:
        answers = (self.ask(node, path) for node in self.nodes)
        return next((answer for answer in answers if answer[0] == 200), (0, ""))

    def switch_over(self) -> None:
        """Has another node take over from a healthy primary, as before work on its machine."""
        node = self.wait_for_primary()
        body = {"leader": f"node{node.number}"}
        status, answer = self.ask(node, "/switchover", "POST", body)
        if status != 200:
            raise RuntimeError(f"Patroni did not switch over: {status} {answer}")

    def configure(self, **changes: Any) -> None:
        """Changes what all nodes go by, as `patronictl edit-config` does."""
        status, answer = self.ask(self.wait_for_primary(), "/config", "PATCH", changes)
        if status != 200:
            raise RuntimeError(f"Patroni did not take this: {status} {answer}")

    def logs(self) -> str:
        """The ends of all logs, for whoever has to find out what went wrong."""
        paths = sorted(path for node in self.nodes for path in node.folder.glob("*.log"))
        return "\n".join(f"--- {path}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)

    def stop(self) -> None:
        """Whatever state the nodes are in."""
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
    """A cluster's nodes, configured but not started; gone with their data at the end.

    `service` is added to the service's environment.
    """
    network = network or Loopback()
    plan = Plan(network.addresses, network.network, Ports.from_base(base_port), allowed_hosts=",".join(network.doors))
    # Short: the path of PostgreSQL's socket is limited.
    folder = Path(tempfile.mkdtemp(prefix="mt-", dir="/tmp"))
    folder.chmod(0o755)
    nodes = [Node(number, folder / f"node{number}", network, plan.ports.service) for number in (1, 2, 3)]
    made = Cluster(nodes, plan, network)
    try:
        network.set_up()
        for node in nodes:
            _furnish(node, plan, service)
        yield made
    finally:
        made.stop()
        network.tear_down()
        shutil.rmtree(folder, ignore_errors=True)


def _furnish(node: Node, plan: Plan, service: dict[str, str]) -> None:
    files = plan.files(node.number, node.folder, node.folder)
    files["service.env"] += "".join(f"{name}={value}\n" for name, value in service.items())
    write_files(files, node.folder)
    if os.getuid() == 0:
        subprocess.run(
            ["chown", "-R", f"{UNPRIVILEGED}:{UNPRIVILEGED}", str(node.folder)], check=True, env={"PATH": PATH}
        )
