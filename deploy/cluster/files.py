"""Writes the configuration of each node from the templates in this package.

python -m deploy.cluster.files FOLDER ADDRESS ADDRESS ADDRESS

writes FOLDER/node1, node2 and node3, with the files for /etc/movieticket on the machine with that address and with new
random passwords.
"""

import secrets
import sys
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).with_name("templates")
SECRETS = ("superuser", "replication", "rewind", "tickets", "etcd", "key")
TICKET_KEY_BYTES = 32
POSTGRESQL_BIN = "/usr/lib/postgresql/15/bin"


def new_secrets() -> dict[str, str]:
    passwords = {name: secrets.token_hex(24) for name in SECRETS}
    return passwords | {"ticket": secrets.token_urlsafe(TICKET_KEY_BYTES)}


@dataclass(frozen=True)
class Ports:
    """The port of each program, the same on every node."""

    etcd: int = 2379
    etcd_peer: int = 2380
    patroni: int = 8008
    postgresql: int = 5432
    haproxy: int = 5000
    pgbouncer: int = 6432
    service: int = 8000

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Return seven consecutive ports."""
        return cls(*range(base, base + 7))


@dataclass(frozen=True)
class Plan:
    """The addresses of all nodes, and their common configuration."""

    addresses: list[str]
    # The network of the nodes' own connections, in the syntax of pg_hba.conf.
    network: str
    ports: Ports = field(default_factory=Ports)
    # Empty by default, so that the service does not start without an explicit setting.
    allowed_hosts: str = ""
    secrets: dict[str, str] = field(default_factory=new_secrets)

    def files(self, number: int, etc: Path, data: Path) -> dict[str, str]:
        """Return the node's files by name. They will be in the folder `etc`; the programs write to `data`."""
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
    """Writes the files, readable by the owner only, because they contain passwords."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.chmod(0o700 if name.endswith(".sh") else 0o600)
        path.write_text(text)


def main() -> None:
    """Writes the files for three machines, with the programs on their standard ports."""
    if len(sys.argv) != 5:
        sys.exit(str(__doc__))
    folder, *addresses = sys.argv[1:]
    plan = Plan([str(IPv4Address(address)) for address in addresses], network="samenet")
    for number in range(1, len(addresses) + 1):
        files = plan.files(number, Path("/etc/movieticket"), Path("/var/lib/movieticket"))
        write_files(files, Path(folder) / f"node{number}")
    print(f"Written to {folder}/node1, node2 and node3. The files contain passwords.")


if __name__ == "__main__":
    main()
