"""The client's address of a request, read from X-Forwarded-For where the proxies are trusted."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The peer of a Unix socket has no address; TRUSTED_PROXIES uses the same word.
UNIX = "unix"
# A customer usually gets an IPv6 network, not a single address, so limits count the network.
IPV6_PREFIX = 64


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network | str]) -> str:
    """Return the key for rate limits: an IPv4 address, an IPv6 network, or "unix".

    Each proxy appends the address of its peer to X-Forwarded-For. The header is read from the right, until an entry
    is invalid or comes from an address that is not trusted.
    """
    client: Address | str = UNIX if peer == "" else _parse(peer) or UNIX
    for hop in _from_the_right(forwarded_for):
        address = _parse(hop)
        if address is None or not _is_trusted(client, trusted):
            break
        client = address
    return _grouped(client)


def read_proxy(text: str) -> Network | str:
    """Parse an entry of TRUSTED_PROXIES. Raises ValueError."""
    return UNIX if text == UNIX else ip_network(text, strict=False)


def _from_the_right(forwarded_for: str) -> Iterable[str]:
    while forwarded_for:
        forwarded_for, _, hop = forwarded_for.rpartition(",")
        yield hop


def _parse(text: str) -> Address | None:
    """Return the address in the text, which may include a port, or None if the text is not an address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # An IPv4 client has the same address on an IPv6 socket.
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(client: Address | str, trusted: Sequence[Network | str]) -> bool:
    if isinstance(client, str):
        return client in trusted
    return any(client in entry for entry in trusted if not isinstance(entry, str))


def _grouped(client: Address | str) -> str:
    if isinstance(client, IPv6Address):
        return str(ip_network((int(client), IPV6_PREFIX), strict=False))
    return str(client)
