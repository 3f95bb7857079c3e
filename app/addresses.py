"""Addresses as settings write them. Pure."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

PORT_MAX: Final = 65_535


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks, separated by commas.

    Raises:
        ValueError: something is neither; in words.
    """
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError:
            raise ValueError(f"names {part[:40]!r}, which is no address and no network such as 10.0.0.0/8") from None
    return tuple(found)


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets.

    Raises:
        ValueError: it is something else; in words.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isdecimal() or int(port) > PORT_MAX or (":" in host and not bracketed):
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081")
    return host.removeprefix("[").removesuffix("]"), int(port)


def checked_networks(text: str) -> str:
    """``text``, if ``networks`` takes it."""
    networks(text)
    return text


def checked_address(text: str) -> str:
    """``text``, if it is empty or ``host_and_port`` takes it."""
    if text:
        host_and_port(text)
    return text
