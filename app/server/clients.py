"""Who asks, where a proxy asks for others. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from app.asgi import Header

Network = IPv4Network | IPv6Network
_FORWARDED_FOR = b"x-forwarded-for"
CHARS_MAX = 64


@lru_cache(maxsize=4_096)
def is_trusted(address: str, proxies: tuple[Network, ...]) -> bool:
    """Whether ``address`` is that of a trusted proxy."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in proxies if network.version == mapped.version)


def client_of(peer: str, headers: Sequence[Header], proxies: tuple[Network, ...]) -> str:
    """Whom a request comes from: ``peer``, or the last address of ``X-Forwarded-For`` that is no trusted proxy's.

    Only what trusted proxies have written is believed: each of them puts its own peer at the end, and what stands
    before the first address that is nobody's trusted proxy may have been made up.
    """
    if not proxies or not is_trusted(peer, proxies):
        return peer
    said = b",".join(value for name, value in headers if name == _FORWARDED_FOR).decode("latin-1")
    client = peer
    for hop in reversed(said.split(",")):
        address = _bare(hop.strip())
        if not address:
            break
        client = address
        if not is_trusted(address, proxies):
            break
    return client


def _bare(hop: str) -> str:
    """An address without port and brackets; empty if it is none."""
    text = hop[:CHARS_MAX]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
