"""Who asks, and which addresses are known."""

from ipaddress import ip_network

import pytest

from app.server.clients import client_of
from app.server.senders import ADDRESSES_MAX, KNOWN_S, Senders

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7"))


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("198.51.100.9", "203.0.113.1", "198.51.100.9"),
        ("10.1.1.1", "203.0.113.1", "203.0.113.1"),
        ("10.1.1.1", "6.6.6.6, 203.0.113.1", "203.0.113.1"),
        ("10.1.1.1", "203.0.113.1, 192.0.2.7", "203.0.113.1"),
        ("::ffff:10.1.1.1", "203.0.113.1", "203.0.113.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.1.1.1", "[2001:DB8::1]:443", "2001:db8::1"),
        ("10.1.1.1", "203.0.113.1:5000", "203.0.113.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "203.0.113.1, nonsense", "10.1.1.1"),
        ("10.1.1.1", "\x1b]0;pwned\x07", "10.1.1.1"),
        ("10.1.1.1", "10.2.2.2", "10.2.2.2"),
        ("", "203.0.113.1", ""),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str, said: str, client: str) -> None:
    """The last address that is no proxy's; what stands before it may have been made up."""
    assert client_of(peer, [(b"host", b"r"), (b"x-forwarded-for", said.encode())], PROXIES) == client


def test_without_a_trusted_proxy_the_peer_is_who_asks() -> None:
    """Whatever it says."""
    assert client_of("10.1.1.1", [(b"x-forwarded-for", b"203.0.113.1")], ()) == "10.1.1.1"


def test_several_headers_are_one_list() -> None:
    """As HTTP has it."""
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"203.0.113.1")]
    assert client_of("10.1.1.1", headers, PROXIES) == "203.0.113.1"


def test_an_address_is_known_for_a_day() -> None:
    """From the last verified hook on; of too many the one heard of longest ago is forgotten."""
    senders = Senders()
    senders.proved("203.0.113.1", 0.0)
    assert senders.known("203.0.113.1", KNOWN_S - 1)
    assert not senders.known("203.0.113.1", KNOWN_S)
    assert not senders.known("203.0.113.2", 0.0)
    senders.proved("203.0.113.1", 5.0)
    for number in range(ADDRESSES_MAX):
        senders.proved(str(number), 6.0)
    assert not senders.known("203.0.113.1", 6.0)
    assert senders.known("0", 6.0)
