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
from app.spool.postgres.store.fill import Fill, Wanted
from app.spool.postgres.store.parked import ParkedRoom
from app.spool.postgres.store.unanswered import UnansweredNotes
from app.spool.postgres.worker import BatchWorker, JobQueue
from app.spool.rows import about
from app.spool.shares import NOTHING, Held, not_stored
from app.spool.sql import Queries
from app.spool.text import storable

BATCH_HOOKS_MAX = 64
BATCH_BYTES_MAX = 4_000_000
"""Payload bytes of one statement, unless one hook alone is larger."""


class Storing:
    """A hook to store, and whoever waits for it."""

    __slots__ = ("destinations", "future", "hook", "on_unanswered", "share", "timer", "tries")

    def __init__(
        self, hook: Hook, destinations: Sequence[str], share: float, on_unanswered: Callable[[Hook, str], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.hook = hook
        self.share = share
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
    def wanted(self) -> Wanted:
        """What it takes, and who takes it."""
        return self.hook.tenant, len(self.hook.payload), self.share

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


class Accepting:
    """The queue of hooks and the connections that store them."""

    def __init__(
        self,
        queries: Queries,
        links: Sequence[ReconnectingConnection],
        fill: Fill,
        notes: UnansweredNotes,
        parked: ParkedRoom,
        *,
        queue_hooks_max: int,
        on_fatal: Callable[[str], None],
    ) -> None:
        self._queries = queries
        self._fill = fill
        self._notes = notes
        self._parked = parked
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

    async def put(self, hook: Hook, destinations: Sequence[str], *, share: float) -> Accepted:
        """See the interface."""
        if self._line.closed:
            raise NotStored("spool_closed")
        if self.problem:
            raise NotStored("spool_unavailable", fault=self.problem)
        if len(self._line.jobs) >= self._queue_hooks_max:
            raise NotStored("queue_full", jobs_max=self._queue_hooks_max)
        if hook.resendable:
            await self._notes.written(hook.body_digest)
        storing = Storing(hook, destinations, share, self._notes.add)
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
        known = await self._parked_out(connection, shard, batch)
        if any(storing.tries for storing in batch):
            known |= await self._find_stored(connection, batch)
        numbers = [number for number in range(len(batch)) if number not in known]
        if numbers and not self._fill.admits([batch[number].wanted for number in numbers]):
            refused = await self._look(connection, [batch[number] for number in numbers])
            known |= {numbers[place]: refusal for place, refusal in refused.items()}
        fitting = [storing for number, storing in enumerate(batch) if number not in known]
        stored = iter(await self._insert(connection, shard, fitting) if fitting else ())
        return [known[number] if number in known else next(stored) for number in range(len(batch))]

    async def _parked_out(
        self, connection: Connection, shard: int, batch: Sequence[Storing]
    ) -> dict[int, Accepted | NotStored]:
        """Make room for parked hooks: those that there is none for."""
        numbers = [number for number, storing in enumerate(batch) if not storing.hook.tenant]
        refused = await self._parked.make_room(connection, shard, [batch[number].hook for number in numbers])
        outside = ((numbers[place], batch[numbers[place]]) for place in refused)
        return {
            number: not_stored("share_full", storing.hook, storing.share, self._fill.limit)
            for number, storing in outside
        }

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
        """For a spool or a share that may be full: those that there is no room for. A repeat needs none."""
        rows = await connection.fetch(self._queries["look"], [digest for each in batch for digest in each.digests])
        memory = {bytes(digest): Remembered(*rest) for digest, *rest, _ in rows if digest is not None}
        now = rows[0][-1]
        began = -1
        while began != self._fill.ended:  # what another connection has stored meanwhile may not be among what it saw
            began = self._fill.ended
            total, *own = await connection.fetch(self._queries["held"], list({each.hook.tenant for each in batch}))
        self._fill.see(Held(*total[1:]), {tenant: Held(*held) for tenant, *held in own})
        occupancy = self._fill.occupancy()
        refused: dict[int, Accepted | NotStored] = {}
        for number, storing in enumerate(batch):
            if repeat_of(storing.hook, memory, now=now) is None and (why := occupancy.refusal(*storing.wanted)):
                refused[number] = not_stored(why, storing.hook, storing.share, self._fill.limit)
        return refused

    async def _insert(self, connection: Connection, shard: int, batch: Sequence[Storing]) -> Sequence[Accepted]:
        """One statement, one transaction. A digest that another connection has just stored is known the next time."""
        began = self._fill.begin(storing.wanted for storing in batch)
        fresh: list[Hook] = []
        try:
            rows = await connection.fetch(self._queries["accept"], *_columns(batch), shard, RESEND_S)
            answers = [Accepted(storing.hook.delivery_id, fresh=True) for storing in batch]
            own: dict[str, Held] = {storing.hook.tenant: NOTHING for storing in batch}
            total = NOTHING
            for kind, number, said, *held in rows:
                if kind == "total":
                    total = Held(*held)
                elif kind == "tenant":
                    own[said] = Held(*held)
                elif kind == "repeat":
                    answers[number - 1] = Accepted(said, fresh=False)
                else:
                    answers[number - 1] = answers[number - 1]._replace(same_body_as=said)
            if began == self._fill.ended:
                self._fill.see(total, own)
            fresh = [storing.hook for storing, answer in zip(batch, answers, strict=True) if answer.fresh]
        finally:
            self._fill.end((storing.wanted for storing in batch), stored=((h.tenant, len(h.payload)) for h in fresh))
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
