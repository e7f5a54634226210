"""What connects the nodes on one machine: its loopback, or a network namespace for each, which can be cut off."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

COUNT = 3


class Loopback:
    """Every node at an address of its own on this machine's loopback."""

    addresses = [f"127.0.0.{number}" for number in range(1, COUNT + 1)]
    # Where clients reach the nodes.
    doors = addresses
    network = "127.0.0.0/8"

    def command(self, number: int, command: Sequence[str]) -> list[str]:
        """The command as it has to be run to be on the node."""
        return list(command)

    def set_up(self) -> None:
        """There is nothing to do: Linux has all of 127.0.0.0/8."""

    def tear_down(self) -> None:
        pass


class Namespaces:
    """Every node on a machine of its own, as far as its network can tell; only root may make these.

    The nodes talk to each other over a switch; clients come in by another way, a cable for each node. So a node can be
    cut off from its peers while clients still reach it.
    """

    def __init__(self, prefix: str, subnet: int) -> None:
        """`prefix` is short: the names of network interfaces are. `subnet` is free as 10.`subnet`.0.0/16."""
        self._prefix = prefix
        self.addresses = [f"10.{subnet}.0.{number}" for number in range(1, COUNT + 1)]
        self.doors = [f"10.{subnet}.{number}.2" for number in range(1, COUNT + 1)]
        self.network = f"10.{subnet}.0.0/16"

    def command(self, number: int, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self._name(number), *command]

    def set_up(self) -> None:
        """Raises CalledProcessError, or PermissionError for all but root."""
        if os.getuid() != 0:
            raise PermissionError("Only root can make network namespaces.")
        self.tear_down()
        switch = f"{self._prefix}sw"
        _ip(f"netns add {switch}")
        _ip(f"-n {switch} link add peers type bridge")
        _ip(f"-n {switch} link set peers up")
        for number, (address, door) in enumerate(zip(self.addresses, self.doors, strict=True), 1):
            self._add(number, address, door, switch)

    def _add(self, number: int, address: str, door: str, switch: str) -> None:
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
        # Whoever watches comes by the clients' way.
        _ip(f"route add {address} via {door}")

    def cut_off(self, number: int) -> None:
        """Pulls the node's cable out of the switch: nothing is refused, nothing arrives."""
        _ip(f"-n {self._prefix}sw link set {self._name(number)}p nomaster")

    def join(self, number: int) -> None:
        _ip(f"-n {self._prefix}sw link set {self._name(number)}p master peers")

    def tear_down(self) -> None:
        """Takes away all that set_up made, or a part of it."""
        for number in range(1, COUNT + 1):
            with suppress(subprocess.CalledProcessError):
                _ip(f"link delete {self._name(number)}c")
        for name in (*map(self._name, range(1, COUNT + 1)), f"{self._prefix}sw"):
            with suppress(subprocess.CalledProcessError):
                _ip(f"netns delete {name}")

    def _name(self, number: int) -> str:
        return f"{self._prefix}{number}"


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
