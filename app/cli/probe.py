"""Asking one destination step by step, as ``relay check`` does. Thin: what an answer means is in ``findings``.

Standard library only, so that each layer shows by itself; the hec_token is tried by the client that delivers.
"""

import asyncio
import http.client
import io
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app import __version__
from app.cli import findings
from app.cli.findings import Certificate, Finding, certificate_of
from app.splunk.answers import parse_body
from app.splunk.client import HecClients, TlsContexts, WireLimits
from app.tenants.model import Destination

_ANSWER_BYTES_MAX: Final = 65_536
_GOODBYE_S: Final = 1.0
_HEALTH: Final = "/services/collector/health"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Peer:
    """Where to connect."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


class Prober:
    """Asks destinations, with the timeouts and the TLS contexts of those who deliver."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._contexts = TlsContexts(age_max_s=limits.connection_age_max_s)
        self._clients = HecClients(limits)

    async def ask(self, destination: Destination) -> list[Finding]:
        """What was found at each step, up to the first that failed."""
        url = urlsplit(destination.url)
        return [finding async for finding in self._steps(destination, url)]

    async def _steps(self, destination: Destination, url: SplitResult) -> AsyncIterator[Finding]:
        peer, found = await self._reach(url)
        for each in found:
            yield each
        if peer is None:
            return
        context = None
        if url.scheme == "https":
            context, finding = await self._tls(peer, destination, url.hostname or "")
            yield finding
            if context is None:
                return
        yield await self._health(peer, destination, url, context)
        if destination.hec_token is not None:
            client = self._clients.open(destination)
            try:
                answer = await client.probe(hec_token=destination.hec_token)
            finally:
                await client.close()
            yield findings.hec_token(destination.hec_token_ref, answer)
        routed = {each.index for each in destination.routes if not each.drop}
        yield findings.index_untried(each for each in {destination.index, *routed} if each)

    async def _reach(self, url: SplitResult) -> tuple[_Peer | None, list[Finding]]:
        """The first address that takes a connection, and what dns and tcp are like."""
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None, [findings.dns_failed(host)]
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        words = "an address, nothing to resolve" if addresses == [host] else f"{host} is {', '.join(addresses)}"
        dns = Finding("dns", "ok", words)
        failed: Finding | None = None
        for address in addresses:
            peer = _Peer(address, port)
            began = time.monotonic()
            try:
                async with self._connected(peer, None, ""):
                    took_ms = (time.monotonic() - began) * 1000
                    return peer, [dns, Finding("tcp", "ok", f"{peer} answers after {took_ms:.0f} ms")]
            except OSError as fault:
                timeout_s = self._limits.connect_timeout_s
                failed = failed or findings.tcp_failed(str(peer), fault, timeout_s=timeout_s)
        return None, [dns, failed] if failed else [dns]

    async def _tls(self, peer: _Peer, destination: Destination, host: str) -> tuple[ssl.SSLContext | None, Finding]:
        """The context that connects, and what the certificate is like."""
        tls = destination.tls
        name = tls.server_name or host
        try:
            context = await self._contexts.get(tls)
        except OSError as fault:
            return None, findings.ca_file_unusable(tls.ca_file or "", fault.strerror or "no certificate in it")
        try:
            async with self._connected(peer, context, name) as (_, writer):
                if not tls.verify:
                    return context, findings.tls_unverified()
                certificate = certificate_of(writer.get_extra_info("peercert"))
                return context, findings.tls_fine(certificate, now=time.time())
        except ssl.SSLCertVerificationError as fault:
            return None, findings.tls_refused(fault, await self._shown(peer, name))
        except OSError as fault:
            return None, findings.tls_failed(fault)

    async def _shown(self, peer: _Peer, name: str) -> Certificate | None:
        """What a certificate that does not verify says. Nothing is sent under it."""
        blind = ssl.create_default_context()
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        try:
            async with self._connected(peer, blind, name) as (_, writer):
                raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            # The library only decodes what it verified: let the certificate vouch for itself.
            itself = ssl.create_default_context(cadata=raw)
            itself.check_hostname = False
            itself.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
            async with self._connected(peer, itself, name) as (_, writer):
                return certificate_of(writer.get_extra_info("peercert"))
        except OSError:
            return None

    async def _health(
        self, peer: _Peer, destination: Destination, url: SplitResult, context: ssl.SSLContext | None
    ) -> Finding:
        name = destination.tls.server_name or url.hostname or ""
        request = (
            f"GET {url.path}{_HEALTH} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"User-Agent: sentry-splunk-relay/{__version__}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        )
        raw = b""
        try:
            async with (
                asyncio.timeout(self._limits.timeout_s),
                self._connected(peer, context, name) as (reader, writer),
            ):
                writer.write(request.encode())
                while len(raw) < _ANSWER_BYTES_MAX and (part := await reader.read(_ANSWER_BYTES_MAX)):
                    raw += part
        except TimeoutError:
            return findings.health_failed(f"no whole answer within {self._limits.timeout_s:g} s")
        except OSError as fault:
            return findings.health_failed(f"the connection broke: {fault.strerror or type(fault).__name__}")
        try:
            response = http.client.HTTPResponse(_Recorded(raw))  # type: ignore[arg-type]  # only makefile is used
            response.begin()
            return findings.health(response.status, parse_body(response.read()))
        except (http.client.HTTPException, ValueError):
            return findings.health_failed("what answers does not speak HTTP" if raw else "no answer")

    @asynccontextmanager
    async def _connected(
        self, peer: _Peer, context: ssl.SSLContext | None, name: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection, TLS included if there is a context; closed afterwards."""
        async with asyncio.timeout(self._limits.connect_timeout_s):
            reader, writer = await asyncio.open_connection(
                peer.address,
                peer.port,
                ssl=context,
                server_hostname=name if context else None,
                ssl_shutdown_timeout=_GOODBYE_S if context else None,
            )
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class _Recorded:
    """Bytes that were received, as the socket that ``http.client`` reads from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        """The bytes as a file."""
        return io.BytesIO(self._raw)
