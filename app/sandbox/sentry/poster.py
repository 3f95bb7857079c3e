"""One POST as Sentry makes it: a connection of its own, one try, a second's patience, no redirects."""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import SplitResult, urlsplit

import h11

from app.sandbox.sentry.signing import HookRequest
from app.sandbox.sentry.verdict import CONNECTION_FAILED, TIMED_OUT, Answer

_PATIENCE_S = {"integration": 1.0, "service_hook": 5.0, "legacy": 5.0}
"""Connect and read timeout each (options and tasks of getsentry/sentry)."""
_WALL_CLOCK_S = 5.0
"""The alarm around one whole send of an integration-platform webhook."""
_CHUNK_BYTES = 65_536
_KEPT_BYTES = 65_536


class StandInSentry:
    """Posts hooks and counts the answers. Any number of posts may run at once.

    ``patience_s`` replaces Sentry's connect and read timeouts (1 s, or 5 s for service hooks and the legacy
    plugin); ``wall_clock_s`` its limit on the whole send. Certificates are verified, by ``tls`` where given.
    """

    def __init__(
        self,
        *,
        patience_s: float | None = None,
        wall_clock_s: float = _WALL_CLOCK_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._patience_s = patience_s
        self._wall_clock_s = wall_clock_s
        self._tls = tls
        self.answers: Counter[int] = Counter()
        """How often each status came back; ``TIMED_OUT`` and ``CONNECTION_FAILED`` count too."""

    @property
    def posts(self) -> int:
        """How many posts have ended."""
        return self.answers.total()

    async def post(self, url: str, request: HookRequest) -> Answer:
        """Post once. Never raises for what the network or the other side does; the answer tells it."""
        began = time.monotonic()
        patience_s = self._patience_s or _PATIENCE_S[request.sender]
        try:
            async with asyncio.timeout(max(self._wall_clock_s, patience_s)):
                answer = await self._exchange(urlsplit(url), request, patience_s)
        except TimeoutError:
            answer = Answer(TIMED_OUT, b"", 0.0, fault="no answer in time")
        except (OSError, EOFError, h11.RemoteProtocolError) as fault:
            answer = Answer(CONNECTION_FAILED, b"", 0.0, fault=str(fault) or type(fault).__name__)
        self.answers[answer.status] += 1
        seconds = time.monotonic() - began
        return Answer(answer.status, answer.body, seconds, answer.headers, answer.fault)

    async def _exchange(self, url: SplitResult, request: HookRequest, patience_s: float) -> Answer:
        async with self._connected(url, patience_s) as (reader, writer):
            sansio = h11.Connection(h11.CLIENT)
            writer.write(_as_bytes(sansio, url, request))
            # Whoever refuses a body early hangs up while it is still coming; its answer counts all the same.
            with _ignoring_hang_up():
                await writer.drain()
            return await _read_answer(sansio, reader, patience_s)

    @asynccontextmanager
    async def _connected(
        self, url: SplitResult, patience_s: float
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise OSError(f"not an http or https address: {url.scheme}://{url.hostname or ''}")
        tls = (self._tls or ssl.create_default_context()) if url.scheme == "https" else None
        port = url.port or (443 if tls else 80)
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection(url.hostname, port, ssl=tls)
        try:
            yield reader, writer
        finally:
            writer.close()
            with _ignoring_hang_up():
                await writer.wait_closed()


async def _read_answer(sansio: h11.Connection, reader: asyncio.StreamReader, patience_s: float) -> Answer:
    status, headers, body = 0, [], bytearray()
    while True:
        match sansio.next_event():
            case h11.NEED_DATA:
                async with asyncio.timeout(patience_s):
                    sansio.receive_data(await reader.read(_CHUNK_BYTES))
            case h11.Response() as head:
                status, headers = (
                    head.status_code,
                    [(name.decode(), text.decode("latin-1")) for name, text in head.headers],
                )
            case h11.Data() as part if len(body) < _KEPT_BYTES:
                body += part.data
            case h11.EndOfMessage():
                return Answer(status, bytes(body), 0.0, tuple(headers))
            case h11.ConnectionClosed():
                raise EOFError("the other side hung up without an answer")


def _as_bytes(sansio: h11.Connection, url: SplitResult, request: HookRequest) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    head = [
        ("Host", url.netloc.rpartition("@")[2]),
        *request.headers.items(),
        ("Connection", "keep-alive"),
        ("Content-Length", str(len(request.body))),
    ]
    events = [
        h11.Request(method="POST", target=target, headers=head),
        h11.Data(request.body),
        h11.EndOfMessage(),
    ]
    return b"".join(sansio.send(event) or b"" for event in events)


@contextmanager
def _ignoring_hang_up() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, ssl.SSLError):
        return
