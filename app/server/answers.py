"""How answers are written: a head together with the first of its body, and a close that is gentle."""

import asyncio
from typing import Protocol

JOINED_BYTES_MAX = 16_384
"""A larger body is not copied to stand behind its head."""
_CONTINUE = b"HTTP/1.1 100"


class Closable(Protocol):
    """A connection, as far as its answers need it."""

    transport: asyncio.Transport

    def close_gently(self) -> None:
        """Close it once the other end has had its answer."""
        ...


class AnswerTransport:
    """The transport as the answering side of uvicorn sees it.

    The head of an answer is written together with the first of its body: a write less is worth a tenth of a hook. To
    close it is to close it gently.
    """

    __slots__ = ("_connection", "_head", "is_closing")

    def __init__(self, connection: Closable) -> None:
        self._connection = connection
        self._head = b""
        self.is_closing = connection.transport.is_closing

    def write(self, data: bytes) -> None:
        """Keep a head, write anything else."""
        if self._head and len(data) <= JOINED_BYTES_MAX:
            self._connection.transport.write(self._head + data)
            self._head = b""
        elif self._head:
            self.flush()
            self._connection.transport.write(data)
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(_CONTINUE):
            self._head = data
        else:
            self._connection.transport.write(data)

    def flush(self) -> None:
        """An answer without a body has no more than its head."""
        if self._head:
            self._connection.transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """What is kept is written first."""
        self.flush()
        self._connection.close_gently()
