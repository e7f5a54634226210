"""A network namespace for each node, which can be cut off from the others."""

import os
import subprocess
from contextlib import suppress

from deploy.cluster.network import COUNT


class Namespaces:
    """Gives each node its own network namespace; only root can create them.

    The nodes are connected by a bridge, and clients reach each node over a separate link. So a node can be cut off from
    its peers while clients still reach it.
    """

    def __init__(self, prefix, subnet):
        """`prefix` must be short, like names of network interfaces. 10.`subnet`.0.0/16 must be unused."""
        self._prefix = prefix
        self.addresses = [f"10.{subnet}.0.{number}" for number in range(1, COUNT + 1)]
        self.doors = [f"10.{subnet}.{number}.2" for number in range(1, COUNT + 1)]
        self.network = f"10.{subnet}.0.0/16"

    def command(self, number, command):
        return ["ip", "netns", "exec", self._name(number), *command]

    def set_up(self):
        """Creates the namespaces. Raises CalledProcessError, or PermissionError if the user is not root."""
        if os.getuid() != 0:
            raise PermissionError("Only root can create network namespaces.")
        self.tear_down()
        switch = f"{self._prefix}sw"
        _ip(f"netns add {switch}")
        _ip(f"-n {switch} link add peers type bridge")
        _ip(f"-n {switch} link set peers up")
        for number, (address, door) in enumerate(zip(self.addresses, self.doors, strict=True), 1):
            self._add(number, address, door, switch)

    def _add(self, number, address, door, switch):
        name = self._name(number)
        _ip(f"netns add {name}")
        _ip(f"-n {name} link set lo up")
        _ip(f"link add {name}p netns {switch} type veth peer name peers netns {name}")
        _ip(f"-n {switch} link set {name}p master peers up")
        _ip(f"-n {name} address add {address}/24 dev peers")
        _ip(f"-n {name} link set peers up")
        _ip(f"link add {name}c type veth peer name clients netns {name}")
        _ip(f"address add {door.removesuffix('2')}1/30 dev {name}c")
        _ip(f"link set {name}c up")
        _ip(f"-n {name} address add {door}/30 dev clients")
        _ip(f"-n {name} link set clients up")
        # Requests from this machine to the node's peer address use the clients' link.
        _ip(f"route add {address} via {door}")

    def cut_off(self, number):
        """Disconnects the node from the bridge: packets are lost, and connections are not refused."""
        _ip(f"-n {self._prefix}sw link set {self._name(number)}p nomaster")

    def join(self, number):
        _ip(f"-n {self._prefix}sw link set {self._name(number)}p master peers")

    def tear_down(self):
        """Removes everything that `set_up` created, even after a failure."""
        for number in range(1, COUNT + 1):
            with suppress(subprocess.CalledProcessError):
                _ip(f"link delete {self._name(number)}c")
        for name in (*map(self._name, range(1, COUNT + 1)), f"{self._prefix}sw"):
            with suppress(subprocess.CalledProcessError):
                _ip(f"netns delete {name}")

    def _name(self, number):
        return f"{self._prefix}{number}"


def _ip(arguments):
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
