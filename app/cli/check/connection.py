"""One connection as ``relay check`` makes it to look at each layer by itself: directly, or by way of a proxy."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from app.tenants.model import Proxy

_GOODBYE_S: Final = 1.0
_OPENED: Final = 200


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What is asked of a proxy: ``target`` is host and port, ``context`` for its own TLS where it has some."""

    proxy: Proxy
    name: str
    """The proxy's host."""
    context: ssl.SSLContext | None
    target: str

    def request(self) -> bytes:
        """The CONNECT (RFC 9110, section 9.3.6)."""
        credentials = self.proxy.credentials
        basic = b"" if credentials is None else base64.b64encode(credentials.value)
        shown = b"Proxy-Authorization: Basic " + basic + b"\r\n" if basic else b""
        return b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (self.target.encode(), self.target.encode(), shown)


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect: Splunk's address, or the proxy's."""

    address: str
    port: int
    tunnel: Tunnel | None = None

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


@asynccontextmanager
async def connected(
    peer: Peer, context: ssl.SSLContext | None, name: str, *, timeout_s: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, TLS for ``name`` included if there is a context; closed afterwards. Only TLS needs the tunnel.

    Raises:
        OSError: it cannot be made; of a proxy that opens no way, with its status.
    """
    tunnel = peer.tunnel if context is not None else None
    first = context if tunnel is None else tunnel.context
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(
            peer.address,
            peer.port,
            ssl=first,
            server_hostname=(name if tunnel is None else tunnel.name) if first else None,
            ssl_shutdown_timeout=_GOODBYE_S if first else None,
        )
        try:
            if tunnel is not None and context is not None:
                await _opened(tunnel, reader, writer)
                await writer.start_tls(context, server_hostname=name)
        except BaseException:
            writer.close()
            raise
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _opened(tunnel: Tunnel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(tunnel.request())
    try:
        status = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
        status = b""
    if not status.isdigit() or int(status) // 100 * 100 != _OPENED:
        said = f"answers with HTTP {status.decode()}" if status.isdigit() else "does not answer as a proxy"
        raise ConnectionRefusedError(None, f"the proxy {tunnel.proxy.url} opens no way: it {said}")
