"""The one place that talks HTTP to Splunk. It never raises for trouble on the way: every post has an ``Answer``.

httpx is asked for its transport alone: a client on top of it looks for redirects, credentials, proxies and cookies
that a post to HEC has not, and costs as much again as the exchange.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

import httpx
import orjson
from typing_extensions import override

from app import __version__
from app.model import Secret
from app.splunk.answers import Answer, Fault, parse_body
from app.splunk.channel import Channel
from app.splunk.connections import Connections, Pool
from app.splunk.encode import compress, gzipped
from app.splunk.faults import LEAKS, answer_of, by_way
from app.splunk.limits import WireLimits
from app.splunk.tls import TlsContexts, UnusableFileError
from app.tenants.model import Destination

__all__ = ["ANSWER_BYTES_MAX", "HecClient", "HecClients", "TlsContexts", "WireLimits"]

PATH = "/services/collector/event"
ACK_PATH = "/services/collector/ack"
HEALTH_PATH = "/services/collector/health"
ANSWER_BYTES_MAX = 65_536
CHANNEL_REFUSED = 11
"""The HEC code of a channel that Splunk does not accept: have another one."""
THREAD_FROM_BYTES = 65_536
"""Compressing less than this takes under a millisecond: cheaper than handing it to a thread."""

_Header = tuple[bytes, bytes]
_GZIP: Final[_Header] = (b"Content-Encoding", b"gzip")


class _Body(httpx.AsyncByteStream):
    """The body of one request, and whether anything of it was asked for: from then on Splunk may have it."""

    __slots__ = ("_body", "sent")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.sent = False

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.sent = True
        yield self._body


class HecClient:
    """Posts to one address of a destination. It holds no hec_token: every post brings its own.

    Redirects are never followed. Cookies are kept only where acknowledgment is asked for, with the channel they came
    through; then one client serves one hec_token.
    """

    def __init__(
        self, destination: Destination, limits: WireLimits, contexts: TlsContexts, unused_proxies: Sequence[str] = ()
    ) -> None:
        self._url = destination.url
        self._urls = {path: httpx.URL(destination.url + path) for path in (PATH, ACK_PATH, HEALTH_PATH)}
        self._headers: tuple[_Header, ...] = (
            (b"Host", self._urls[PATH].netloc),
            (b"User-Agent", f"sentry-splunk-relay/{__version__}".encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/json"),
        )
        self._proxy_url = None if destination.proxy is None else destination.proxy.url
        self._unused_proxies = unused_proxies
        self._timeout_s = limits.timeout_s
        self._connections = Connections(destination, limits, contexts)
        self._acks = destination.ack is not None
        self._channel = Channel()
        self._first = asyncio.Lock()
        """Held until the first answer, so that all go where its cookies lead."""
        timeout = httpx.Timeout(limits.timeout_s, connect=limits.connect_timeout_s)
        self._extensions: dict[str, object] = {"timeout": timeout.as_dict()}

    def __repr__(self) -> str:
        """The address alone."""
        return f"HecClient({self._url})"

    async def post(self, body: bytes, *, hec_token: Secret, gzip_level: int) -> Answer:
        """Post one body (envelopes, joined) under ``hec_token``; ``gzip_level`` 0 sends it plain."""
        if not gzipped(len(body), gzip_level):
            return await self._in_channel(body, hec_token)
        if len(body) < THREAD_FROM_BYTES:
            body = compress(body, gzip_level)
        else:
            body = await asyncio.to_thread(compress, body, gzip_level)
        return await self._in_channel(body, hec_token, _GZIP)

    async def probe(self, *, hec_token: Secret) -> Answer:
        """Post nothing: a hec_token that is accepted draws "no data" (code 5), and nothing is indexed."""
        return await self._in_channel(b"", hec_token)

    async def health(self) -> Answer:
        """Ask whether HEC is healthy. Needs no hec_token and says nothing about one."""
        stream = _Body(b"")
        request = httpx.Request(
            "GET", self._urls[HEALTH_PATH], headers=self._headers[:-1], stream=stream, extensions=self._extensions
        )
        return await self._exchange(request, stream, None)

    async def poll(self, ack_ids: Sequence[int], *, channel: str, hec_token: Secret) -> Answer:
        """Ask which of the ids of that channel are indexed; it need not be in use any more."""
        return await self._tracked(ACK_PATH, orjson.dumps({"acks": list(ack_ids)}), hec_token, channel)

    @property
    def channels(self) -> frozenset[str]:
        """The channel that the next post goes through."""
        return frozenset({self._channel.guid})

    def renew(self, channel: str) -> None:
        """Have another channel instead of that one."""
        if channel == self._channel.guid:
            self._channel = self._channel.renewed()

    async def close(self) -> None:
        """Close every connection; posts under way break. May be called again, such as when it was cut off."""
        await self._connections.close()

    async def _in_channel(self, body: bytes, hec_token: Secret, *headers: _Header) -> Answer:
        """Post through the channel; where acks are asked for, the first exchange goes alone."""
        if self._acks and self._channel.is_idle:
            self.renew(self._channel.guid)
        if self._acks and not self._channel.answered:
            async with self._first:
                answer = await self._tracked(PATH, body, hec_token, None, *headers)
        else:
            answer = await self._tracked(PATH, body, hec_token, None, *headers)
        if answer.code == CHANNEL_REFUSED:
            self.renew(answer.channel)
        return answer

    async def _tracked(
        self, path: str, body: bytes, hec_token: Secret, asked_channel: str | None, *headers: _Header
    ) -> Answer:
        """Exchange under the cookies of the channel in use; ``asked_channel`` is named instead of it."""
        channel, stream = self._channel, _Body(body)
        request = httpx.Request(
            "POST",
            self._urls[path],
            headers=[
                *self._headers,
                (b"Authorization", b"Splunk " + hec_token.value),
                (b"X-Splunk-Request-Channel", (asked_channel or channel.guid).encode()),
                (b"Content-Length", b"%d" % len(body)),
                *headers,
            ],
            stream=stream,
            extensions=self._extensions,
        )
        answer = await self._exchange(request, stream, channel if self._acks else None)
        return replace(answer, channel=channel.guid)

    async def _exchange(self, request: httpx.Request, body: _Body, channel: Channel | None) -> Answer:
        try:
            pool = await self._connections.acquire()
        except UnusableFileError as fault:
            return Answer(fault=Fault.TLS_FAILED, detail=str(fault))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(pool, request, channel)
        except TimeoutError:
            answer = Answer(fault=Fault.READ_TIMEOUT if body.sent else Fault.TIMEOUT_BEFORE_SENT)
        except (httpx.HTTPError, httpx.StreamError, *LEAKS) as fault:
            answer = answer_of(fault, sent=body.sent)
        finally:
            await self._connections.release(pool)
        return answer if body.sent else replace(answer, detail=by_way(answer, self._proxy_url, self._unused_proxies))

    async def _send(self, pool: Pool, request: httpx.Request, channel: Channel | None) -> Answer:
        if channel is None:
            return await _read(await pool.transport.handle_async_request(request))
        cookies = httpx.Cookies(channel.jar)
        cookies.set_cookie_header(request)
        channel.used_at = time.monotonic()
        response = await pool.transport.handle_async_request(request)
        response.request = request  # the cookies ask it where they come from
        before = channel.held()
        cookies.extract_cookies(response)
        if channel.moved(before):
            self._channel = self._channel.renewed()
        return await _read(response)


async def _read(response: httpx.Response) -> Answer:
    """The answer, of a body no more than its bound; the connection is free again afterwards."""
    answer = bytearray()
    try:
        async for part in response.aiter_raw():
            answer += part
            if len(answer) > ANSWER_BYTES_MAX:
                break
    finally:
        await response.aclose()
    return Answer(
        status=response.status_code,
        body=parse_body(bytes(answer[:ANSWER_BYTES_MAX])),
        content_type=response.headers.get("Content-Type", "")[:100],
        retry_after=response.headers.get("Retry-After", "")[:100],
    )


class HecClients:
    """Makes clients that share their TLS contexts.

    ``unused_proxies`` are the variables by which the environment names proxies: none is used, and a connection that
    cannot be made says so.
    """

    def __init__(self, limits: WireLimits, *, unused_proxies: Sequence[str] = ()) -> None:
        self._limits = limits
        self._unused_proxies = unused_proxies
        self._contexts = TlsContexts(age_max_s=limits.connection_age_max_s)

    def open(self, destination: Destination) -> HecClient:
        """A client for ``destination``; it connects when it posts."""
        return HecClient(destination, self._limits, self._contexts, self._unused_proxies)
