"""A wire to PostgreSQL that reads along: it knows when a hook is being stored and when a delivery is being settled.

Statements are recognised by their text, a commit by PostgreSQL's own words: the Sync after a statement that is a
transaction by itself, or COMMIT. At a point that it was set for the wire calls ``on_point`` before it goes on, and
what it withholds then never arrives.
"""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tests.torture.choices import End
from tests.torture.wire import Dial, Way, Wire

_HEAD = 5
_STORES, _SETTLES = b"INSERT INTO spool_hooks", b"DELETE FROM spool_deliveries"
POINTS = frozenset({End.VERIFIED, End.BATCH, End.COMMITTING, End.COMMITTED, End.SETTLE_COMMITTING, End.SETTLED})
_COMMITTING = {"store": End.COMMITTING, "settle": End.SETTLE_COMMITTING}
_COMMITTED = {"store": End.COMMITTED, "settle": End.SETTLED}


@dataclass(slots=True)
class _Talk:
    """What is known of one connection."""

    statements: dict[bytes, str] = field(default_factory=dict)
    """Prepared ones that store or settle, by name."""
    carries: str = ""
    """What the transaction under way does."""
    in_block: bool = False
    """Whether it goes on until COMMIT."""
    committing: bool = False


class PostgresWire(Wire):
    """See above. One relay's connections."""

    def __init__(self, dial: Dial, on_point: Callable[[End], bool]) -> None:
        super().__init__(dial)
        self._on_point = on_point
        """Whether something was done about it; then nothing more is passed on."""

    def ways(self) -> tuple[Way, Way]:
        """Both read along."""
        talk = _Talk()
        return partial(self._there, talk), partial(self._back, talk)

    async def _there(self, talk: _Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Message by message; the first one has no kind."""
        with suppress(OSError, asyncio.IncompleteReadError):
            size = await reader.readexactly(4)
            await self.say(writer, size + await reader.readexactly(struct.unpack("!i", size)[0] - 4))
            while True:
                kind, body = await _message(reader)
                whole = kind + struct.pack("!i", len(body) + 4) + body
                point = _heed(talk, kind, body)
                if point is End.BATCH and self._on_point(End.VERIFIED):
                    return
                if point is not None and self._on_point(point):
                    if point is End.BATCH:
                        await self.say(writer, whole[: len(whole) // 2])
                    return
                await self.say(writer, whole)

    async def _back(self, talk: _Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The same; ReadyForQuery ends a transaction."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, body = await _message(reader)
                if kind == b"Z":
                    done = talk.carries if talk.committing and body == b"I" else ""
                    talk.in_block = body != b"I"
                    if body == b"I":
                        talk.carries, talk.committing = "", False
                    if done and self._on_point(_COMMITTED[done]):
                        return
                await self.say(writer, kind + struct.pack("!i", len(body) + 4) + body)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(_HEAD)
    return head[:1], await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


def _heed(talk: _Talk, kind: bytes, body: bytes) -> End | None:
    """What this message of the relay's does. ``BATCH`` stands for the one that holds the hooks."""
    if kind == b"P":
        name, _, text = body.partition(b"\0")
        talk.statements[name] = "store" if _STORES in text else "settle" if _SETTLES in text else ""
    elif kind == b"B":
        _, name, *_ = body.split(b"\0", 2)
        work = talk.statements.get(name, "")
        talk.carries = work or talk.carries
        if work == "store":
            return End.BATCH
    elif talk.carries and ((kind == b"S" and not talk.in_block) or (kind == b"Q" and b"COMMIT" in body)):
        talk.committing = True
        return _COMMITTING[talk.carries]
    return None
