"""The spool on one SQLite file: WAL, ``synchronous=FULL``, one owning process.

One thread writes (``writer``), one moves the log (``checkpointer``), one reads claims and a few look for longer
(``reader``), each with a connection of its own. Leases live in memory (``leases``). The promise is ``interface``'s.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Self, TypeVar
from uuid import uuid4

import orjson

from app.errors import SpoolError
from app.model import (
    Accepted,
    Attempt,
    AuditAuthor,
    AuditEntry,
    Burial,
    Cause,
    Delivery,
    DeliveryRecord,
    Hook,
    RetentionLimits,
    Search,
    SpoolEvidence,
    SpoolStats,
    State,
    Stream,
    SweepResult,
)
from app.spool.keys import stream_key
from app.spool.rows import deliveries_of
from app.spool.shares import WHOLE, WIDE, Held, parked_budget
from app.spool.sql import Queries
from app.spool.sqlite import archive, reads, writes
from app.spool.sqlite.clock import Clocks
from app.spool.sqlite.file import connect, doubt_about, keep_lock, prepare, set_back
from app.spool.sqlite.leases import HeldLease, Leases
from app.spool.sqlite.reader import Reader
from app.spool.sqlite.room import Room, log_bytes_max
from app.spool.sqlite.salvage.walk import is_damage
from app.spool.sqlite.store.hooks import HookStore, PendingHook, UnansweredNote
from app.spool.sqlite.store.parked import ParkedRoom
from app.spool.sqlite.writer import GroupCommit
from app.spool.sqlite.writes import posts_of

CLAIM_S = 10.0
"""A claim, or any other change that does not wait for a lease, is given up after so long."""
LOOK_S = 60.0
"""What somebody looks for is given up after so long."""
STATS_S = 10.0
"""Readiness waits for it."""
CLOSE_S = 2.0
_QUERIES = Queries("sqlite/sql/spool.sql")
_T = TypeVar("_T")


class SqliteSpool:
    """See ``app.spool.interface.Spool``. Made by ``await SqliteSpool.open(...)``."""

    def __init__(
        self, path: Path, lock: IO[str], store: HookStore, *, queue_max: int, history: bool, clocks: Clocks
    ) -> None:
        open_file = partial(connect, path)
        self._dead = ""
        self._on_fatal: Callable[[str], None] | None = None
        self._path = path
        self._lock = lock
        self._doubt = doubt_about(path)
        self._store = store
        self._noting: asyncio.Future[object] | None = None
        self._evicted = 0
        """Parked hooks that had to go, as far as it has been told."""
        self._writer = GroupCommit(
            path, open_file, store, jobs_max=queue_max, log_bytes_max=log_bytes_max(path), on_fatal=self._died
        )
        self._reader = Reader(open_file)
        self._history = history
        self._clocks = clocks
        self._clock = clocks.wall
        self._leases = Leases()
        self._set_aside = 0
        """Deliveries of which the end cannot be written, for the file is damaged."""
        self._claiming = asyncio.Lock()
        self._after = ""
        self._wake: Callable[[], None] = lambda: None

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        hooks_max: int,
        bytes_max: int,
        queue_hooks_max: int,
        parked: Held = WIDE,
        history: bool = True,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Open or make the spool at ``path`` (with its folder) and become its one owner.

        ``hooks_max`` and ``bytes_max`` (of payload) bound what is stored, ``parked`` what of that may be parked (beyond
        a tenth nothing is), ``queue_hooks_max`` what waits for the disk. Without ``history`` nothing new is remembered
        of what has ended. ``clock`` gives Unix seconds.

        Raises:
            SpoolError: it is another process's, another program's or a newer version's, or cannot be opened.
        """
        lock, seq = await asyncio.to_thread(prepare, path, _QUERIES, clock())
        room = Room(path, bytes_max=bytes_max)
        limit = Held(hooks_max, bytes_max)
        parked_room = ParkedRoom(_QUERIES, parked_budget(parked, limit), clock=clock, history=history)
        store = HookStore(_QUERIES, room, clock=clock, limit=limit, parked=parked_room, seq=seq)
        spool = cls(path, lock, store, queue_max=queue_hooks_max, history=history, clocks=Clocks(clock, steady))
        with suppress(SpoolError):  # what the disk has to say is known after the first transaction; it may be full
            await spool._write(writes.nothing)
        return spool

    async def __aenter__(self) -> Self:
        """The open spool itself."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close."""
        await self.close()

    def on_due(self, wake: Callable[[], None]) -> None:
        """See the interface."""
        self._wake = wake

    def on_fatal(self, tell: Callable[[str], None]) -> None:
        """See the interface."""
        self._on_fatal = tell
        if self._dead:
            tell(self._dead)

    def evidence(self) -> SpoolEvidence:
        """See the interface."""
        problems = [self._writer.problem] if self._writer.problem else []
        remarks = self._writer.remarks + ([self._doubt] if self._doubt else [])
        if self._set_aside:
            aside = (
                f"what became of {self._set_aside} deliveries cannot be written, and the next start sends them again"
            )
            remarks.append(f"the file is damaged: {aside} (docs/damaged-spool.md)")
        return SpoolEvidence(problems, remarks)

    async def accept(self, hook: Hook, destinations: Sequence[str], *, share: float = WHOLE) -> Accepted:
        """See the interface."""
        pending = PendingHook(hook, destinations, share)
        accepted: Accepted = await self._writer.put(pending, size=len(hook.payload))
        if accepted.fresh:
            self._wake()
        return accepted

    def unanswered(self, hook: Hook, delivery_id: str) -> None:
        """See the interface. Whatever is written next has it; where nothing is, it is written for itself."""
        if not hook.resendable:
            return
        self._store.unanswered.append(UnansweredNote(hook.body_digest, delivery_id, self._clock()))
        if self._noting is None or self._noting.done():
            with suppress(SpoolError):  # closed: it is not known, then
                self._noting = self._writer.do(self._store.note)
                self._noting.add_done_callback(_ignore)

    async def claim(
        self, *, limit: int, per_stream: int, bytes_max: int, lease_s: float, busy: Collection[Stream] = ()
    ) -> list[Delivery]:
        """See the interface."""
        self._keep_lock()
        async with self._claiming:
            now = self._clock()
            if back := self._clocks.went_back():
                await self._write(partial(set_back, now=now, back_s=back))
                self._clocks.agree()
            leased = self._leases.held(self._clocks.steady())
            lease = uuid4().hex
            wanted = reads.ClaimedRow(
                after=self._after,
                leased=orjson.dumps(leased).decode(),
                busy=orjson.dumps([stream_key(*stream) for stream in busy]).decode(),
                now=now,
                limit=limit,
                per_stream=per_stream,
                bytes_max=bytes_max,
            )
            rows, self._after = await self._reader.quick(
                partial(reads.pick, _QUERIES, wanted=wanted), deadline_s=CLAIM_S
            )
            deliveries = deliveries_of(rows, lease)
            self._leases.take((each.seq for each in deliveries), lease, self._clocks.steady() + lease_s)
            return deliveries

    def _keep_lock(self) -> None:
        """A lock that somebody has removed keeps nobody away: take it anew, or end if another process has it."""
        try:
            self._lock = keep_lock(self._path, self._lock)
        except (SpoolError, OSError) as fault:
            self._died(f"the lock of the spool was removed, and cannot be taken again: {fault}")
            raise SpoolError("the spool may be another process's by now") from fault

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """See the interface."""
        now = self._clocks.steady()
        ours = self._leases.ours(deliveries, now)
        self._leases.extend(ours, now + lease_s)
        return {each.seq for each in ours}

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> int:
        """See the interface."""
        ending = self._ending(State.FILTERED if filtered else State.DELIVERED, tried)
        return await self._change(deliveries, lambda ours: partial(writes.settle, ours, ending))

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        tried: Sequence[Attempt] = (),
        fault: str = "",
    ) -> int:
        """See the interface."""
        due_at = self._clock() + retry_in_s
        posts = posts_of(tried, lines=self._writer.has_room)
        count = await self._change(
            deliveries, lambda ours: partial(writes.release, ours, due_at=due_at, posts=posts, fault=fault)
        )
        if retry_in_s <= 0:
            self._wake()
        return count

    async def bury(self, burials: Sequence[Burial]) -> int:
        """See the interface."""
        by_seq = {each.delivery.seq: each for each in burials}
        now = self._clock()
        return await self._change(
            [each.delivery for each in burials],
            lambda ours: partial(writes.bury, [by_seq[each.seq] for each in ours], now),
        )

    async def _change(
        self,
        deliveries: Sequence[Delivery],
        job: Callable[[Sequence[Delivery]], Callable[[Queries, sqlite3.Connection], object]],
    ) -> int:
        """Write ``job`` over those that are still ours, and let go of them once it is durable."""
        ours = self._leases.ours(deliveries, self._clocks.steady())
        if not ours:
            return 0
        before = self._leases.pin(ours)
        try:
            await self._writer.do(partial(job(ours), _QUERIES))  # without a deadline: nobody else may have them before
        except SpoolError as fault:
            if is_damage(fault.__cause__):
                return await self._change_damaged(ours, before, job)
            self._leases.unpin(before)
            raise
        except BaseException:
            self._leases.unpin(before)
            raise
        self._leases.drop(ours)
        return len(ours)

    async def _change_damaged(
        self,
        ours: Sequence[Delivery],
        before: dict[int, HeldLease],
        job: Callable[[Sequence[Delivery]], Callable[[Queries, sqlite3.Connection], object]],
    ) -> int:
        """By halves. One whose row is on damaged pages is set aside: nobody gets it again before the next start."""
        if len(ours) == 1:
            self._set_aside += 1
            return 1
        self._leases.unpin(before)
        half = len(ours) // 2
        return await self._change(ours[:half], job) + await self._change(ours[half:], job)

    async def adopt(self, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """See the interface."""
        adopted = 0
        while True:
            count: int = await self._write(
                partial(
                    writes.adopt,
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
        rows = await self._reader.quick(partial(reads.rows, _QUERIES, name="parked"), deadline_s=CLAIM_S)
        return [installation for (installation,) in rows]

    async def expire(self, budgets: RetentionLimits, *, limit: int) -> SweepResult:
        """See the interface."""
        buried = await self._bury_expired(budgets.waiting_age_max_s, limit)
        ending = self._ending(State.DISCARDED)
        if not self._writer.has_room:
            budgets = replace(budgets, history_max=0)
        many = await self._look(partial(archive.over_budget, bytes_max=budgets.dead_bytes_max, limit=limit))
        job = partial(archive.keep_to, budgets=budgets, too_many=many, limit=limit, ending=ending)
        discarded, forgotten = await self._write(job)
        evicted, self._evicted = self._store.evicted - self._evicted, self._store.evicted
        return SweepResult(
            changed=buried.total() + discarded.total() + forgotten,
            buried=dict(buried),
            discarded=dict(discarded),
            evicted=evicted,
        )

    async def _bury_expired(self, age_s: float, limit: int) -> Counter[tuple[Stream, Cause]]:
        """Looking goes through all that waits, and the writer does not wait for it; what is claimed is left alone."""
        now = self._clock()
        before = now - age_s
        leased = self._leases.held(self._clocks.steady())
        found = await self._look(partial(archive.expired, before=before, leased=leased, limit=limit))
        if not found:
            return Counter()
        async with self._claiming:  # a claim that looked before this is written would take a dead letter
            free = set(found).difference(self._leases.held(self._clocks.steady()))
            buried: Counter[tuple[Stream, Cause]] = await self._write(
                partial(writes.expire, sorted(free), now=now, before=before, age_s=age_s)
            )
            return buried

    async def find(self, search: Search, *, limit: int, before: int | None = None) -> Sequence[DeliveryRecord]:
        """See the interface."""
        return await self._look(partial(archive.find, search=search, limit=limit, before=before))

    async def redeliver(
        self, seqs: Sequence[int], *, change: AuditAuthor, per_s: float | None = None, starts_in_s: float = 0.0
    ) -> int:
        """See the interface."""
        count: int = await self._write(
            partial(
                archive.redeliver,
                seqs,
                change,
                now=self._clock(),
                every_s=1 / per_s if per_s else 0.0,
                starts_in_s=starts_in_s,
            )
        )
        if count:
            self._wake()
        return count

    async def discard(self, seqs: Sequence[int], *, change: AuditAuthor) -> int:
        """See the interface."""
        count: int = await self._write(partial(archive.discard, seqs, change, ending=self._ending(State.DISCARDED)))
        return count

    async def audit(self, *, limit: int, before: int | None = None) -> Sequence[AuditEntry]:
        """See the interface."""
        return await self._look(partial(archive.audit, limit=limit, before=before))

    async def stats(self) -> SpoolStats:
        """See the interface."""
        return await self._look(partial(reads.stats, _QUERIES), deadline_s=STATS_S)

    async def oldest_waiting(self, stream: Stream) -> float | None:
        """See the interface."""
        return await self._look(partial(reads.oldest_of, _QUERIES, stream=stream_key(*stream)))

    async def close(self) -> None:
        """See the interface."""
        await self._reader.close(deadline_s=CLOSE_S)
        if await self._writer.close():
            self._lock.close()  # else the thread may still write: the file is free when the process ends

    def _ending(self, state: State, tried: Sequence[Attempt] = ()) -> writes.Ending:
        return writes.Ending(self._clock(), state, tried, self._history)

    def _died(self, words: str) -> None:
        self._dead = words
        if self._on_fatal is not None:
            self._on_fatal(words)

    async def _write(self, job: Callable[[Queries, sqlite3.Connection], object]) -> Any:  # noqa: ANN401 - the job's own
        """A change that may be tried again whatever became of it."""
        try:
            async with asyncio.timeout(CLAIM_S):
                return await self._writer.do(partial(job, _QUERIES))
        except TimeoutError:
            raise SpoolError(f"spool_unavailable: the disk has not answered within {CLAIM_S:g} s") from None

    async def _look(self, job: Callable[[sqlite3.Connection], _T], *, deadline_s: float = LOOK_S) -> _T:
        return await self._reader.look(job, deadline_s=deadline_s)


def _ignore(noted: asyncio.Future[object]) -> None:
    """A note that could not be written stays in memory, and goes with whatever is written next."""
    if not noted.cancelled():
        noted.exception()
