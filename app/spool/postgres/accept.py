"""Accepting on PostgreSQL: many hooks in one statement, an answer within a bounded time whatever the database does.

A hook waits for the batch that is under way on every connection, then goes with the next. An accept has its
answer after ``ANSWER_S`` at the latest, because Sentry waits for one second and no longer.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from app.errors import NotStored, SpoolError
from app.model import Accepted, Hook
from app.spool.identity import RESEND_S, Remembered, repeat_of
from app.spool.keys import stream_key
from app.spool.limits import ANSWER_S
from app.spool.postgres.connection import Connection, FullError, ReconnectingConnection
from app.spool.postgres.shard import CounterShard
from app.spool.postgres.unanswered import UnansweredNotes
from app.spool.postgres.worker import BatchWorker, JobQueue
from app.spool.rows import about
from app.spool.sql import Queries
from app.spool.text import storable

BATCH_HOOKS_MAX = 64
BATCH_BYTES_MAX = 4_000_000
"""Payload bytes of one statement, unless one hook alone is larger."""


class Storing:
    """A hook to store, and whoever waits for it."""

    __slots__ = ("destinations", "future", "hook", "on_unanswered", "timer", "tries")

    def __init__(self, hook: Hook, destinations: Sequence[str], on_unanswered: Callable[[Hook, str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.hook = hook
        self.on_unanswered = on_unanswered
        self.destinations = destinations
        self.tries = 0
        self.future: asyncio.Future[Accepted] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None

    @property
    def done(self) -> bool:
        """Nobody waits for it any more."""
        return self.future.done()

    @property
    def digests(self) -> tuple[bytes, ...]:
        """Of its key and of its bytes."""
        return tuple(digest for digest in (self.hook.key_digest, self.hook.body_digest) if digest)

    def answer(self, result: object) -> None:
        """Tell whoever waits."""
        if self.timer is not None:
            self.timer.cancel()
        if self.future.done():  # it waits no longer: what it was told, if anything, is that nothing is stored
            if isinstance(result, Accepted):
                self.on_unanswered(self.hook, result.delivery_id)
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
        notes: UnansweredNotes,
        *,
        queue_hooks_max: int,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._queries = queries
        self._fill = fill
        self._notes = notes
        self._queue_hooks_max = queue_hooks_max
        self._loop = asyncio.get_running_loop()
        self._line: JobQueue[Storing] = JobQueue()
        self._down = "the database does not answer"
        self._digests: set[bytes] = set()
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
        if hook.resendable:
            await self._notes.written(hook.body_digest)
        storing = Storing(hook, destinations, self._notes.add)
        storing.timer = self._loop.call_later(ANSWER_S, self._too_late, storing)
        self._line.put(storing)
        return await storing.future

    async def close(self) -> None:
        """Store what was put before."""
        self._line.close()
        await asyncio.gather(*(each.close() for each in self._workers))

    def _choose(self, line: JobQueue[Storing]) -> list[Storing]:
        """The next batch. What has a key, or the bytes of another batch, that are under way waits for that outcome."""
        batch: list[Storing] = []
        later: list[Storing] = []
        passed_over: set[bytes] = set()
        bodies: set[bytes] = set()
        size = 0
        while line.jobs and len(batch) < BATCH_HOOKS_MAX:
            storing = line.jobs[0]
            hook = storing.hook
            if storing.done:
                line.jobs.popleft()
                continue
            busy = hook.key_digest in self._digests or (
                hook.body_digest in self._digests and hook.body_digest not in bodies
            )
            if busy or not passed_over.isdisjoint(storing.digests):
                passed_over.update(storing.digests)
                later.append(line.jobs.popleft())
                continue
            size += len(hook.payload)
            if batch and size > BATCH_BYTES_MAX:
                break
            self._digests.update(storing.digests)
            bodies.add(hook.body_digest)
            batch.append(line.jobs.popleft())
        line.put_back(later)
        return batch

    def _ended(self, batch: Sequence[Storing]) -> None:
        for storing in batch:
            self._digests.difference_update(storing.digests)

    def _too_late(self, storing: Storing) -> None:
        """No answer in time. It may be stored all the same, and a resend of it then gets the first one's id."""
        storing.answer(NotStored("spool_unavailable", fault=f"no answer within {ANSWER_S:g} s"))

    def _told_down(self, fault: SpoolError) -> None:
        self._down = str(fault)
        if all(each.suspect for each in self._workers):
            self._line.fail_all(fault)

    async def _store(self, connection: Connection, shard: int, batch: Sequence[Storing]) -> Sequence[object]:
        known: dict[int, Accepted | NotStored] = {}
        if any(storing.tries for storing in batch):
            known = await self._find_stored(connection, batch)
        size = sum(len(storing.hook.payload) for storing in batch)
        if not self._fill.has_room(len(batch), size):
            known = await self._look(connection, batch) | known
        fitting = [storing for number, storing in enumerate(batch) if number not in known]
        stored = iter(await self._insert(connection, shard, fitting) if fitting else ())
        return [known[number] if number in known else next(stored) for number in range(len(batch))]

    async def _find_stored(self, connection: Connection, batch: Sequence[Storing]) -> dict[int, Accepted | NotStored]:
        """Those of a batch that lost its connection after all was done: the answer was lost, not the hooks."""
        rows = await connection.fetch(self._queries["stored"], [storing.hook.delivery_id for storing in batch])
        there = {delivery_id for (delivery_id,) in rows}
        return {
            number: Accepted(storing.hook.delivery_id, fresh=True)
            for number, storing in enumerate(batch)
            if storing.tries and storing.hook.delivery_id in there
        }

    async def _look(self, connection: Connection, batch: Sequence[Storing]) -> dict[int, Accepted | NotStored]:
        """For a spool that may be full: those that there is no room for. A repeat needs none."""
        digests = [digest for storing in batch for digest in storing.digests]
        rows = await connection.fetch(self._queries["look"], digests)
        memory = {bytes(digest): Remembered(*rest) for _, _, digest, *rest, _ in rows if digest is not None}
        self._fill.see(rows[0][0], rows[0][1])
        now = rows[0][-1]
        refused: dict[int, Accepted | NotStored] = {}
        hooks = size = 0
        for number, storing in enumerate(batch):
            length = len(storing.hook.payload)
            if repeat_of(storing.hook, memory, now=now) is not None:
                continue
            if self._fill.has_room(hooks + 1, size + length):
                hooks, size = hooks + 1, size + length
            else:
                refused[number] = NotStored(
                    "spool_full", hooks_max=self._fill.hooks_max, bytes_max=self._fill.bytes_max
                )
        return refused

    async def _insert(self, connection: Connection, shard: int, batch: Sequence[Storing]) -> Sequence[Accepted]:
        """One statement, one transaction. A digest that another connection has just stored is known the next time."""
        rows = await connection.fetch(self._queries["accept"], *_columns(batch), shard, RESEND_S)
        told: dict[int, Accepted] = {}
        for _, _, number, delivery_id, fresh in rows:
            if number is None:
                continue
            own = batch[number - 1].hook.delivery_id
            told[number] = (
                Accepted(own, fresh=True, same_body_as=delivery_id) if fresh else Accepted(delivery_id, fresh=False)
            )
        answers = [
            told.get(number) or Accepted(storing.hook.delivery_id, fresh=True)
            for number, storing in enumerate(batch, 1)
        ]
        fresh_sizes = [
            len(storing.hook.payload) for storing, answer in zip(batch, answers, strict=True) if answer.fresh
        ]
        self._fill.see(rows[0][0], rows[0][1])
        self._fill.add(len(fresh_sizes), sum(fresh_sizes))
        return answers


def _columns(batch: Sequence[Storing]) -> tuple[Sequence[Any], ...]:
    """The batch as the arrays of the statement ``accept``."""
    hooks = [storing.hook for storing in batch]
    deliveries = [
        (number, place, stream_key(storing.hook.tenant, destination), len(storing.destinations))
        for number, storing in enumerate(batch, 1)
        for place, destination in enumerate(storing.destinations)
    ]
    return (
        [hook.delivery_id for hook in hooks],
        [hook.key_digest for hook in hooks],
        [hook.body_digest for hook in hooks],
        [hook.resendable for hook in hooks],
        [hook.tenant for hook in hooks],
        [storable(hook.installation) for hook in hooks],
        [hook.received_at for hook in hooks],
        [about(hook) for hook in hooks],
        [hook.payload for hook in hooks],
        *([list(column) for column in zip(*deliveries, strict=True)] if deliveries else ([], [], [], [])),
    )
