"""Ports that stay ours while nobody listens on them."""

import socket


def reserved_port() -> socket.socket:
    """A socket bound to a free port of 127.0.0.1.

    It never listens. Whoever else binds the port with SO_REUSEADDR may, and no outgoing connection is given its
    number, however often the listener is killed and started again. Keep it open for as long as that matters.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def number(reserved: socket.socket) -> int:
    """The port's number."""
    bound: int = reserved.getsockname()[1]
    return bound
