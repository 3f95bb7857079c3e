"""The recorded writes of a SQLite spool, and what a power cut would have left of it at any moment. Pure.

What was synced is there. Of what was written since, any part may be: each 512 bytes for themselves. The names of the
files follow the same rule, with the folder's sync, and in the order in which they were made and removed.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from random import Random

SECTOR = 512
_HEAD = struct.Struct("=QIIQQ")
DATABASE, LOG, FOLDER = 1, 2, 4
SUFFIXES = {DATABASE: "", LOG: "-wal"}


class Op(IntEnum):
    """What a record says. The numbers are those of ``shim.c``."""

    WRITE = 1
    TRUNCATE = 2
    SYNC_BEGIN = 3
    SYNC_END = 4
    CREATE = 5
    UNLINK = 6
    ANSWER = 7
    START = 8


class Remains(StrEnum):
    """Which part of what was not synced survives."""

    NONE = "none"
    ALL = "all"
    RANDOM = "random"
    """Each sector and each change of size by chance."""
    TORN = "torn"
    """Everything up to some sector of some write, nothing after it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log. ``offset`` of a sync is its thread."""

    at: float
    """CLOCK_MONOTONIC, in seconds."""
    op: Op
    file: int
    offset: int
    content: bytes = b""


def read_log(path: Path) -> list[Record]:
    """Everything that was recorded. A process that was killed may have left the last one unfinished."""
    raw = memoryview(path.read_bytes())
    records = []
    at = 0
    while at + _HEAD.size <= len(raw):
        at_ns, op, file, offset, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        kept = length if op in {Op.WRITE, Op.ANSWER} else 0
        if at + kept > len(raw):
            break
        records.append(Record(at_ns / 1e9, Op(op), file, offset, bytes(raw[at : at + kept])))
        at += kept
    return records


@dataclass(slots=True)
class _Inode:
    """A file's content: what is synced, and what came after it."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, Record]] = field(default_factory=list)
    """With their places in the log."""


@dataclass(slots=True)
class _Name:
    """What a name in the folder stands for: synced, and each change since with its place."""

    synced: _Inode | None = None
    since: list[tuple[int, _Inode | None]] = field(default_factory=list)

    @property
    def now(self) -> _Inode | None:
        return self.since[-1][1] if self.since else self.synced


class Disk:
    """The spool's files as the records up to now made them. With ``believes_syncs`` false no sync does anything."""

    def __init__(self, *, believes_syncs: bool = True) -> None:
        self._believes_syncs = believes_syncs
        self._names = {file: _Name() for file in SUFFIXES}
        self._begun: dict[tuple[int, int], tuple[int, _Inode | None]] = {}

    def apply(self, place: int, record: Record) -> None:
        """The next record."""
        match record.op:
            case Op.WRITE | Op.TRUNCATE:
                inode = self._names[record.file].now
                assert inode is not None, "written to without having been made"
                inode.since.append((place, record))
            case Op.CREATE:
                self._names[record.file].since.append((place, _Inode()))
            case Op.UNLINK:
                self._names[record.file].since.append((place, None))
            case Op.SYNC_BEGIN:
                name = self._names.get(record.file)
                self._begun[record.file, record.offset] = place, name.now if name else None
            case Op.SYNC_END if self._believes_syncs:
                began, inode = self._begun.pop((record.file, record.offset))
                self._sync(record.file, inode, before=began)
            case _:
                pass

    def _sync(self, file: int, inode: _Inode | None, *, before: int) -> None:
        if file == FOLDER:
            for name in self._names.values():
                while name.since and name.since[0][0] < before:
                    _, name.synced = name.since.pop(0)
        elif inode is not None:
            done = [record for place, record in inode.since if place < before]
            inode.since = [each for each in inode.since if each[0] >= before]
            for record in done:
                _put(inode.synced, record)

    def left(self, remains: Remains, rng: Random) -> dict[int, bytes]:
        """The content of each file that is there after a power cut now."""
        found = {}
        for file, name in self._names.items():
            count = len(name.since)
            kept = {Remains.NONE: 0, Remains.ALL: count}.get(remains, rng.randint(0, count))
            inode = name.since[kept - 1][1] if kept else name.synced
            if inode is not None:
                content = bytearray(inode.synced)
                for record in _surviving([record for _, record in inode.since], remains, rng):
                    _put(content, record)
                found[file] = bytes(content)
        return found

    @property
    def open_writes(self) -> int:
        """How many writes are not synced."""
        return sum(len(name.now.since) for name in self._names.values() if name.now)


def _put(content: bytearray, record: Record) -> None:
    end = record.offset + len(record.content)
    if record.op is Op.TRUNCATE and len(content) > record.offset:
        del content[record.offset :]
    elif len(content) < end:
        content.extend(bytes(end - len(content)))
    content[record.offset : end] = record.content


def _surviving(since: Sequence[Record], remains: Remains, rng: Random) -> Iterator[Record]:
    if remains is Remains.ALL:
        yield from since
    elif remains is Remains.RANDOM:
        share = rng.random()
        for record in since:
            yield from (each for each in _sectors(record) if rng.random() < share)
    elif remains is Remains.TORN and since:
        last = rng.randrange(len(since))
        yield from since[:last]
        pieces = list(_sectors(since[last]))
        yield from pieces[: rng.randint(0, len(pieces))]


def _sectors(record: Record) -> Iterator[Record]:
    """A write in the pieces that a disk writes whole."""
    if record.op is Op.TRUNCATE:
        yield record
        return
    start = 0
    while start < len(record.content):
        end = min(len(record.content), (record.offset + start) // SECTOR * SECTOR + SECTOR - record.offset)
        yield Record(record.at, Op.WRITE, record.file, record.offset + start, record.content[start:end])
        start = end
