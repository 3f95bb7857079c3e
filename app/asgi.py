"""What the rooms that answer HTTP share: ASGI's types, one JSON answer, and what the server knows of a request.

ASGI tells an application nothing of who asks beyond an address, and nothing of why a body stopped. The relay's server
(``app.server``) does, through ``exchange_of(scope)``; under any other server that is an ``Exchange`` that knows little.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal, Protocol

from typing_extensions import override

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

EXTENSION = "relay"
"""The key of the ``Exchange`` in a scope's ``extensions``."""
JSON: Header = (b"content-type", b"application/json")
CLOSE: Header = (b"connection", b"close")

Cut = Literal["", "first_byte", "deadline", "bytes", "place", "malformed", "trailers"]
"""Why the server stopped reading a body: its first byte or its end did not come in time; its bytes or its connection
had to make room for others; it was no HTTP; too much came around it. Empty: it did not stop.
"""


class Exchange(Protocol):
    """One request and its answer, as the server sees them."""

    @property
    def peer(self) -> str:
        """The address at the other end of the connection; empty if unknown."""
        ...

    @property
    def client(self) -> str:
        """Who asks: ``peer``, or whom a trusted proxy says that it asks for."""
        ...

    @property
    def proven(self) -> bool:
        """Whether this very connection has delivered a verified hook before."""
        ...

    @property
    def cut(self) -> Cut:
        """Why the server stopped reading; ``receive`` gives ``http.disconnect``, and yet an answer can be sent."""
        ...

    @property
    def gone(self) -> bool:
        """Whether the sender has closed the connection. Asked after ``send``: the answer did not reach it."""
        ...

    def proved(self, tenant: str) -> None:
        """This request was a verified hook of ``tenant``."""
        ...


class PlainExchange(Exchange):
    """What any ASGI server tells."""

    proven = False
    cut: Cut = ""
    gone = False

    def __init__(self, scope: Scope) -> None:
        self._peer = str((scope.get("client") or ("",))[0])

    @property
    @override
    def peer(self) -> str:
        return self._peer

    @property
    @override
    def client(self) -> str:
        return self._peer

    @override
    def proved(self, tenant: str) -> None:
        return


def exchange_of(scope: Scope) -> Exchange:
    """What the server knows of this request."""
    extensions = scope.get("extensions")
    found: Exchange | None = extensions.get(EXTENSION) if extensions else None
    return found or PlainExchange(scope)


async def answer(send: Send, status: int, body: bytes, *headers: Header) -> None:
    """Send a whole answer of JSON."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [JSON, *headers, length]})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, code: str, *headers: Header) -> None:
    """Send a refusal: its code word, and the connection is closed."""
    await answer(send, status, b'{"error":"%b"}' % code.encode(), CLOSE, *headers)
