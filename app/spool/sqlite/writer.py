"""One writer thread that puts whatever is waiting into one transaction: a disk's sync is paid once a group.

The event loop never touches the file: a disk that takes 20 ms to sync, or seconds to answer, delays the
answers that wait for it and nothing else. See ``docs/decisions/0003-where-the-commit-runs.md``.

Whoever waits here gets an answer: an accept after ``ANSWER_S`` at the latest, everybody when the thread dies.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from app.errors import NotStored, SpoolError
from app.spool.limits import ANSWER_S
from app.spool.sqlite.checkpointer import LOG_BYTES_MAX, Checkpointer, close
from app.spool.sqlite.room import is_full
from app.spool.sqlite.salvage.walk import is_damage

GROUP_JOBS_MAX = 256
"""More in one transaction gains nothing and makes the first of them wait."""
GROUP_BYTES_MAX = 8_000_000
"""Payload bytes after which a group is closed: what is written for longer is answered too late."""
GATHER_S = 0.001
"""A group that is not half of the one before waits this long, once: a transaction costs as much as many rows."""
TICK_S = 0.1
"""How often accepts that wait are looked at."""
PROBE_S = 1.0
"""After a failed transaction one that stores nothing is tried this often, so that readiness knows when it is over."""
FAILING_S = 2.0
"""One transaction may fail for what was in it; after so long without one that succeeds it is the disk."""
CLOSE_S = 5.0
"""A disk that does not answer holds up no end longer than this."""

_CLOSE: Any = object()


class HookWriter(Protocol):
    """What the writer does with a group of accepts: the only job that is worth doing in bulk."""

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored although the file can be written, in words."""
        ...

    @property
    def remark(self) -> str | None:
        """What else there is to say."""
        ...

    def opening(self, connection: sqlite3.Connection, items: Sequence[Any], /) -> None:
        """The transaction with these is about to begin."""
        ...

    def __call__(self, connection: sqlite3.Connection, items: Sequence[Any], /) -> Sequence[object]:
        """One answer an item; an answer that is an exception is raised to that item's caller alone."""
        ...

    def closing(self, connection: sqlite3.Connection, /) -> None:
        """The last thing that is written in every transaction."""
        ...

    def probe(self, connection: sqlite3.Connection, /) -> None:
        """Write something that changes nothing."""
        ...

    def committed(self) -> None:
        """The transaction that held the last call is durable."""
        ...

    def rolled_back(self, error: Exception) -> None:
        """The transaction that held the last call never happened."""
        ...

    def unread(self, item: Any, result: object) -> None:  # noqa: ANN401 - as in the call
        """Nobody waits any more for this answer. Called on the loop."""
        ...


class Job:
    """Something to write, and whoever waits for it."""

    __slots__ = ("future", "item", "size", "work")

    def __init__(self, item: object, work: Callable[[sqlite3.Connection], object] | None, size: int = 0) -> None:
        self.item = item
        self.work = work
        self.size = size
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class GroupCommit:
    """The writer thread. Made on the event loop that its callers run on, where ``on_fatal`` is called if it dies."""

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        store: HookWriter,
        *,
        jobs_max: int,
        log_bytes_max: int = LOG_BYTES_MAX,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._store = store
        self._jobs_max = jobs_max
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._awaited: deque[tuple[float, Job]] = deque()
        """Accepts by the time at which they are answered for; those that are done stay until they are looked at."""
        self._ticking = False
        self._connection: sqlite3.Connection | None = connect()
        self._checkpointer = Checkpointer(path, connect, log_bytes_max=log_bytes_max)
        self._closed = False
        self._dead = ""
        """What the thread died of."""
        self._expected = 0
        self._fault = ""
        """Why the last transaction failed; empty if it did not."""
        self._failing_since = 0.0
        self._began: float | None = None
        """Since when a group is being written."""
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def put(self, item: object, *, size: int = 0) -> asyncio.Future[Any]:
        """Have ``item``, of ``size`` bytes, stored by the bulk store.

        The future is done when it is durable, or after ``ANSWER_S``.

        Raises:
            NotStored: the queue is full, the spool is closing, or its thread is dead.
        """
        if self._dead:
            raise NotStored("spool_unavailable", fault=self._dead)
        if self._closed:
            raise NotStored("spool_closed")
        if self._queue.qsize() >= self._jobs_max:
            raise NotStored("queue_full", jobs_max=self._jobs_max)
        job = Job(item, None, size)
        self._queue.put(job)
        self._awaited.append((self._loop.time() + ANSWER_S, job))
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK_S, self._tick)
        return job.future

    def do(self, work: Callable[[sqlite3.Connection], object]) -> asyncio.Future[Any]:
        """Run ``work`` inside the next transaction; the future has its result once that is durable.

        Cancel the future to have it not done, if it is not under way.
        """
        if self._closed or self._dead:
            raise SpoolError(self._dead or "the spool is closed")
        job = Job(None, work)
        self._queue.put(job)
        return job.future

    @property
    def problem(self) -> str | None:
        """Why hooks cannot be stored just now, in words."""
        if self._dead:
            return self._dead
        now, began = time.monotonic(), self._began
        if began is not None and now - began > ANSWER_S:
            return f"the disk has not answered for {now - began:.0f} s"
        if self._fault and now - self._failing_since > FAILING_S:
            return f"nothing could be written for {now - self._failing_since:.0f} s: {self._fault}"
        return self._store.problem

    @property
    def remarks(self) -> list[str]:
        """What else there is to say."""
        fault = self._checkpointer.fault
        log = f"the write-ahead log cannot be moved into the database file, and grows: {fault}" if fault else None
        return [each for each in (log, self._store.remark) if each]

    @property
    def has_room(self) -> bool:
        """Whether the store has nothing against more being stored."""
        return self._store.problem is None

    async def close(self) -> bool:
        """Write what was put before, then end the thread and close the file. Whether that was done in ``CLOSE_S``."""
        if not self._closed:
            self._closed = True
            self._queue.put(_CLOSE)
            await asyncio.to_thread(self._thread.join, CLOSE_S)
        return not self._thread.is_alive()

    def _tick(self) -> None:
        """No answer in time: it may be stored all the same, and its repeat then gets the first one's id."""
        now, awaited = self._loop.time(), self._awaited
        while awaited and (awaited[0][1].future.done() or awaited[0][0] <= now):
            _, job = awaited.popleft()
            if not job.future.done():
                job.future.set_exception(NotStored("spool_unavailable", fault=f"no answer within {ANSWER_S:g} s"))
        self._ticking = bool(awaited)
        if self._ticking:
            self._loop.call_later(TICK_S, self._tick)

    def _run(self) -> None:
        """Until closed. Whatever ends it otherwise is told to everybody who waits."""
        group: list[Job] = []
        try:
            last = False
            while group or not last:  # at first nothing: how much room is there, can it be written at all
                jobs = len(group)
                self._began = time.monotonic()
                self._tell(self._resolve, group, self._write(group))
                group = []  # or its payloads would stay until the next one is gathered
                if self._connection is not None:
                    self._checkpointer.committed(self._connection, jobs)
                self._began = None
                if not last:
                    group, last = self._gather()
            self._checkpointer.close()
            self._let_go()
        except BaseException as error:  # noqa: BLE001 - a thread that ended unseen would leave everybody waiting
            self._tell(self._died, group, error)
            with suppress(sqlite3.Error):
                self._let_go()

    def _resolve(self, group: Sequence[Job], results: Sequence[object]) -> None:
        for job, result in zip(group, results, strict=True):
            item, job.item = job.item, None  # whoever looks at it later needs no payload
            if job.future.done():
                if item is not None:
                    self._store.unread(item, result)
            elif isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)

    def _tell(self, tell: Callable[..., None], *values: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(tell, *values)

    def _died(self, group: Sequence[Job], error: BaseException) -> None:
        """On the loop, where whoever puts something in sees it at once."""
        self._dead = f"the spool's writer died: {type(error).__name__}: {error}"
        left = list(group)
        with suppress(queue.Empty):
            while True:
                left.append(self._queue.get_nowait())
        self._resolve(left, [_fault(job, self._dead) for job in left])
        self._on_fatal(self._dead)

    def _gather(self) -> tuple[list[Job], bool]:
        """The next group, and whether it is the last. Waits a little where the last group shows that more will come."""
        try:
            group = [self._queue.get(timeout=PROBE_S if self._fault or self._store.problem else None)]
        except queue.Empty:
            return [], False
        size = 0
        while group[-1] is not _CLOSE and len(group) < GROUP_JOBS_MAX:
            size += group[-1].size
            if size > GROUP_BYTES_MAX:
                break
            try:
                group.append(self._queue.get_nowait())
            except queue.Empty:
                if len(group) * 2 > self._expected:
                    break
                self._expected = 0
                time.sleep(GATHER_S)
        self._expected = len(group)
        last = group[-1] is _CLOSE
        return [job for job in group if job is not _CLOSE and not job.future.done()], last

    def _write(self, group: list[Job]) -> Sequence[object]:
        """One transaction for the whole group; a fault fails all of it, and each caller decides anew."""
        try:
            connection = self._connection = self._connection or self._connect()
            self._store.opening(connection, [job.item for job in group if job.work is None])
            connection.execute("BEGIN IMMEDIATE")
            results = self._fill(connection, group)
            self._store.closing(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            self._undo(error)
            if len(group) > 1 and is_damage(error):  # only whoever meets what is damaged fails
                return [result for job in group for result in self._write([job])]
            return self._failed(group, error)
        self._store.committed()
        try:
            self._keep_log(connection)
        except sqlite3.Error as error:
            return self._failed(group, error)
        self._fault = ""
        return results

    def _keep_log(self, connection: sqlite3.Connection) -> None:
        """A log that was moved or removed is emptied into the database, and the next connection begins another.

        If that fails this connection goes on: only its file has what was committed.

        Raises:
            sqlite3.Error: what was committed would not survive a crash.
        """
        if not self._checkpointer.has_log():
            self._checkpointer.rescue(connection)
            self._let_go()

    def _fill(self, connection: sqlite3.Connection, group: list[Job]) -> Sequence[object]:
        if not group:
            self._store.probe(connection)
        items = [job.item for job in group if job.work is None]
        stored = iter(self._store(connection, items) if items else ())
        return [next(stored) if job.work is None else job.work(connection) for job in group]

    def _failed(self, group: Sequence[Job], error: Exception) -> Sequence[Exception]:
        if not self._fault:
            self._failing_since = time.monotonic()
        self._fault = str(error) or type(error).__name__
        reason = "disk_full" if is_full(error) else "spool_unavailable"
        faults = [_fault(job, str(error), reason=reason) for job in group]
        for fault in faults:
            fault.__cause__ = error
        return faults

    def _undo(self, error: Exception) -> None:
        """After a failed sync nothing that the connection believes is certain: go on with a new one."""
        self._store.rolled_back(error)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.rollback()
                self._keep_log(self._connection)
            self._let_go()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        close(connection)


def _fault(job: Job, words: str, *, reason: str = "spool_unavailable") -> Exception:
    return NotStored(reason, fault=words) if job.work is None else SpoolError(f"{reason}: {words}")
