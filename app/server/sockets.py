"""Listening sockets: of several hosts and both families, and how a port is closed without losing who is on the way."""

import contextlib
import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from app.errors import CannotListen

_SO_BINDTOIFINDEX = 62
"""Linux' own number; Python has no name for it."""
_NO_INTERFACE = 0x7FFF_FF00


def bind(hosts: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address of ``hosts`` (names or addresses, separated by commas), not listening yet.

    A port of 0 is chosen by the system for the first of them and is the same for the others.

    Raises:
        CannotListen: an address cannot be bound; ``str()`` says why.
    """
    bound: list[socket.socket] = []
    try:
        for family, address in _addresses(hosts, port):
            chosen = bound[0].getsockname()[1] if bound and not port else port
            bound.append(_bound(family, (address[0], chosen, *address[2:])))
    except OSError as fault:
        for sock in bound:
            sock.close()
        raise CannotListen(fault.strerror or str(fault)) from None
    return bound


def _addresses(hosts: str, port: int) -> Iterable[tuple[socket.AddressFamily, Any]]:
    found: dict[tuple[socket.AddressFamily, Any], None] = {}
    for host in hosts.split(","):
        infos = socket.getaddrinfo(host.strip(), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        found.update({(family, address): None for family, _, _, _, address in infos})
    return list(found)


def _bound(family: socket.AddressFamily, address: tuple[str | int, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # an IPv4 socket of its own listens beside it
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.settimeout(0)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def refuse_new(sockets: Sequence[socket.socket]) -> bool:
    """Refuse who connects from now on; whose handshake has begun still gets through. Whether the system can do that.

    To close a listening socket resets connections that their owner has already sent a request on. Bound to an interface
    that does not exist, it is not found by a new handshake any more and goes on with those under way.
    """
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError):
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
        return True
    return False
