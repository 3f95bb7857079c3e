"""uvicorn as the relay runs it: signals are somebody else's, and where it listens is told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import structlog
import uvicorn

from app.main import Relay

KEEP_ALIVE_S = 30

_log = structlog.get_logger()


class Listener(uvicorn.Server):
    """One HTTP server. Captures no signal."""

    def __init__(self, relay: Relay, *, host: str, port: int, graceful_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                relay,
                host=host,
                port=port,
                http="httptools",
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

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
