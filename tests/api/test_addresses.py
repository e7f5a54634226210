"""The client's address, under which requests are counted."""

import pytest

from movieticket.addresses import client_address, read_proxy

PROXIES = [read_proxy(text) for text in ("10.0.0.0/8", "2001:db8:1::/48", "unix")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        # Not forwarded.
        ("192.0.2.1", "", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        # The header of a peer that is not trusted is ignored.
        ("192.0.2.1", "203.0.113.5", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.5, 10.0.0.2", "192.0.2.1"),
        # One proxy, after entries of the client.
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.9, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.9, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "rubbish, 203.0.113.5", "203.0.113.5"),
        # Several proxies.
        ("10.0.0.1", "203.0.113.5,10.0.0.3,10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.5, 2001:db8:1::7", "203.0.113.5"),
        # An invalid entry ends the search.
        ("10.0.0.1", "rubbish", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, ", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "256.1.1.1", "10.0.0.1"),
        ("10.0.0.1", "1.2.3", "10.0.0.1"),
        ("10.0.0.1", "\x00", "10.0.0.1"),
        ("10.0.0.1", "\udcff", "10.0.0.1"),
        ("10.0.0.1", "٤.٤.٤.٤", "10.0.0.1"),
        ("10.0.0.1", "[", "10.0.0.1"),
        ("10.0.0.1", "," * 10_000, "10.0.0.1"),
        ("10.0.0.1", "9" * 10_000, "10.0.0.1"),
        # With a port.
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8:2::1]:4711", "2001:db8:2::/64"),
        ("10.0.0.1", "[2001:db8:2::1]", "2001:db8:2::/64"),
        ("10.0.0.1:4711", "203.0.113.5", "203.0.113.5"),
        # IPv6 by the network of a customer.
        ("2001:db8:2:3:4:5:6:7", "", "2001:db8:2:3::/64"),
        ("2001:db8:2:3::", "", "2001:db8:2:3::/64"),
        ("2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        # IPv4 in IPv6 is the same machine.
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "::ffff:203.0.113.5", "203.0.113.5"),
        # The server listens on a Unix socket.
        ("", "203.0.113.5", "203.0.113.5"),
        ("", "", "unix"),
    ],
)
def test_the_client_s_address_comes_from_trusted_proxies(peer, forwarded_for, address):
    assert client_address(peer, forwarded_for, PROXIES) == address


@pytest.mark.parametrize(
    ("peer", "address"), [("10.0.0.1", "10.0.0.1"), ("::1", "::/64"), ("", "unix"), ("127.0.0.1", "127.0.0.1")]
)
def test_without_trusted_proxies_the_header_is_ignored(peer, address):
    assert client_address(peer, "203.0.113.5", []) == address
