"""Where a request comes from, as far as somebody trustworthy says so."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The peer at a Unix socket, which has no address; also how TRUSTED_PROXIES names it.
UNIX = "unix"
# What one customer has of IPv6 is a network of addresses, so that is what counts.
IPV6_PREFIX = 64


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network | str]) -> str:
    """The address to count by: an IPv4 address, an IPv6 network, or "unix".

    Each of our proxies adds, at the right of X-Forwarded-For, whom it was asked by. So it is read from the right, for
    as long as whoever said it is trusted; rubbish is where the trust ends.
    """
    client: Address | str = UNIX if peer == "" else _parse(peer) or UNIX
    for hop in _from_the_right(forwarded_for):
        said = _parse(hop)
        if said is None or not _is_trusted(client, trusted):
            break
        client = said
    return _grouped(client)


def read_proxy(text: str) -> Network | str:
    """An entry of TRUSTED_PROXIES. Raises ValueError."""
    return UNIX if text == UNIX else ip_network(text, strict=False)


def _from_the_right(forwarded_for: str) -> Iterable[str]:
    while forwarded_for:
        forwarded_for, _, hop = forwarded_for.rpartition(",")
        yield hop


def _parse(text: str) -> Address | None:
    """The address in the text, with or without a port. None where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # The same machine, whichever way the server listens.
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(client: Address | str, trusted: Sequence[Network | str]) -> bool:
    if isinstance(client, str):
        return client in trusted
    return any(client in entry for entry in trusted if not isinstance(entry, str))


def _grouped(client: Address | str) -> str:
    if isinstance(client, IPv6Address):
        return str(ip_network((int(client), IPV6_PREFIX), strict=False))
    return str(client)
