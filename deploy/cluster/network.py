"""The network of nodes on one machine: its loopback."""

from collections.abc import Sequence

COUNT = 3


class Loopback:
    """Gives each node its own address on this machine's loopback."""

    addresses = [f"127.0.0.{number}" for number in range(1, COUNT + 1)]
    # The addresses at which clients reach the nodes.
    doors = addresses
    network = "127.0.0.0/8"

    def command(self, number: int, command: Sequence[str]) -> list[str]:
        """Return the command line that runs the command on the node."""
        return list(command)

    def set_up(self) -> None:
        """Does nothing: on Linux all addresses of 127.0.0.0/8 exist."""

    def tear_down(self) -> None:
        pass
