"""The configuration of each node, from the templates beside this module.

python -m deploy.cluster.files FOLDER ADDRESS ADDRESS ADDRESS

writes FOLDER/node1, node2 and node3, each with the files that belong into /etc/movieticket on the machine with that
address, and passwords made up anew.
"""

import secrets
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).with_name("templates")
SECRETS = ("superuser", "replication", "rewind", "tickets", "etcd", "key")
POSTGRESQL_BIN = "/usr/lib/postgresql/15/bin"


@dataclass(frozen=True)
class Ports:
    """What each program listens on, the same on every node."""

    etcd: int = 2379
    etcd_peer: int = 2380
    patroni: int = 8008
    postgresql: int = 5432
    haproxy: int = 5000
    pgbouncer: int = 6432
    service: int = 8000

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Seven in a row."""
        return cls(*range(base, base + 7))


@dataclass(frozen=True)
class Plan:
    """The addresses of all nodes, and what they have in common."""

    addresses: list[str]
    # The one that the nodes' own connections come from, as in pg_hba.conf.
    network: str
    ports: Ports = field(default_factory=Ports)
    # None by default, so that the service does not start before somebody has named them.
    allowed_hosts: str = ""
    secrets: dict[str, str] = field(default_factory=lambda: {name: secrets.token_hex(24) for name in SECRETS})

    def files(self, number: int, etc: Path, data: Path) -> dict[str, str]:
        """The node's files by name; they will stand in `etc`, and what the programs write in `data`."""
        values = self._values(number) | {"etc": str(etc), "data": str(data)}
        return {path.name: Template(path.read_text()).substitute(values) for path in sorted(TEMPLATES.iterdir())}

    def _values(self, number: int) -> dict[str, str]:
        nodes = {f"node{n}": address for n, address in enumerate(self.addresses, 1)}
        ports = {name: str(port) for name, port in vars(self.ports).items()}
        check = f"check port {self.ports.patroni}"
        return {
            **ports,
            **{f"secret_{name}": secret for name, secret in self.secrets.items()},
            "name": f"node{number}",
            "address": self.addresses[number - 1],
            "network": self.network,
            "allowed_hosts": self.allowed_hosts,
            "postgresql_bin": POSTGRESQL_BIN,
            "etcd_members": ",".join(f"{name}=http://{at}:{self.ports.etcd_peer}" for name, at in nodes.items()),
            "etcd_hosts": ", ".join(f'"{at}:{self.ports.etcd}"' for at in self.addresses),
            "haproxy_servers": "\n".join(
                f"    server {name} {at}:{self.ports.postgresql} {check}" for name, at in nodes.items()
            ),
        }


def write_files(files: dict[str, str], folder: Path) -> None:
    """Writes them for their owner alone: there are passwords in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.chmod(0o700 if name.endswith(".sh") else 0o600)
        path.write_text(text)


def main() -> None:
    """Files for machines: the programs on the ports they are known for."""
    if len(sys.argv) != 5:
        sys.exit(str(__doc__))
    folder, *addresses = sys.argv[1:]
    plan = Plan([str(IPv4Address(address)) for address in addresses], network="samenet")
    for number in range(1, len(addresses) + 1):
        files = plan.files(number, Path("/etc/movieticket"), Path("/var/lib/movieticket"))
        write_files(files, Path(folder) / f"node{number}")
    print(f"Written to {folder}/node1, node2 and node3: passwords are in them.")


if __name__ == "__main__":
    main()
