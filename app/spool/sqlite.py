"""The spool on one SQLite file: WAL, ``synchronous=FULL``, one owning process.

Two connections: the writer's (``group_commit``) and a reader's, each on a thread of its own. Leases live in
memory (``leases``). The promise is ``interface``'s.
"""

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar
from uuid import uuid4

import orjson

from app.errors import SpoolError
from app.model import Accepted, Burial, DeadLetter, Delivery, Hook, SpoolStats, Stream
from app.spool import reading, writing
from app.spool.accepting import HookStore, Wanted
from app.spool.group_commit import GroupCommit
from app.spool.leases import Leases, key
from app.spool.queries import Queries

APPLICATION_ID = 0x53535231
"""``SSR1``, in the file's header: tells a spool from any other SQLite file."""
COPYING_ID = 0x53535243
"""``SSRC``: a spool that is being copied into. No relay opens it."""
SCHEMA_VERSION = 1
CACHE_KIB = 16_384
PAGE_BYTES = 8_192
"""A payload of 10 KB then takes two pages to write instead of three; see decision 0003."""

_QUERIES = Queries("sqlite.sql")
_T = TypeVar("_T")


class SqliteSpool:
    """See ``app.spool.interface.Spool``. Made by ``await SqliteSpool.open(...)``."""

    def __init__(self, path: Path, lock: IO[str], *, writer: GroupCommit, clock: Callable[[], float]) -> None:
        self._path = path
        self._lock = lock
        self._writer = writer
        self._clock = clock
        self._leases = Leases()
        self._claiming = asyncio.Lock()
        self._after = ""
        self._wake: Callable[[], None] = lambda: None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="spool-reader")
        self._read_connection = connect(path)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        hooks_max: int,
        bytes_max: int,
        queue_hooks_max: int,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open or make the spool at ``path`` (with its folder) and become its one owner.

        ``hooks_max`` and ``bytes_max`` (of payload) bound what is stored, ``queue_hooks_max`` what
        waits for the disk. ``clock`` gives Unix seconds.

        Raises:
            SpoolError: it is another process's, another program's or a newer version's, or cannot be opened.
        """
        lock, seq = await asyncio.to_thread(_prepare, path)
        store = HookStore(_QUERIES, clock=clock, hooks_max=hooks_max, bytes_max=bytes_max, seq=seq)
        writer = GroupCommit(path, partial(connect, path), store, jobs_max=queue_hooks_max)
        return cls(path, lock, writer=writer, clock=clock)

    async def __aenter__(self) -> Self:
        """The open spool itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def on_due(self, wake: Callable[[], None]) -> None:
        """See the interface."""
        self._wake = wake

    async def accept(self, hook: Hook, destinations: Sequence[str]) -> Accepted:
        """See the interface."""
        accepted: Accepted = await self._writer.put(Wanted(hook, destinations))
        if accepted.fresh:
            self._wake()
        return accepted

    async def claim(
        self, *, limit: int, per_stream: int, bytes_max: int, lease_s: float, busy: Collection[Stream] = ()
    ) -> list[Delivery]:
        """See the interface."""
        async with self._claiming:
            now = self._clock()
            leased = self._leases.held(now)
            lease = uuid4().hex
            wanted = reading.Wanted(
                after=self._after,
                leased=orjson.dumps(leased).decode(),
                busy=orjson.dumps([key(*stream) for stream in busy]).decode(),
                now=now,
                limit=limit,
                per_stream=per_stream,
                bytes_max=bytes_max,
            )
            deliveries, self._after = await self._read(partial(reading.pick, wanted=wanted, lease=lease))
            self._leases.take((each.seq for each in deliveries), lease, now + lease_s)
            return deliveries

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """See the interface."""
        now = self._clock()
        ours = self._leases.ours(deliveries, now)
        self._leases.extend(ours, now + lease_s)
        return {each.seq for each in ours}

    async def settle(self, deliveries: Sequence[Delivery], *, filtered: bool = False) -> int:
        """See the interface."""
        column = "book_filtered" if filtered else "book_delivered"
        return await self._change(deliveries, lambda ours: partial(writing.settle, ours, column))

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        attempted: bool,
        ambiguous: bool = False,
        fault: str = "",
    ) -> int:
        """See the interface."""
        row = {
            "due_at": self._clock() + retry_in_s,
            "attempted": attempted,
            "ambiguous": ambiguous,
            "fault": fault,
        }
        count = await self._change(deliveries, lambda ours: partial(writing.release, ours, row))
        if retry_in_s <= 0:
            self._wake()
        return count

    async def bury(self, burials: Sequence[Burial]) -> int:
        """See the interface."""
        by_seq = {each.delivery.seq: each for each in burials}
        now = self._clock()
        return await self._change(
            [each.delivery for each in burials],
            lambda ours: partial(writing.bury, [by_seq[each.seq] for each in ours], now),
        )

    async def _change(
        self,
        deliveries: Sequence[Delivery],
        job: Callable[[Sequence[Delivery]], Callable[[Queries, sqlite3.Connection], object]],
    ) -> int:
        """Write ``job`` over those that are still ours, and let go of them once it is durable."""
        ours = self._leases.ours(deliveries, self._clock())
        if not ours:
            return 0
        before = self._leases.pin(ours)
        try:
            await self._write(job(ours))
        except BaseException:
            self._leases.unpin(before)
            raise
        self._leases.drop(ours)
        return len(ours)

    async def adopt(self, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """See the interface."""
        adopted = 0
        while True:
            count: int = await self._write(
                partial(
                    writing.adopt,
                    installation=installation,
                    tenant=tenant,
                    destinations=destinations,
                    now=self._clock(),
                )
            )
            adopted += count
            if count:
                self._wake()
            else:
                return adopted

    async def parked(self) -> Sequence[str]:
        """See the interface."""
        rows = await self._read(partial(reading.rows, name="parked"))
        return [installation for (installation,) in rows]

    async def expire(self, *, waiting_age_s: float, dedup_window_s: float, limit: int) -> int:
        """See the interface."""
        now = self._clock()
        leased = orjson.dumps(self._leases.held(now)).decode()
        changed: int = await self._write(
            partial(
                writing.expire,
                now=now,
                leased=leased,
                waiting_age_s=waiting_age_s,
                dedup_window_s=dedup_window_s,
                limit=limit,
            )
        )
        return changed

    async def dead_letters(self, *, tenant: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        """See the interface."""
        prefix = None if tenant is None else key(tenant, "")
        return await self._read(partial(reading.dead_letters, prefix=prefix, limit=limit))

    async def redeliver(self, delivery_ids: Sequence[str]) -> int:
        """See the interface."""
        count: int = await self._write(partial(writing.redeliver, delivery_ids, self._clock()))
        if count:
            self._wake()
        return count

    async def discard(self, delivery_ids: Sequence[str]) -> int:
        """See the interface."""
        count: int = await self._write(partial(writing.discard, delivery_ids))
        return count

    async def stats(self) -> SpoolStats:
        """See the interface."""
        return await self._read(reading.stats)

    async def close(self) -> None:
        """See the interface."""
        await self._writer.close()
        await asyncio.to_thread(self._reader.shutdown)
        self._read_connection.close()
        self._lock.close()

    async def _write(self, job: Callable[[Queries, sqlite3.Connection], object]) -> Any:  # noqa: ANN401 - the job's own
        return await self._writer.do(partial(job, _QUERIES))

    async def _read(self, job: Callable[[Queries, sqlite3.Connection], _T]) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reader, job, _QUERIES, self._read_connection)
        except (sqlite3.Error, RuntimeError) as error:  # the latter: the reader is closed
            raise SpoolError(f"spool_unavailable: {error}") from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection as the spool wants it: no implicit transactions, every commit synced."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=10)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # checkpoint.py
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _prepare(path: Path) -> tuple[IO[str], int]:
    """Lock, check before any write, make what is missing; the lock and the last seq."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = lock_file(path)
        try:
            new = not path.exists() or path.stat().st_size == 0
            with sqlite3.connect(path, isolation_level=None) as connection:
                if not new:
                    check_file(path, connection)
                lay_out(connection, new=new)
                (seq,) = connection.execute(_QUERIES["last_seq"]).fetchone()
            connection.close()
            if new:
                path.chmod(0o600)
                _sync_folder(path.parent)
        except BaseException:
            lock.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"the spool {path} cannot be opened: {error}") from error
    return lock, int(seq)


def lock_file(path: Path) -> IO[str]:
    """Become the owner of the spool at ``path``, for as long as what is returned is open."""
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SpoolError(f"the spool {path} is open in another process; a SQLite spool has one owner") from None
    return lock


def check_file(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a file that is no spool, or not one that this relay can work with."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == COPYING_ID:
        raise SpoolError(f"the copy into {path} has not ended: run relay spool copy again")
    if application_id != APPLICATION_ID and (tables or application_id):
        raise SpoolError(f"{path} is a SQLite file of another program, not a spool")
    if version > SCHEMA_VERSION:
        raise SpoolError(
            f"the spool {path} has schema version {version}, this relay knows {SCHEMA_VERSION}: "
            "run the relay version that wrote it, or a newer one"
        )


def lay_out(connection: sqlite3.Connection, *, new: bool) -> None:
    """Make what is missing."""
    if new:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(
            f"BEGIN; {Queries.text('sqlite_schema.sql')}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )


def _sync_folder(folder: Path) -> None:
    """The file's own entry in its folder has to survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
