"""A load of signed hooks: every request is another body, and each connection waits for its answer."""

import asyncio
import hmac
import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import cast

import uvloop

SECRET = b"bench-secret"


@dataclass
class Load:
    """What one run saw: seconds each request took, and how many answers were not 202."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    duration_s: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.seconds) / self.duration_s

    def quantile(self, share: float) -> float:
        """Milliseconds within which that share was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class Requests:
    """Ready requests with bodies of one size, each unique and rightly signed."""

    def __init__(self, path: str, body_bytes: int) -> None:
        frame = {
            "action": "created",
            "installation": {"uuid": "7a485448-a9e2-4c85-8a3c-4f44175783c9"},
            "data": {"error": {"title": "bench", "pad": "", "event_id": ""}},
            "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
        }
        text = json.dumps(frame, separators=(",", ":"))
        head, tail = text.split('"pad":""')
        pad = "x" * max(0, body_bytes - len(text) - 32)
        self._head = f'{head}"pad":"{pad}"'.encode()
        self._tail = tail.encode()
        self._signer = hmac.new(SECRET, self._head, "sha256")
        self._path = path
        self._numbers = count(time.time_ns())

    def __call__(self) -> bytes:
        """The next one, ready for the wire."""
        unique = f"{next(self._numbers):032d}"
        tail = self._tail.replace(b'"event_id":""', b'"event_id":"%b"' % unique.encode())
        signer = self._signer.copy()
        signer.update(tail)
        return (
            b"POST %b HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nRequest-ID: %b\r\n"
            b"Sentry-Hook-Resource: error\r\nSentry-Hook-Timestamp: 1700000000\r\nSentry-Hook-Signature: %b\r\n"
            b"Content-Length: %d\r\n\r\n%b%b"
            % (
                self._path.encode(),
                unique.encode(),
                signer.hexdigest().encode(),
                len(self._head) + len(tail),
                self._head,
                tail,
            )
        )


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, requests: Requests, until: float) -> None:
        self._load = load
        self._requests = requests
        self._until = until
        self._answer = b""
        self._sent_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        request = self._requests()
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(b"}"):
            return
        now = time.perf_counter()
        self._load.seconds.append(now - self._sent_at)
        if not self._answer.startswith(b"HTTP/1.1 202"):
            self._load.refused += 1
        self._answer = b""
        if now < self._until:
            self._next()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol names it
        if not self.done.done():
            self.done.set_result(None)


async def _run(port: int, connections: int, seconds: float, requests: Requests) -> Load:
    load = Load()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    protocols = [
        (await loop.create_connection(lambda: _Connection(load, requests, began + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(each.done for each in protocols))
    load.duration_s = time.perf_counter() - began
    return load


def run(port: int, *, path: str, connections: int, seconds: float, body_bytes: int) -> Load:
    """Post for ``seconds`` over that many connections; bounded by design."""
    return uvloop.run(_run(port, connections, seconds, Requests(path, body_bytes)))
