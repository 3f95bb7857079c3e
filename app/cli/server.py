"""uvicorn as the relay runs it: signals are somebody else's, and where it listens is told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.main import Relay

KEEP_ALIVE_S = 30
"""A connection on which nothing has been asked for so long is closed; so is one that has not asked in full."""
_TICKS = 10
"""uvicorn ticks ten times a second."""

_log = structlog.get_logger()


class _Connection(HttpToolsProtocol):
    """Knows since when the head of a request is awaited: uvicorn waits for it for ever."""

    head_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own type
        """Somebody connected."""
        super().connection_made(transport)
        self.head_since = self.loop.time()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Its head is here; the body has a deadline of its own."""
        self.head_since = None
        super().on_headers_complete()


class Listener(uvicorn.Server):
    """One HTTP server. Captures no signal. ``head_s``: how long the head of a request may take."""

    def __init__(self, relay: Relay, *, host: str, port: int, graceful_s: float, head_s: float = KEEP_ALIVE_S) -> None:
        super().__init__(
            uvicorn.Config(
                relay,
                host=host,
                port=port,
                http=_Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(graceful_s) + 1,
            )
        )
        self._head_s = head_s
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The port it listens on; cancelled if it never did."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, and say where: a port of 0 is known only now."""
        await super().startup(sockets)
        bound = [each.getsockname() for server in getattr(self, "servers", ()) for each in server.sockets]
        for host, port, *_ in bound:
            _log.info("relay.listening", host=host, port=port)
        if bound:
            self.port.set_result(bound[0][1])
        else:
            self.port.cancel()

    async def on_tick(self, counter: int) -> bool:
        """Close what keeps a file descriptor and asks nothing."""
        if counter % _TICKS == 0:
            late = asyncio.get_running_loop().time() - self._head_s
            for each in list(self.server_state.connections):
                if isinstance(each, _Connection) and each.head_since is not None and each.head_since < late:
                    each.transport.close()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
