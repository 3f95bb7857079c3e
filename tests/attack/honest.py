"""Sentry beside an attack: ``python -m tests.attack.honest PORT SECONDS`` prints what its hooks got, as JSON.

Every other hook comes on a connection of its own, as Sentry's do; the others on one that is kept, as a proxy's do.
"""

import asyncio
import hmac
import json
import sys
import time
from dataclasses import asdict, dataclass, field

import uvloop

HOST = "127.0.0.1"
SECRET = "d1" * 32
HOOKS_A_SECOND = 40
BODY_BYTES = 10_000
PATIENCE_S = 10.0


@dataclass
class Seen:
    """What honest hooks got: seconds until each answer, and each answer that was not 202."""

    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """Milliseconds within which all but a hundredth were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000 if ordered else 0.0

    @property
    def worst_ms(self) -> float:
        """The latest answer."""
        return max(self.seconds, default=0.0) * 1000


def request(number: int) -> bytes:
    """A signed hook; another number is another hook."""
    unique = f"{time.time_ns()}-{number}"
    document = {
        "action": "created",
        "installation": {"uuid": "0b6f2c3a-1111-4222-8333-944445555666"},
        "data": {"comment": unique.ljust(BODY_BYTES, "x"), "comment_id": number, "issue_id": 7},
        "actor": {"type": "user", "id": 1, "name": "Ada"},
    }
    body = json.dumps(document).encode()
    signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
    return (
        f"POST /sentry/acme HTTP/1.1\r\nHost: relay\r\nContent-Length: {len(body)}\r\n"
        f"Sentry-Hook-Resource: comment\r\nRequest-ID: {number:032x}\r\nSentry-Hook-Signature: {signature}\r\n\r\n"
    ).encode() + body


class Sender:
    """Posts hooks, and notes what they get."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.seen = Seen()

    async def post(self, number: int) -> None:
        """One hook on a connection of its own."""
        hook, began = request(number), time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    self._note(await self._ask(reader, writer, hook), began)
                finally:
                    writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as fault:
            self._note(repr(fault), began)

    async def post_kept(self, number: int) -> None:
        """One hook on the connection that is kept. A proxy knows when that was closed while idle, and opens another."""
        if self._kept is None or self._kept[0].at_eof():
            self._kept = await asyncio.open_connection(HOST, self._port)
        hook, began = request(number), time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._note(await self._ask(*self._kept, hook), began)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as fault:
            self._kept = None
            self._note(f"kept: {fault!r}", began)

    @staticmethod
    async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hook: bytes) -> str:
        writer.write(hook)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        return head.split(b"\r\n")[0].decode()

    def _note(self, answer: str, began: float) -> None:
        self.seen.seconds.append(time.perf_counter() - began)
        if " 202 " not in answer:
            self.seen.refused.append(answer)


async def run(port: int, seconds: float) -> Seen:
    """Post for so long, at a steady rate, whatever the answers do."""
    sender, loop = Sender(port), asyncio.get_running_loop()
    begun, number = loop.time(), 0
    tasks: set[asyncio.Task[None]] = set()
    kept: asyncio.Task[None] | None = None
    while loop.time() < begun + seconds:
        number += 1
        if number % 2 and (kept is None or kept.done()):
            kept = asyncio.create_task(sender.post_kept(number))
            tasks.add(kept)
        else:
            tasks.add(asyncio.create_task(sender.post(number)))
        await asyncio.sleep(max(0.0, begun + number / HOOKS_A_SECOND - loop.time()))
    await asyncio.gather(*tasks)
    return sender.seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(run(int(sys.argv[1]), float(sys.argv[2]))))) + "\n")
