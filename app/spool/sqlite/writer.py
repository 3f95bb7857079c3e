"""One writer thread that puts whatever is waiting into one transaction: a disk's sync is paid once a group.

The event loop never touches the file: a disk that takes 20 ms to sync, or seconds to answer, delays the
answers that wait for it and nothing else. See ``docs/decisions/0003-where-the-commit-runs.md``.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from app.errors import NotStored, SpoolError
from app.spool.sqlite.checkpointer import Checkpointer

GROUP_JOBS_MAX = 256
"""More in one transaction gains nothing and makes the first of them wait."""

GATHER_S = 0.001
"""A group that is not half of the one before waits this long, once: a transaction costs as much as many rows."""

_CLOSE: Any = object()


class HookWriter(Protocol):
    """What the writer does with a group of accepts: the only job that is worth doing in bulk."""

    def __call__(self, connection: sqlite3.Connection, items: Sequence[Any], /) -> Sequence[object]:
        """One answer an item; an answer that is an exception is raised to that item's caller alone."""
        ...

    def closing(self, connection: sqlite3.Connection, /) -> None:
        """The last thing that is written in every transaction."""
        ...

    def committed(self) -> None:
        """The transaction that held the last call is durable."""
        ...

    def rolled_back(self) -> None:
        """The transaction that held the last call never happened."""
        ...


class Job:
    """Something to write, and whoever waits for it."""

    __slots__ = ("future", "item", "work")

    def __init__(self, item: object, work: Callable[[sqlite3.Connection], object] | None) -> None:
        self.item = item
        self.work = work
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class GroupCommit:
    """The writer thread. Made on the event loop that its callers run on."""

    def __init__(
        self, path: Path, connect: Callable[[], sqlite3.Connection], store: HookWriter, *, jobs_max: int
    ) -> None:
        self._connect = connect
        self._store = store
        self._jobs_max = jobs_max
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = connect()
        self._checkpointer = Checkpointer(path, connect)
        self._closed = False
        self._expected = 0
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def put(self, item: object) -> asyncio.Future[Any]:
        """Have ``item`` stored by the bulk store; the future is done when it is durable.

        Raises:
            NotStored: the queue is full, or the spool is closing.
        """
        if self._closed:
            raise NotStored("spool_closed")
        if self._queue.qsize() >= self._jobs_max:
            raise NotStored("queue_full", jobs_max=self._jobs_max)
        job = Job(item, None)
        self._queue.put(job)
        return job.future

    def do(self, work: Callable[[sqlite3.Connection], object]) -> asyncio.Future[Any]:
        """Run ``work`` inside the next transaction; the future has its result once that is durable."""
        if self._closed:
            raise SpoolError("the spool is closed")
        job = Job(None, work)
        self._queue.put(job)
        return job.future

    async def close(self) -> None:
        """Write what was put before, then end the thread and close the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(_CLOSE)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._gather()
            if group:
                self._loop.call_soon_threadsafe(_resolve, group, self._write(group))
            del group  # or its payloads would stay until the next one is gathered
        self._checkpointer.close()
        if self._connection is not None:
            self._connection.close()

    def _gather(self) -> tuple[list[Job], bool]:
        """The next group, and whether it is the last. Waits a little where the last group shows that more will come."""
        group = [self._queue.get()]
        while group[-1] is not _CLOSE and len(group) < GROUP_JOBS_MAX:
            try:
                group.append(self._queue.get_nowait())
            except queue.Empty:
                if len(group) * 2 > self._expected:
                    break
                self._expected = 0
                time.sleep(GATHER_S)
        self._expected = len(group)
        if group[-1] is _CLOSE:
            return group[:-1], True
        return group, False

    def _write(self, group: list[Job]) -> Sequence[object]:
        """One transaction for the whole group; a fault fails all of it, and each caller decides anew."""
        try:
            connection = self._connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            results = self._fill(connection, group)
            self._store.closing(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            self._undo()
            return [_fault(job, error) for job in group]
        self._store.committed()
        self._checkpointer.committed(connection, len(group))
        return results

    def _fill(self, connection: sqlite3.Connection, group: list[Job]) -> Sequence[object]:
        items = [job.item for job in group if job.work is None]
        stored = iter(self._store(connection, items) if items else ())
        return [next(stored) if job.work is None else job.work(connection) for job in group]

    def _undo(self) -> None:
        """After a failed sync nothing that the connection believes is certain: go on with a new one."""
        self._store.rolled_back()
        if self._connection is not None:
            try:
                self._connection.rollback()
            except sqlite3.Error:
                pass
            finally:
                self._connection.close()
                self._connection = None


def _fault(job: Job, error: Exception) -> Exception:
    full = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    reason = "disk_full" if full else "spool_unavailable"
    if job.work is None:
        return NotStored(reason, fault=str(error))
    return SpoolError(f"{reason}: {error}")


def _resolve(group: Sequence[Job], results: Sequence[object]) -> None:
    for job, result in zip(group, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
