"""Accepting on PostgreSQL: many hooks in one statement, an answer within a bounded time whatever the database does.

A hook waits for the batch that is under way on every connection, then goes with the next. An accept has its
answer after ``ANSWER_S`` at the latest, because Sentry waits for one second and no longer.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from app.errors import NotStored, SpoolError
from app.model import Accepted, Hook
from app.spool.keys import stream_key
from app.spool.limits import ANSWER_S
from app.spool.postgres.connection import Connection, FullError, ReconnectingConnection
from app.spool.postgres.shard import CounterShard
from app.spool.postgres.worker import BatchWorker, JobQueue
from app.spool.rows import about
from app.spool.sql import Queries
from app.spool.text import storable

BATCH_HOOKS_MAX = 64
BATCH_BYTES_MAX = 4_000_000
"""Payload bytes of one statement, unless one hook alone is larger."""


class Storing:
    """A hook to store, and whoever waits for it."""

    __slots__ = ("destinations", "future", "hook", "timer", "tries")

    def __init__(self, hook: Hook, destinations: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        self.hook = hook
        self.destinations = destinations
        self.tries = 0
        self.future: asyncio.Future[Accepted] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None

    @property
    def done(self) -> bool:
        """Nobody waits for it any more."""
        return self.future.done()

    def answer(self, result: object) -> None:
        """Tell whoever waits."""
        if self.timer is not None:
            self.timer.cancel()
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)  # type: ignore[arg-type]  # the store answers with nothing else

    def fail(self, error: SpoolError) -> None:
        """It is not stored."""
        self.answer(NotStored("disk_full" if isinstance(error, FullError) else "spool_unavailable", fault=str(error)))


class Fill:
    """How full the spool is, as last seen, with what this process has added and removed since."""

    def __init__(self, *, hooks_max: int, bytes_max: int) -> None:
        self.hooks_max = hooks_max
        self.bytes_max = bytes_max
        self.hooks = 0
        self.bytes = 0

    def add(self, hooks: int, size: int) -> None:
        """So much more (or less) is stored."""
        self.hooks += hooks
        self.bytes += size

    def see(self, hooks: int, size: int) -> None:
        """So much is stored."""
        self.hooks, self.bytes = hooks, size

    def has_room(self, hooks: int, size: int) -> bool:
        """Whether so much more may be."""
        return self.hooks + hooks <= self.hooks_max and self.bytes + size <= self.bytes_max


class Accepting:
    """The queue of hooks and the connections that store them."""

    def __init__(
        self,
        queries: Queries,
        links: Sequence[ReconnectingConnection],
        fill: Fill,
        *,
        queue_hooks_max: int,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._queries = queries
        self._fill = fill
        self._queue_hooks_max = queue_hooks_max
        self._loop = asyncio.get_running_loop()
        self._line: JobQueue[Storing] = JobQueue()
        self._down = "the database does not answer"
        self._keys: set[bytes] = set()
        """Of the batches under way: a hook with one of them waits for the outcome."""
        self._workers = [
            BatchWorker(
                self._line,
                link,
                CounterShard(queries),
                choose=self._choose,
                store=self._store,
                on_down=self._told_down,
                on_fatal=on_fatal,
                on_end=self._ended,
            )
            for link in links
        ]

    @property
    def problem(self) -> str | None:
        """Why hooks cannot be stored just now, in words."""
        return self._down if all(each.suspect for each in self._workers) else None

    async def put(self, hook: Hook, destinations: Sequence[str]) -> Accepted:
        """See the interface."""
        if self._line.closed:
            raise NotStored("spool_closed")
        if self.problem:
            raise NotStored("spool_unavailable", fault=self.problem)
        if len(self._line.jobs) >= self._queue_hooks_max:
            raise NotStored("queue_full", jobs_max=self._queue_hooks_max)
        storing = Storing(hook, destinations)
        storing.timer = self._loop.call_later(ANSWER_S, self._too_late, storing)
        self._line.put(storing)
        return await storing.future

    async def close(self) -> None:
        """Store what was put before."""
        self._line.close()
        await asyncio.gather(*(each.close() for each in self._workers))

    def _choose(self, line: JobQueue[Storing]) -> list[Storing]:
        """The next batch. A hook that shares a key with one before it waits for that one's outcome."""
        batch: list[Storing] = []
        later: list[Storing] = []
        passed_over: set[bytes] = set()
        size = 0
        while line.jobs and len(batch) < BATCH_HOOKS_MAX:
            each = line.jobs[0]
            keys = each.hook.dedup_keys
            if each.done:
                line.jobs.popleft()
                continue
            if not (self._keys.isdisjoint(keys) and passed_over.isdisjoint(keys)):
                passed_over.update(keys)
                later.append(line.jobs.popleft())
                continue
            size += len(each.hook.payload)
            if batch and size > BATCH_BYTES_MAX:
                break
            self._keys.update(keys)
            batch.append(line.jobs.popleft())
        line.put_back(later)
        return batch

    def _ended(self, batch: Sequence[Storing]) -> None:
        for each in batch:
            self._keys.difference_update(each.hook.dedup_keys)

    def _too_late(self, storing: Storing) -> None:
        """No answer in time: it may be stored all the same, and its repeat then gets the first one's id."""
        storing.answer(NotStored("spool_unavailable", fault=f"no answer within {ANSWER_S:g} s"))

    def _told_down(self, fault: SpoolError) -> None:
        self._down = str(fault)
        if all(each.suspect for each in self._workers):
            self._line.fail_all(fault)

    async def _store(self, connection: Connection, shard: int, batch: Sequence[Storing]) -> Sequence[object]:
        size = sum(len(each.hook.payload) for each in batch)
        if self._fill.has_room(len(batch), size):
            return await self._insert(connection, shard, batch)
        answers = await self._look(connection, batch)
        fitting = [each for each, answer in zip(batch, answers, strict=True) if answer is None]
        stored = iter(await self._insert(connection, shard, fitting) if fitting else ())
        return [next(stored) if answer is None else answer for answer in answers]

    async def _look(self, connection: Connection, batch: Sequence[Storing]) -> list[Accepted | NotStored | None]:
        """For a spool that may be full: repeats, hooks for which there is no room, and ``None`` for the others."""
        keys = [each for storing in batch for each in storing.hook.dedup_keys]
        rows = await connection.fetch(self._queries["look"], keys)
        known = {bytes(found): delivery_id for _, _, found, delivery_id in rows if found is not None}
        self._fill.see(rows[0][0], rows[0][1])
        answers: list[Accepted | NotStored | None] = []
        hooks = size = 0
        for each in batch:
            length = len(each.hook.payload)
            repeat = next((known[key] for key in each.hook.dedup_keys if key in known), None)
            if repeat is not None:
                answers.append(Accepted(repeat, fresh=False))
            elif not self._fill.has_room(hooks + 1, size + length):
                answers.append(NotStored("spool_full", hooks_max=self._fill.hooks_max, bytes_max=self._fill.bytes_max))
            else:
                hooks, size = hooks + 1, size + length
                answers.append(None)
        return answers

    async def _insert(self, connection: Connection, shard: int, batch: Sequence[Storing]) -> Sequence[Accepted]:
        """One statement, one transaction. A key that another connection has just stored is known the next time."""
        rows = await connection.fetch(self._queries["accept"], *_columns(batch), shard)
        known: dict[int, str] = {}
        for _, _, number, delivery_id in rows:
            if number is not None:
                known.setdefault(number, delivery_id)
        fresh = [each.hook for number, each in enumerate(batch, 1) if number not in known]
        self._fill.see(rows[0][0], rows[0][1])
        self._fill.add(len(fresh), sum(len(hook.payload) for hook in fresh))
        return [
            Accepted(known[number], fresh=False) if number in known else Accepted(each.hook.delivery_id, fresh=True)
            for number, each in enumerate(batch, 1)
        ]


def _columns(batch: Sequence[Storing]) -> tuple[Sequence[Any], ...]:
    """The batch as the arrays of the statement ``accept``."""
    hooks = [each.hook for each in batch]
    keys = [(each, number) for number, hook in enumerate(hooks, 1) for each in hook.dedup_keys]
    deliveries = [
        (number, place, stream_key(each.hook.tenant, destination), len(each.destinations))
        for number, each in enumerate(batch, 1)
        for place, destination in enumerate(each.destinations)
    ]
    return (
        [each for each, _ in keys],
        [number for _, number in keys],
        [hook.delivery_id for hook in hooks],
        [hook.tenant for hook in hooks],
        [storable(hook.installation) for hook in hooks],
        [hook.received_at for hook in hooks],
        [about(hook) for hook in hooks],
        [hook.payload for hook in hooks],
        *([list(column) for column in zip(*deliveries, strict=True)] if deliveries else ([], [], [], [])),
    )
