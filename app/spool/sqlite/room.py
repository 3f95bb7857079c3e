"""How much more may be stored, so that what makes room never needs room.

Delivering writes too: what became of deliveries, and the log into the file. If hooks could fill the disk up to the
last byte, nothing could ever be taken out again. So new hooks are refused while a reserve is still free, and a file
beside the spool holds some room for the case that another program has taken even that.
``docs/decisions/0048-what-makes-room-needs-none.md``
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from app.spool.sqlite.checkpointer import LOG_BYTES_MAX, empty_log
from app.spool.sqlite.file import PAGE_BYTES

RESERVE_BYTES_MAX = 64 * 1024 * 1024
"""Kept free for delivering. A group of 2,000 settled deliveries and one checkpoint of the log's bound fit in."""
HELD_BYTES_MAX = 32 * 1024 * 1024
"""The size of the file that holds room."""
RESERVE_PART = 8
"""Of a small volume the reserve is this part, and what is held half of it."""
HOOK_BYTES = PAGE_BYTES
"""A hook takes so much more than its payload: its rows, and what is left of its last page."""
GROUP_BYTES = 32 * PAGE_BYTES
"""A transaction writes so much to the log whatever is in it."""
LOOK_S = 1.0
"""So long a look holds, unless what it gave is used up before."""
SHRINK_BYTES_MAX = 8 * 1024 * 1024
"""A database that holds no more than this is made small again where room is short: that takes a moment."""
NEEDED = 1.5
"""The disk should have so many times the payload bytes that may be stored."""


class Volume(NamedTuple):
    """What there is on the disk, in bytes."""

    size: int
    """Of the file system."""
    free: int
    """On it."""
    pending: int
    """That the database file will grow by when the log is moved into it."""
    unused: int
    """In free pages of the database."""
    used: int
    """In its other pages."""


def is_full(error: Exception) -> bool:
    """Whether SQLite was told that there is no room: by the disk, or by a quota, which is another error to it."""
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


def reserve_of(size: int) -> int:
    """What is kept free on a file system of ``size`` bytes."""
    return min(RESERVE_BYTES_MAX, size // RESERVE_PART)


def held_of(size: int) -> int:
    """How large the file is that holds room on a file system of ``size`` bytes."""
    return min(HELD_BYTES_MAX, size // RESERVE_PART // 2)


def log_bytes_max(path: Path) -> int:
    """How large the log of the spool at ``path`` may grow before it is emptied: half of the reserve."""
    volume = os.statvfs(path.parent)
    return min(LOG_BYTES_MAX, reserve_of(volume.f_blocks * volume.f_frsize) // 2)


def grant(volume: Volume) -> int:
    """How many bytes may be stored: they go through the log and then into the file.

    What goes into pages that are free already needs room in the log only, and may have half of the reserve for that:
    what was emptied can be filled again.
    """
    free, reserve = volume.free - volume.pending, reserve_of(volume.size)
    return max(0, (free - reserve) // 2, min(volume.unused, free - reserve // 2))


def can_shrink(volume: Volume) -> bool:
    """Whether writing the database anew gives much back, has the room for that, and takes a moment only."""
    room = volume.free - volume.pending
    return volume.unused > volume.used and 1.5 * volume.used < room and volume.used < SHRINK_BYTES_MAX


class Room:
    """Asked by the writer before each transaction that stores hooks. ``bytes_max``: payload that may be stored."""

    def __init__(self, path: Path, *, bytes_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._held = path.with_name(path.name + "-reserve")
        self._clock = clock
        self._left = 0
        self._until = -1.0
        self.problem: str | None = None
        """Why hooks are refused, in words."""
        self.remark: str | None = None
        """Where they will be before the limit is reached, in words."""

    def look(self, connection: sqlite3.Connection, wanted: int) -> None:
        """See how much there is, unless that is known and more than ``wanted``. Outside of a transaction."""
        wanted += GROUP_BYTES * (2 if self.problem else 1)  # what was refused for is not taken up again by a hair
        if wanted <= self._left and self._clock() < self._until:
            return
        volume = self._measured(connection)
        if grant(volume) < wanted:
            volume = self._gained(connection)
        if not self._held.exists():
            self._hold(volume)
            volume = self._measured(connection)
        self._left, self._until = grant(volume), self._clock() + LOOK_S
        self.problem = None if self._left >= wanted else refusal(volume)
        self.remark = shortage(volume, self._bytes_max)

    def take(self, payload_bytes: int) -> bool:
        """Whether a hook may be stored."""
        wanted = payload_bytes + HOOK_BYTES
        if wanted + GROUP_BYTES > self._left:
            return False
        self._left -= wanted
        return True

    def fell_short(self) -> None:
        """There was no room for what had to be written: give what was held for that."""
        self._left = 0
        with suppress(OSError):
            self._held.unlink()

    def _measured(self, connection: sqlite3.Connection) -> Volume:
        volume = os.statvfs(self._path.parent)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        return Volume(
            size=volume.f_blocks * volume.f_frsize,
            free=volume.f_bavail * volume.f_frsize,
            pending=max(0, pages * PAGE_BYTES - self._path.stat().st_size),
            unused=unused * PAGE_BYTES,
            used=(pages - unused) * PAGE_BYTES,
        )

    def _gained(self, connection: sqlite3.Connection) -> Volume:
        """What there is once the log, and a database of empty pages, have given back what they can."""
        with suppress(sqlite3.Error):
            empty_log(connection)
            if can_shrink(self._measured(connection)):
                connection.execute("VACUUM")
                empty_log(connection)
        return self._measured(connection)

    def _hold(self, volume: Volume) -> None:
        """Take the room that is held, if the reserve is left then."""
        size = held_of(volume.size)
        if volume.free - volume.pending - size < reserve_of(volume.size):
            return
        with suppress(OSError):
            file = os.open(self._held, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            except OSError:
                self.fell_short()
            finally:
                os.close(file)


def refusal(volume: Volume) -> str:
    """Why nothing can be stored."""
    kept = f"{_mb(reserve_of(volume.size))} are kept to deliver what is stored"
    return f"hooks are refused: the disk has {_mb(volume.free)} left, and {kept}"


def _mb(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


def shortage(volume: Volume, bytes_max: int) -> str | None:
    """Whether the disk is full before the spool is, in words."""
    room = volume.free + volume.unused + volume.used
    if room >= NEEDED * bytes_max:
        return None
    has, wanted, fitting = _mb(room), _mb(bytes_max), _mb(room / NEEDED)
    return (
        f"the disk has {has} for the spool, and RELAY_SPOOL_BYTES_MAX is {wanted}: with more than {fitting} hooks are "
        "refused for the disk before they are for the limit"
    )
