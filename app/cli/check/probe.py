"""Asking one destination step by step, as ``relay check`` does. Thin: what an answer means is in ``findings``.

Standard library only, so that each layer shows by itself; the hec_token is tried by the client that delivers.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

from app.cli.check import findings, test_event
from app.cli.check.connection import Peer, Tunnel, connected
from app.cli.check.findings import Certificate, Finding, certificate_of
from app.model import Secret
from app.splunk.acks import Poll, judge_poll
from app.splunk.answers import Answer, Fault, judge
from app.splunk.client import HecClient, HecClients, TlsContexts, WireLimits
from app.splunk.tls import CA_FILE, NotPinnedError, UnusableFileError
from app.tenants.model import Destination, Proxy, Tls

_ACK_POLL_S: Final = 0.5
_PORTS: Final = {"http": 80, "https": 443}


class Prober:
    """Asks destinations, with the timeouts and the TLS contexts of those who deliver.

    With ``send`` one test hec_event goes to each index; for its ack, where one is asked for, it waits ``ack_wait_s``.
    """

    def __init__(self, limits: WireLimits, *, send: bool, ack_wait_s: float) -> None:
        self._limits = limits
        self._send = send
        self._ack_wait_s = ack_wait_s
        self._contexts = TlsContexts(age_max_s=limits.connection_age_max_s)
        self._clients = HecClients(limits)

    async def ask(self, destination: Destination) -> list[Finding]:
        """What was found at each step, up to the first that failed; each address of it by itself."""
        found: list[Finding] = []
        for each in destination.urls:
            if destination.more_urls:
                found.append(Finding("address", "ok", each))
            one = replace(destination, url=each, more_urls=())
            found += [finding async for finding in self._steps(one, urlsplit(each))]
        return found

    async def _steps(self, destination: Destination, url: SplitResult) -> AsyncIterator[Finding]:
        proxy = destination.proxy
        if proxy is not None:
            yield Finding("proxy", "ok", f"by way of the proxy {proxy.url}")
        peer, found = await self._reach(url if proxy is None else urlsplit(proxy.url))
        for each in found:
            yield each
        if peer is None:
            return
        if proxy is not None:
            peer = replace(peer, tunnel=await self._tunnel(proxy, url))
        context = None
        if url.scheme == "https":
            context, finding = await self._tls(peer, destination, url.hostname or "")
            yield finding
            if context is None:
                return
        client = self._clients.open(destination)
        try:
            yield await self._health(client)
            if destination.hec_token is not None:
                async for finding in self._hec(client, destination, destination.hec_token):
                    yield finding
        finally:
            await client.close()

    async def _hec(self, client: HecClient, destination: Destination, hec_token: Secret) -> AsyncIterator[Finding]:
        """Whether Splunk takes the hec_token, and under it a hec_event for each index."""
        found = findings.hec_token(destination.hec_token_ref, await client.probe(hec_token=hec_token))
        yield found
        indexes = test_event.indexes(destination)
        if found.state == "failed":
            return
        if not self._send:
            yield findings.unsent(indexes)
            return
        for index in indexes:
            marker = uuid4().hex
            envelope = test_event.envelope(destination, index, marker=marker, now=time.time())
            answer = await client.post(envelope, hec_token=hec_token, gzip_level=0)
            found = findings.hec_event(index, answer, test_event.search(index, marker))
            yield found
            if found.state == "ok" and destination.ack is not None:
                yield await self._acknowledged(client, index, answer, hec_token)

    async def _acknowledged(self, client: HecClient, index: str | None, answer: Answer, hec_token: Secret) -> Finding:
        """Ask until Splunk says that it is indexed, for a while."""
        ack_id = answer.body.ack_id if answer.body else None
        if ack_id is None:
            return findings.ack_failed(
                index,
                "Splunk gave no ack id",
                "Turn on indexer acknowledgment for the hec_token in Splunk, or take ack out of the tenants file.",
            )
        began = time.monotonic()
        while (waited := time.monotonic() - began) < self._ack_wait_s:
            told = judge_poll(await client.poll([ack_id], channel=answer.channel, hec_token=hec_token))
            if told.acks.get(ack_id):
                return findings.acknowledged(index, waited)
            if told.poll not in (Poll.TOLD, Poll.AGAIN):
                return findings.ack_failed(index, told.words, "Look for a balancer without sticky sessions on the way.")
            await asyncio.sleep(_ACK_POLL_S)
        return findings.ack_failed(
            index,
            f"not confirmed within {self._ack_wait_s:g} s",
            "Splunk may be slow; or a balancer leads the question to another indexer than the hec_event: then it needs "
            "sticky sessions.",
        )

    async def _reach(self, url: SplitResult) -> tuple[Peer | None, list[Finding]]:
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
            peer = Peer(address, port)
            began = time.monotonic()
            try:
                async with self._connected(peer, None, ""):
                    took_ms = (time.monotonic() - began) * 1000
                    return peer, [dns, Finding("tcp", "ok", f"{peer} answers after {took_ms:.0f} ms")]
            except OSError as fault:
                timeout_s = self._limits.connect_timeout_s
                failed = failed or findings.tcp_failed(str(peer), fault, timeout_s=timeout_s)
        return None, [dns, failed] if failed else [dns]

    async def _tunnel(self, proxy: Proxy, url: SplitResult) -> Tunnel:
        """What the proxy is to be asked for. If its CA file is of no use, the hec_token's step says so."""
        parts, context = urlsplit(proxy.url), None
        if parts.scheme == "https":
            with suppress(UnusableFileError):
                context = await self._contexts.get(Tls(ca_file=proxy.ca_file))
        return Tunnel(proxy, parts.hostname or "", context, f"{url.hostname}:{url.port or _PORTS[url.scheme]}")

    async def _tls(self, peer: Peer, destination: Destination, host: str) -> tuple[ssl.SSLContext | None, Finding]:
        """The context that connects, and what the certificate is like."""
        tls = destination.tls
        name = tls.server_name or host
        try:
            context = await self._contexts.get(tls)
        except UnusableFileError as fault:
            return None, _unusable(tls, fault)
        try:
            async with self._connected(peer, context, name) as (_, writer):
                return context, _of_certificate(writer.get_extra_info("ssl_object"), tls)
        except NotPinnedError as fault:
            return None, findings.tls_unpinned(str(fault))
        except ssl.SSLCertVerificationError as fault:
            return None, findings.tls_refused(fault, await self._shown(peer, name))
        except OSError as fault:
            return None, findings.tls_failed(fault)

    async def _shown(self, peer: Peer, name: str) -> Certificate | None:
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

    async def _health(self, client: HecClient) -> Finding:
        """Whether HEC says that it is healthy; told from the silence of something that is no HEC."""
        answer = await client.health()
        if answer.fault is None:
            return findings.health(answer.status, answer.body)
        if answer.fault in (Fault.READ_TIMEOUT, Fault.TIMEOUT_BEFORE_SENT):
            return findings.health_failed(f"no whole answer within {self._limits.timeout_s:g} s")
        if answer.fault is Fault.RESET_AFTER_SENT:
            return findings.health_failed("no answer in HTTP: the connection broke, or something else listens there")
        return findings.health_failed(f"no answer: {judge(answer, 1).words}")

    def _connected(
        self, peer: Peer, context: ssl.SSLContext | None, name: str
    ) -> AbstractAsyncContextManager[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        return connected(peer, context, name, timeout_s=self._limits.connect_timeout_s)


def _unusable(tls: Tls, fault: UnusableFileError) -> Finding:
    """Which of the files cannot be used."""
    if fault.what == CA_FILE:
        return findings.ca_file_unusable(_path(tls.ca_file), fault.why)
    return findings.client_cert_unusable(_path(tls.client_cert), fault.why)


def _path(file: Secret | None) -> str:
    return "" if file is None else file.name.removeprefix("file:")


def _of_certificate(tls_object: ssl.SSLObject, tls: Tls) -> Finding:
    """What a certificate is like that was shown and, if it is to be, verified."""
    if tls_object.context.verify_mode is ssl.CERT_NONE:
        return findings.tls_pinned() if tls.pin_sha256 else findings.tls_unverified()
    return findings.tls_fine(certificate_of(tls_object.getpeercert() or {}), now=time.time())
