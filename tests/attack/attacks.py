"""What strangers do to the port: ``python -m tests.attack.attacks NAME PORT SECONDS`` prints how many bytes it sent.

Each attack keeps on for as long as it is told, renews what the relay closes, and reads no more than it has to. Loopback
only, bounded in time and in connections.
"""

import asyncio
import random
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import uvloop

HOST = "127.0.0.1"
WRONG = b"Sentry-Hook-Signature: " + b"0" * 64 + b"\r\n"
ACME = b"POST /sentry/acme HTTP/1.1\r\nHost: r\r\n" + WRONG
NOBODY = b"POST /sentry/nobody HTTP/1.1\r\nHost: r\r\n" + WRONG
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = 65_536
BODY_BYTES = 9_900_000
PAUSE_S = 0.05
"""Between a connection that the relay closed and the next one: an attacker has to wait for a handshake, too."""


@dataclass
class Attack:
    """One run of one attack."""

    port: int
    end: float
    sent: int = 0

    @property
    def over(self) -> bool:
        """Whether it has lasted long enough."""
        return asyncio.get_running_loop().time() >= self.end

    async def keep(self, count: int, talk: Callable[["Line"], Awaitable[None]], *, pause_s: float = PAUSE_S) -> None:
        """Hold ``count`` connections, each renewed once ``talk`` is done with it."""
        await asyncio.gather(*(self._renew(talk, pause_s) for _ in range(count)))

    async def _renew(self, talk: Callable[["Line"], Awaitable[None]], pause_s: float) -> None:
        await asyncio.sleep(random.random() * pause_s)  # noqa: S311 - not for secrets
        while not self.over:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with asyncio.timeout_at(self.end):
                    reader, writer = await asyncio.open_connection(HOST, self.port)
                    try:
                        await talk(Line(self, reader, writer))
                    finally:
                        writer.transport.abort()
            await asyncio.sleep(pause_s)


@dataclass
class Line:
    """One connection of an attack."""

    attack: Attack
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Send, as far as the relay reads."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            self.attack.sent += len(piece)

    async def wait(self, seconds: float = 3600.0) -> None:
        """Be silent until the relay closes, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.reader.read(PIECE):
                    pass

    async def dribble(self, piece: bytes, every_s: float) -> None:
        """Send a little, now and then, until the relay closes."""
        while not self.reader.at_eof():
            await self.send(piece)
            await self.wait(every_s)


async def nothing(attack: Attack) -> None:
    """No attack: what the machine does by itself."""
    await asyncio.sleep(attack.end - asyncio.get_running_loop().time())


async def announced_to_nobody(attack: Attack) -> None:
    """Bodies announced to a tenant that does not exist, and never sent."""

    async def talk(line: Line) -> None:
        await line.send(NOBODY + CHUNKED)
        await line.wait()

    await attack.keep(39, talk)


async def announced(attack: Attack) -> None:
    """Ten megabytes announced under a signature of the right form, and never sent."""

    async def talk(line: Line) -> None:
        await line.send(ACME + b"Content-Length: %d\r\n\r\n" % BODY_BYTES)
        await line.wait()

    await attack.keep(1_500, talk)


async def one_byte(attack: Attack) -> None:
    """Bodies that stop after a byte."""

    async def talk(line: Line) -> None:
        await line.send(ACME + b"Content-Length: 100\r\n\r\n{")
        await line.wait()

    await attack.keep(1_500, talk)


async def unfinished(attack: Attack) -> None:
    """Large bodies of which the last byte never comes."""

    async def talk(line: Line) -> None:
        await line.send(ACME + b"Content-Length: %d\r\n\r\n" % BODY_BYTES)
        await line.send(*[b"x" * PIECE] * (BODY_BYTES // PIECE))
        await line.wait()

    await attack.keep(40, talk)


def _floats(size: int) -> bytes:
    text = ",".join(repr(random.random()) for _ in range(size // 19))  # noqa: S311 - not for secrets
    return f"[{text}]".encode()


async def _unsigned(attack: Attack, count: int, size: int) -> None:
    body = _floats(size)

    async def talk(line: Line) -> None:
        await line.send(ACME + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await line.wait(5)

    await attack.keep(count, talk, pause_s=0.001)


async def large_floats(attack: Attack) -> None:
    """A megabyte of numbers under a wrong signature, as fast as it goes."""
    await _unsigned(attack, 12, 999_000)


async def small_floats(attack: Attack) -> None:
    """The same in bodies small enough to be looked at for a hint."""
    await _unsigned(attack, 64, 60_000)


async def small_bodies(attack: Attack) -> None:
    """A hundred bytes under a wrong signature, as fast as it goes."""
    await _unsigned(attack, 64, 100)


async def large_header(attack: Attack) -> None:
    """One header of sixty megabytes."""

    async def talk(line: Line) -> None:
        await line.send(ACME + b"X: ", *[b"x" * PIECE] * (60_000_000 // PIECE))
        await line.wait(5)

    await attack.keep(4, talk)


async def many_headers(attack: Attack) -> None:
    """Twenty megabytes of headers of two bytes."""

    async def talk(line: Line) -> None:
        await line.send(ACME, *[b"a:\r\n" * (PIECE // 4)] * (20_000_000 // PIECE))
        await line.wait(5)

    await attack.keep(4, talk)


async def long_url(attack: Attack) -> None:
    """A URL of thirty megabytes."""

    async def talk(line: Line) -> None:
        await line.send(b"POST /sentry/", *[b"a" * PIECE] * (30_000_000 // PIECE))
        await line.wait(5)

    await attack.keep(4, talk)


async def trailers(attack: Attack) -> None:
    """Trailers without end after a body of chunks."""

    async def talk(line: Line) -> None:
        await line.send(ACME + CHUNKED + b"1\r\nx\r\n0\r\nX: ", *[b"x" * PIECE] * (30_000_000 // PIECE))
        await line.wait(5)

    await attack.keep(8, talk)


async def chunk_extensions(attack: Attack) -> None:
    """A chunk whose extension never ends."""

    async def talk(line: Line) -> None:
        await line.send(ACME + CHUNKED + b"1;x=", *[b"x" * PIECE] * (30_000_000 // PIECE))
        await line.wait(5)

    await attack.keep(8, talk)


async def slow_heads(attack: Attack) -> None:
    """Heads that come a byte at a time, on more connections than there are."""

    async def talk(line: Line) -> None:
        await line.send(b"POST /sentry/acme HTTP/1.1\r\nX: ")
        await line.dribble(b"x", 2)

    await attack.keep(1_500, talk)


async def line_ends(attack: Attack) -> None:
    """A request, its answer, and then line ends for ever."""

    async def talk(line: Line) -> None:
        await line.send(b"GET /livez HTTP/1.1\r\nHost: r\r\n\r\n")
        await line.dribble(b"\r\n", 2)

    await attack.keep(1_500, talk)


async def slow_chunks(attack: Attack) -> None:
    """Bodies at a path where nobody reads them, a chunk now and then."""

    async def talk(line: Line) -> None:
        await line.send(b"GET /livez HTTP/1.1\r\nHost: r\r\n" + CHUNKED)
        await line.dribble(b"1\r\nx\r\n", 1)

    await attack.keep(1_500, talk)


async def silence(attack: Attack) -> None:
    """Connections on which nothing is said."""

    async def talk(line: Line) -> None:
        await line.wait()

    await attack.keep(2_500, talk)


async def pipelined(attack: Attack) -> None:
    """Requests without end on one connection, whose answers nobody reads."""

    async def talk(line: Line) -> None:
        await line.send(*[b"GET /livez HTTP/1.1\r\n\r\n" * (PIECE // 23)] * 200)
        await asyncio.sleep(5)

    await attack.keep(20, talk)


async def _asking(attack: Attack, count: int, *paths: bytes) -> None:
    async def talk(line: Line) -> None:
        while True:
            for path in paths:
                await line.send(b"GET " + path + b" HTTP/1.1\r\nHost: r\r\n\r\n")
                head = await line.reader.readuntil(b"\r\n\r\n")
                length = next(part for part in head.lower().split(b"\r\n") if part.startswith(b"content-length"))
                await line.reader.readexactly(int(length.split(b":")[1]))

    await attack.keep(count, talk, pause_s=0.001)


async def pages(attack: Attack) -> None:
    """The pages that ask nobody who they are, as fast as they come."""
    await _asking(attack, 100, b"/metrics", b"/readyz", b"/livez", b"/version")


async def nowhere(attack: Attack) -> None:
    """Paths that do not exist, as fast as they come."""
    await _asking(attack, 100, b"/nothing", b"/sentry/nobody", b"/admin")


async def unread_pages(attack: Attack) -> None:
    """Pages that are asked for and not read."""

    async def talk(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined] # it reads and writes
        await line.send(b"GET /metrics HTTP/1.1\r\n\r\n" * 10)
        await asyncio.sleep(5)

    await attack.keep(200, talk)


async def garbage(attack: Attack) -> None:
    """What is no HTTP, as fast as it goes."""

    async def talk(line: Line) -> None:
        await line.send(random.randbytes(200))  # noqa: S311 - not for secrets
        await line.wait(5)

    await attack.keep(64, talk, pause_s=0.001)


async def churn(attack: Attack) -> None:
    """Connections that come, say half a line, and go, as fast as it goes."""

    async def talk(line: Line) -> None:
        await line.send(b"POST /sentry/acme HT")

    await attack.keep(64, talk, pause_s=0.001)


ATTACKS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    attack.__name__: attack
    for attack in (
        nothing,
        announced_to_nobody,
        announced,
        one_byte,
        unfinished,
        large_floats,
        small_floats,
        small_bodies,
        large_header,
        many_headers,
        long_url,
        trailers,
        chunk_extensions,
        slow_heads,
        line_ends,
        slow_chunks,
        silence,
        pipelined,
        pages,
        nowhere,
        unread_pages,
        garbage,
        churn,
    )
}


async def run(name: str, port: int, seconds: float) -> int:
    """One attack; how many bytes it sent."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # of connections that the relay has closed
    attack = Attack(port, loop.time() + seconds)
    with suppress(TimeoutError):
        async with asyncio.timeout_at(attack.end + 2):
            await ATTACKS[name](attack)
    return attack.sent


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sent = uvloop.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(f"{sent}\n")
