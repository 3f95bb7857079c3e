"""The one place that talks HTTP to Splunk. It never raises for trouble on the wire: every post has an ``Answer``."""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import orjson

from app import __version__
from app.model import Secret
from app.splunk.answers import Answer, Fault, parse_body
from app.splunk.channel import Channel
from app.splunk.encode import compress, gzipped
from app.splunk.tls import TlsContexts, file_at_fault, pin_fault
from app.tenants.model import Destination

__all__ = ["ANSWER_BYTES_MAX", "HecClient", "HecClients", "TlsContexts", "WireLimits"]

PATH = "/services/collector/event"
ACK_PATH = "/services/collector/ack"
ANSWER_BYTES_MAX = 65_536
CHANNEL_REFUSED = 11
"""The HEC code of a channel that Splunk does not accept: have another one."""
THREAD_FROM_BYTES = 65_536
"""Compressing less than this takes under a millisecond: cheaper than handing it to a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """What a client allows itself. Splunk closes idle connections after 12 s when busy; expire before that."""

    connect_timeout_s: float
    timeout_s: float
    """For the whole exchange, connecting included."""
    keepalive_s: float
    connection_age_max_s: float
    """Connections are made anew after this, so that balancers and changes of DNS are followed."""
    connections_max: int
    """To one address; there is one more for probes and one for ack polls, so that they need not wait for posts."""


_LEAKS = (AttributeError, OSError, RuntimeError, ValueError)
"""What comes through httpx as it is: an alert of TLS while the answer is read (``ssl.SSLError``), or, where a
connection is reset while it is being made, anyio asking uvloop's closed transport who its peer is. One address that
does so must not end the relay.
"""
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain addresses: httpx would load the authorities of the world for nothing."""


class _Session:
    """One pool of connections and how many posts use it."""

    __slots__ = ("born", "client", "users")

    def __init__(self, client: httpx.AsyncClient, born: float) -> None:
        self.client = client
        self.born = born
        self.users = 0


class HecClient:
    """Posts to one address of a destination. It holds no hec_token: every post brings its own.

    Proxies named by the environment are not used, redirects never followed. Cookies are kept only where
    acknowledgment is asked for, with the channel they came through; then one client serves one hec_token.
    """

    def __init__(self, destination: Destination, limits: WireLimits, contexts: TlsContexts) -> None:
        self._url = destination.url
        self._is_tls = destination.url.startswith("https:")
        self._tls = destination.tls
        self._limits = limits
        self._contexts = contexts
        self._acks = destination.ack is not None
        self._channel = Channel()
        self._first = asyncio.Lock()
        """Held until the first answer, so that all go where its cookies lead."""
        self._session: _Session | None = None
        self._old: set[_Session] = set()
        self._extensions: dict[str, Any] = {}
        if destination.tls.server_name:
            self._extensions["sni_hostname"] = destination.tls.server_name

    def __repr__(self) -> str:
        """The address alone."""
        return f"HecClient({self._url})"

    async def post(self, body: bytes, *, hec_token: Secret, gzip_level: int) -> Answer:
        """Post one body (envelopes, joined) under ``hec_token``; ``gzip_level`` 0 sends it plain."""
        headers: dict[str, str] = {}
        if gzipped(len(body), gzip_level):
            headers["Content-Encoding"] = "gzip"
            if len(body) < THREAD_FROM_BYTES:
                body = compress(body, gzip_level)
            else:
                body = await asyncio.to_thread(compress, body, gzip_level)
        return await self._in_channel(PATH, body, hec_token, headers)

    async def probe(self, *, hec_token: Secret) -> Answer:
        """Post nothing: a hec_token that is accepted draws "no data" (code 5), and nothing is indexed."""
        return await self._in_channel(PATH, b"", hec_token, {})

    async def poll(self, ack_ids: Sequence[int], *, channel: str, hec_token: Secret) -> Answer:
        """Ask which of the ids of that channel are indexed; it need not be in use any more."""
        body = orjson.dumps({"acks": list(ack_ids)})
        return await self._tracked(ACK_PATH, body, hec_token, {"X-Splunk-Request-Channel": channel})

    @property
    def channels(self) -> frozenset[str]:
        """The channel that the next post goes through."""
        return frozenset({self._channel.guid})

    def renew(self, channel: str) -> None:
        """Have another channel instead of that one."""
        if channel == self._channel.guid:
            self._channel = self._channel.renewed()

    async def _in_channel(self, path: str, body: bytes, hec_token: Secret, headers: Mapping[str, str]) -> Answer:
        """Exchange through the channel; where acks are asked for, the first exchange goes alone."""
        if self._acks and self._channel.is_idle:
            self.renew(self._channel.guid)
        if self._acks and not self._channel.answered:
            async with self._first:
                answer = await self._tracked(path, body, hec_token, headers)
        else:
            answer = await self._tracked(path, body, hec_token, headers)
        if answer.code == CHANNEL_REFUSED:
            self.renew(answer.channel)
        return answer

    async def _tracked(self, path: str, body: bytes, hec_token: Secret, headers: Mapping[str, str]) -> Answer:
        channel = self._channel
        sent = {**self._headers(hec_token, channel), **headers}
        answer = await self._exchange(path, sent, body, channel if self._acks else None)
        return replace(answer, channel=channel.guid)

    async def close(self) -> None:
        """Close every connection; posts under way break. May be called again, such as when it was cut off."""
        if self._session is not None:
            self._old.add(self._session)
            self._session = None
        while self._old:
            session = next(iter(self._old))
            await session.client.aclose()
            self._old.discard(session)

    @staticmethod
    def _headers(hec_token: Secret, channel: Channel) -> dict[str, str | bytes]:
        return {
            "Authorization": b"Splunk " + hec_token.value,
            "X-Splunk-Request-Channel": channel.guid,
            "Content-Type": "application/json",
        }

    async def _exchange(
        self, path: str, headers: Mapping[str, str | bytes], body: bytes, channel: Channel | None
    ) -> Answer:
        sent = _Sent(self._tls.pin_sha256)
        try:
            session = await self._open()
        except OSError as fault:
            file = await asyncio.to_thread(file_at_fault, self._tls)
            return Answer(fault=Fault.TLS_FAILED, detail=f"{file} cannot be used: {fault.strerror or 'unreadable'}")
        session.users += 1
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                request = self._request(session.client, path, headers, body, sent)
                return await self._send(session.client, request, channel)
        except TimeoutError:
            return Answer(fault=Fault.READ_TIMEOUT if sent else Fault.TIMEOUT_BEFORE_SENT)
        except _NotPinned as fault:
            return Answer(fault=Fault.TLS_FAILED, detail=str(fault))
        except (httpx.HTTPError, httpx.StreamError, *_LEAKS) as fault:
            return _fault_of(fault, sent=bool(sent))
        finally:
            session.users -= 1
            await self._let_go()

    def _request(
        self, client: httpx.AsyncClient, path: str, headers: Mapping[str, str | bytes], body: bytes, sent: "_Sent"
    ) -> httpx.Request:
        # httpx accepts bytes and str values alike, but not mixed in its annotations.
        raw = [
            (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()
        ]
        extensions = {**self._extensions, "trace": sent.trace}
        return client.build_request("POST", self._url + path, content=body, headers=raw, extensions=extensions)

    async def _send(self, client: httpx.AsyncClient, request: httpx.Request, channel: Channel | None) -> Answer:
        if channel is None:
            return await self._read(await client.send(request, stream=True))
        cookies = httpx.Cookies(channel.jar)
        cookies.set_cookie_header(request)
        channel.used_at = time.monotonic()
        response = await client.send(request, stream=True)
        before = channel.held()
        cookies.extract_cookies(response)
        if channel.moved(before):
            self._channel = self._channel.renewed()
        return await self._read(response)

    @staticmethod
    async def _read(response: httpx.Response) -> Answer:
        try:
            answer = bytearray()
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

    async def _open(self) -> _Session:
        """The pool of connections to use now; a new one when the old one has its age."""
        if self._session is None or self._aged(self._session):
            context = await self._contexts.get(self._tls) if self._is_tls else _NO_TLS
            if self._session is None or self._aged(self._session):  # not made by another post meanwhile
                if self._session is not None:
                    self._old.add(self._session)
                self._session = _Session(self._make(context), time.monotonic())
        return self._session

    def _aged(self, session: _Session) -> bool:
        return time.monotonic() - session.born >= self._limits.connection_age_max_s

    def _make(self, context: ssl.SSLContext) -> httpx.AsyncClient:
        limits = self._limits
        client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=context,
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=limits.connections_max + 1 + self._acks, keepalive_expiry=limits.keepalive_s
                ),
            ),
            timeout=httpx.Timeout(limits.timeout_s, connect=limits.connect_timeout_s),
            headers={
                "User-Agent": f"sentry-splunk-relay/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
            follow_redirects=False,
            trust_env=False,
        )
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    async def _let_go(self) -> None:
        for old in [each for each in self._old if each.users == 0]:
            await old.client.aclose()
            self._old.discard(old)  # after it: whoever is cut off here leaves it to the next


class _NotPinned(Exception):  # noqa: N818  it says what it found
    """The certificate that was shown is not one of those pinned."""


class _Sent:
    """Whether anything of the request went out, as httpcore tells while it works; and nothing goes to a stranger."""

    __slots__ = ("_begun", "_pins")

    def __init__(self, pins: frozenset[str]) -> None:
        self._begun = False
        self._pins = pins

    def __bool__(self) -> bool:
        return self._begun

    async def trace(self, name: str, said: Mapping[str, Any]) -> None:
        """Called by httpcore at each step. Once headers are being written, Splunk may have them."""
        if name.endswith("send_request_headers.started"):
            self._begun = True
        elif name.endswith("start_tls.complete") and self._pins:
            stream = said["return_value"]
            fault = pin_fault(stream.get_extra_info("ssl_object").getpeercert(binary_form=True), self._pins)
            if fault is not None:
                await stream.aclose()
                raise _NotPinned(fault)


class HecClients:
    """Makes clients that share their TLS contexts."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._contexts = TlsContexts(age_max_s=limits.connection_age_max_s)

    def open(self, destination: Destination) -> HecClient:
        """A client for ``destination``; it connects when it posts."""
        return HecClient(destination, self._limits, self._contexts)


_ALERT = re.compile(r"^(tls|ssl)v\d+ alert ")
_REFUSED_CERTIFICATE = re.compile("the other side says: .*(certificate|unknown ca)")
"""TLS 1.3 tells the relay that its certificate is refused, or missing, when it reads the answer. The handshake has
failed then, and nothing that was sent after it was looked at.
"""


def _tls_detail(fault: BaseException) -> str | None:
    """The words of the TLS fault behind ``fault``, if there is one."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message.rstrip(".")
        if isinstance(seen, ssl.SSLError):
            return _ALERT.sub("the other side says: ", (seen.reason or "handshake failed").replace("_", " ").lower())
        seen = seen.__cause__ or seen.__context__
    return None


def _os_detail(fault: BaseException) -> str:
    """What the system says about a connection that failed, from its error number alone."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return ""


def _fault_of(fault: Exception, *, sent: bool) -> Answer:
    """A fault of httpx as a plain value. Its text is not used: it may quote what was sent."""
    if isinstance(fault, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return Answer(fault=Fault.UNSENDABLE, detail="the hec_token or the address holds a forbidden character")
    tls = _tls_detail(fault)
    if tls is not None and (not sent or _REFUSED_CERTIFICATE.search(tls)):
        return Answer(fault=Fault.TLS_FAILED, detail=tls)
    timeout = isinstance(fault, httpx.TimeoutException)
    if sent:
        return Answer(fault=Fault.READ_TIMEOUT if timeout else Fault.RESET_AFTER_SENT, detail=tls or "")
    if timeout:
        return Answer(fault=Fault.TIMEOUT_BEFORE_SENT)
    return Answer(fault=Fault.CONNECT_FAILED, detail=_os_detail(fault))
