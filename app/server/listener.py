"""uvicorn as the relay runs it: its connections are bounded, its signals are somebody else's, its end loses nothing."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from socket import socket
from typing import Any, cast

import structlog
import uvicorn
from typing_extensions import override

from app.asgi import Application
from app.errors import CannotListen, IngestRefusal
from app.server.admission import Admission
from app.server.connection import Connection
from app.server.limits import ServerLimits
from app.server.sockets import bind, refuse_new

HANDSHAKE_S = 0.25
"""A handshake that has begun is given so long when the port closes."""
ACCEPTS_A_ROUND = 8
"""libuv lets in one connection a listening socket in each round of the loop. In a flood others would queue before the
door, where all are alike; inside, hooks go first.
"""
_MARGIN_S = 0.5
"""So long before requests under way are cancelled their bodies end, so that their senders get an answer."""
_POLL_S = 0.02
_START_FAILED = 3
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An application and where it is reached. ``host``: addresses or names, separated by commas."""

    application: Application
    host: str
    port: int
    limits: ServerLimits
    setting: str
    """What an operator changes to have it elsewhere."""


class Listener(uvicorn.Server):
    """One HTTP server with one door or more; the first one's application runs the lifespan. Captures no signal."""

    def __init__(self, *doors: Door, refused: Callable[[IngestRefusal, str], None]) -> None:
        """``refused`` is told of each request that no application has seen, and of the peer's address."""
        limits = doors[0].limits
        super().__init__(
            uvicorn.Config(
                cast("Any", doors[0].application),
                interface="asgi3",
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=cast("int", limits.requests_end_s),
            )
        )
        self._doors = {door: Admission(door.limits, refused=refused) for door in doors}
        self._limits = limits
        self._listening: list[socket] = []
        self.servers: list[asyncio.Server] = []
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The first door's port, known once it listens; cancelled if it never did."""
        self.ports: dict[str, int] = {}
        """Each door's port, by its setting."""

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Bind, start the application, listen, and say where.

        Raises:
            CannotListen: an address cannot be had; the application is not running (any more).
            SystemExit: the application did not start.
        """
        try:
            await self._startup()
        finally:
            if not self.port.done():
                self.port.cancel()

    async def _startup(self) -> None:
        bound = {door: self._bind(door) for door in self._doors}
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self._close_sockets()
            sys.exit(_START_FAILED)
        try:
            for door, sockets in bound.items():
                for sock in sockets:
                    await self._listen(door, sock)
        except OSError as fault:
            self._close_sockets()
            await self.lifespan.shutdown()
            raise CannotListen(fault.strerror or str(fault), setting=door.setting) from None
        self.started = True
        self.port.set_result(next(iter(self.ports.values())))

    def _bind(self, door: Door) -> list[socket]:
        try:
            sockets = bind(door.host, door.port)
        except CannotListen as fault:
            self._close_sockets()
            raise CannotListen(str(fault), setting=door.setting) from None
        self._listening += sockets
        return sockets

    async def _listen(self, door: Door, sock: socket) -> None:
        def connection(_loop: asyncio.AbstractEventLoop | None = None) -> Connection:
            return Connection(
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
                _loop=_loop,
                admission=self._doors[door],
                application=door.application,
            )

        # Copies of the socket listen, so that this one can still be spoken to while they are being closed.
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTS_A_ROUND):
            self.servers.append(await loop.create_server(connection, sock=sock.dup(), backlog=self.config.backlog))
        host, port, *_ = sock.getsockname()
        self.ports.setdefault(door.setting, port)
        _log.info("relay.listening", host=host, port=port)

    def _close_sockets(self) -> None:
        for sock in self._listening:
            sock.close()
        self._listening.clear()

    def _connections(self) -> list[Connection]:
        return [cast("Connection", connection) for connection in self.server_state.connections]

    @override
    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: keep to the times of every connection."""
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.tick(now)
        return await super().on_tick(counter)

    def drain(self) -> None:
        """From now on every answer closes its connection; idle ones stay, and new ones are let in."""
        for admission in self._doors.values():
            admission.draining = True
        for connection in self._connections():
            connection.last_answer()

    @override
    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Close the port, then what is open; the application ends last.

        After ``drain``: whoever is connecting still gets in, and an idle connection is kept for ``idle_end_s`` for the
        request that may be on its way. Whoever connects from then on is refused at once, and asks another relay.
        """
        drained = any(admission.draining for admission in self._doors.values())
        self.drain()
        if drained and refuse_new(self._listening):
            await asyncio.sleep(HANDSHAKE_S)
        for server in self.servers:
            server.close()
        self._close_sockets()
        if drained:
            await self._until_none_is_idle()
        asyncio.get_running_loop().call_later(max(0.0, self._limits.requests_end_s - _MARGIN_S), self._cut_short)
        await super().shutdown()

    def _cut_short(self) -> None:
        for connection in self._connections():
            connection.give_way("deadline")

    async def _until_none_is_idle(self) -> None:
        for _ in range(ceil(self._limits.idle_end_s / _POLL_S)):
            if not any(connection.idle for connection in self._connections()):
                return
            await asyncio.sleep(_POLL_S)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
