"""The spool on PostgreSQL, for as many replicas as there are: the database is what they share, and its clock.

Connections, each of which comes back by itself: ``ACCEPTING`` to accept, one to write what became of deliveries, one
to claim, one for the rest, and one for hints where they work. The promise is ``interface``'s.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

from app.errors import SpoolError
from app.model import (
    Accepted,
    Attempt,
    AuditAuthor,
    AuditEntry,
    Burial,
    Delivery,
    DeliveryRecord,
    Hook,
    RetentionLimits,
    Search,
    SpoolEvidence,
    SpoolStats,
    Stream,
    SweepResult,
)
from app.spool.keys import stream_key
from app.spool.postgres import complete
from app.spool.postgres.archive import Archive
from app.spool.postgres.claim import ClaimQuery, FairClaimer, load
from app.spool.postgres.connection import Connection, DamagedError, ReconnectingConnection
from app.spool.postgres.maintenance import Maintenance
from app.spool.postgres.notify import Notifier
from app.spool.postgres.schema import Greeting, lay_out
from app.spool.postgres.shard import CounterShard
from app.spool.postgres.store.accept import Accepting
from app.spool.postgres.store.fill import Fill
from app.spool.postgres.store.parked import ParkedRoom
from app.spool.postgres.store.unanswered import UnansweredNotes
from app.spool.postgres.url import Address, read_url
from app.spool.postgres.worker import BatchWorker, JobQueue
from app.spool.rows import deliveries_of
from app.spool.shares import WHOLE, WIDE, Held, parked_budget
from app.spool.sql import Queries

STARTING_S = 60.0
"""A start waits so long for a database that recovers; whoever started both starts this one again otherwise."""
ACCEPTING = 2
"""Connections that accept: one stores while the other's batch is synced."""
CLAIM_S = 10.0
HOUSE_S = 60.0
STATS_S = 10.0
"""Readiness waits for it."""
_QUERIES = Queries("postgres/sql/spool.sql")
_T = TypeVar("_T")


class PostgresSpool:
    """See ``app.spool.interface.Spool``. Made by ``await PostgresSpool.open(...)``."""

    def __init__(
        self,
        address: Address,
        link: Callable[[], ReconnectingConnection],
        claiming: ReconnectingConnection,
        fill: Fill,
        *,
        parked: Held,
        queue_hooks_max: int,
        in_flight_max: int,
        history: bool,
    ) -> None:
        self._dead = ""
        self._on_fatal: Callable[[str], None] | None = None
        self._in_flight_max = in_flight_max
        self._round = FairClaimer(_QUERIES)
        self._leases: dict[int, str] = {}
        self._claiming = claiming
        self._housekeeping = link()
        self._hints = Notifier(link(), enabled=not address.pooler, on_fatal=self._died)
        shard = CounterShard(_QUERIES)
        self._house = Maintenance(_QUERIES, shard)
        self._past = Archive(_QUERIES, shard, fill, history=history)
        self._notes = UnansweredNotes(_QUERIES, self._housekeeping)
        self._parked = ParkedRoom(_QUERIES, parked, self._past.evict)
        self._evicted = 0
        """Parked hooks that had to go, as far as it has been told."""
        self._accepting = Accepting(
            _QUERIES,
            [link() for _ in range(ACCEPTING)],
            fill,
            self._notes,
            self._parked,
            queue_hooks_max=queue_hooks_max,
            on_fatal=self._died,
        )
        self._changes: JobQueue[complete.OutcomeGroup] = JobQueue()
        self._completing = BatchWorker(
            self._changes,
            link(),
            shard,
            choose=complete.choose,
            store=complete.Completions(_QUERIES, fill, history=history),
            on_down=self._changes.fail_all,
            on_fatal=self._died,
        )

    @classmethod
    async def open(  # noqa: PLR0913 - each is a limit, or an operator's word
        cls,
        url: str,
        *,
        hooks_max: int,
        bytes_max: int,
        queue_hooks_max: int,
        in_flight_max: int,
        parked: Held = WIDE,
        history: bool = True,
        unsynced_ok: bool = False,
        rng: Random | None = None,
    ) -> Self:
        """Open the spool in the database at ``url``, and make it if the database is empty.

        ``hooks_max`` and ``bytes_max`` (of payload) bound what all replicas store together, within a batch per
        accepting connection, and ``parked`` what of that may be parked (beyond a tenth nothing is);
        ``queue_hooks_max`` what waits for the database here; ``in_flight_max`` what is under lease of one stream, over
        all replicas, within one claim of each. Without ``history`` nothing new is remembered of what has ended.

        Raises:
            SpoolError: it cannot be reached, does not sync what it commits and ``unsynced_ok`` is not set, or its
                schema is not this relay's.
        """
        try:
            address = read_url(url)
        except ValueError as error:
            raise SpoolError(f"the spool's URL {error}") from None
        rng = rng or SystemRandom()
        greeting = Greeting(_QUERIES, shown=address.shown, unsynced_ok=unsynced_ok)
        first = ReconnectingConnection(address, rng, greet=greeting.first)
        limit = Held(hooks_max, bytes_max)
        fill = Fill(limit)
        try:
            await _once_started(first, partial(lay_out, _QUERIES, first, shown=address.shown))
            await first.run(greeting.check, timeout_s=CLAIM_S)
            fill.see(*await first.run(_held, timeout_s=CLAIM_S))
        except BaseException:
            await first.close()
            raise
        return cls(
            address,
            partial(ReconnectingConnection, address, rng, greet=greeting.again),
            first,
            fill,
            parked=parked_budget(parked, limit),
            queue_hooks_max=queue_hooks_max,
            in_flight_max=in_flight_max,
            history=history,
        )

    async def __aenter__(self) -> Self:
        """The open spool itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def on_due(self, wake: Callable[[], None]) -> None:
        """See the interface. A process that never calls this tells the others by NOTIFY."""
        self._hints.on_due(wake)

    def on_fatal(self, tell: Callable[[str], None]) -> None:
        """See the interface."""
        self._on_fatal = tell
        if self._dead:
            tell(self._dead)

    def evidence(self) -> SpoolEvidence:
        """See the interface."""
        problem = self._dead or self._accepting.problem
        remarks = ["what became of deliveries cannot be written just now"] if self._completing.suspect else []
        return SpoolEvidence([problem] if problem else [], remarks)

    async def accept(self, hook: Hook, destinations: Sequence[str], *, share: float = WHOLE) -> Accepted:
        """See the interface."""
        accepted = await self._accepting.put(hook, destinations, share=share)
        if accepted.fresh:
            self._hints.tell()
        return accepted

    def unanswered(self, hook: Hook, delivery_id: str) -> None:
        """See the interface."""
        self._notes.add(hook, delivery_id)

    async def claim(
        self, *, limit: int, per_stream: int, bytes_max: int, lease_s: float, busy: Collection[Stream] = ()
    ) -> list[Delivery]:
        """See the interface."""
        lease = uuid4().hex

        wanted = ClaimQuery(
            busy=[stream_key(*stream) for stream in busy],
            per_stream=per_stream,
            in_flight_max=self._in_flight_max,
            limit=limit,
            bytes_max=bytes_max,
            lease=lease,
            lease_s=float(lease_s),
        )
        try:
            rows = await self._claiming.run(partial(self._round.claim, wanted=wanted), timeout_s=CLAIM_S)
        except DamagedError:  # nothing was claimed
            rows = await self._claiming.run(partial(self._claim_damaged, wanted=wanted), timeout_s=CLAIM_S)
        self._leases.update((row[0], lease) for row in rows)
        return deliveries_of(rows, lease)

    async def _claim_damaged(self, connection: Connection, wanted: ClaimQuery) -> Sequence[Any]:
        seqs = await self._round.claim_bare(connection, wanted)
        return await load(_QUERIES, connection, seqs, wanted.lease) if seqs else []

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """See the interface."""

        async def job(connection: Connection) -> Sequence[Any]:
            seqs, leases = [each.seq for each in deliveries], [each.lease for each in deliveries]
            return await connection.fetch(_QUERIES["renew"], seqs, leases, float(lease_s))

        return {seq for (seq,) in await self._claiming.run(job, timeout_s=CLAIM_S)}

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> int:
        """See the interface."""
        return await self._complete(complete.settled(deliveries, filtered=filtered, tried=tried))

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        tried: Sequence[Attempt] = (),
        fault: str = "",
    ) -> int:
        """See the interface."""
        count = await self._complete(complete.released(deliveries, retry_in_s=retry_in_s, tried=tried, fault=fault))
        if retry_in_s <= 0:
            self._hints.tell()
        return count

    async def bury(self, burials: Sequence[Burial]) -> int:
        """See the interface."""
        return await self._complete(complete.buried(burials))

    async def adopt(self, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """See the interface."""
        adopted = 0
        while count := await self._keep(
            partial(self._house.adopt, installation=installation, tenant=tenant, destinations=destinations)
        ):
            adopted += count
            self._hints.tell()
        return adopted

    async def parked(self) -> Sequence[str]:
        """See the interface."""
        return await self._keep(self._house.parked)

    async def expire(self, budgets: RetentionLimits, *, limit: int) -> SweepResult:
        """See the interface."""
        house, past = self._house, self._past
        buried = await self._keep(partial(house.expire, budgets=budgets, limit=limit))
        discarded = await self._keep(partial(past.discard_too_old, budgets=budgets, limit=limit))
        discarded += await self._keep(partial(past.discard_too_many, budgets=budgets, limit=limit))
        forgotten = await self._keep(partial(past.forget, budgets=budgets, limit=limit))
        forgotten += await self._keep(partial(house.forget_seen, budgets=budgets, limit=limit))
        evicted, self._evicted = self._parked.evicted - self._evicted, self._parked.evicted
        return SweepResult(
            changed=buried.total() + discarded.total() + forgotten,
            buried=dict(buried),
            discarded=dict(discarded),
            evicted=evicted,
        )

    async def find(self, search: Search, *, limit: int, before: int | None = None) -> Sequence[DeliveryRecord]:
        """See the interface."""
        job = partial(self._past.find, search=search, limit=limit, before=before)
        return await self._housekeeping.run(job, timeout_s=HOUSE_S, snapshot=True)

    async def redeliver(
        self, seqs: Sequence[int], *, change: AuditAuthor, per_s: float | None = None, starts_in_s: float = 0.0
    ) -> int:
        """See the interface."""
        every_s = 1 / per_s if per_s else 0.0
        count = await self._keep(
            partial(self._past.redeliver, seqs=seqs, change=change, every_s=every_s, starts_in_s=starts_in_s)
        )
        if count:
            self._hints.tell()
        return count

    async def discard(self, seqs: Sequence[int], *, change: AuditAuthor) -> int:
        """See the interface."""
        return await self._keep(partial(self._past.discard, seqs=seqs, change=change))

    async def audit(self, *, limit: int, before: int | None = None) -> Sequence[AuditEntry]:
        """See the interface."""
        return await self._keep(partial(self._past.audit, limit=limit, before=before))

    async def stats(self) -> SpoolStats:
        """See the interface."""
        try:
            async with asyncio.timeout(STATS_S):
                return await self._housekeeping.run(self._house.stats, timeout_s=HOUSE_S, snapshot=True)
        except TimeoutError:
            raise SpoolError(f"the spool cannot be used: no answer within {STATS_S:g} s") from None

    async def oldest_waiting(self, stream: Stream) -> float | None:
        """See the interface."""
        job = partial(self._house.oldest_of, stream=stream_key(*stream))
        return await self._housekeeping.run(job, timeout_s=HOUSE_S, snapshot=True)

    async def close(self) -> None:
        """See the interface. What is still claimed is given back."""
        await self._accepting.close()
        await self._notes.close()
        self._changes.close()
        await self._hints.close()
        if self._leases and self._claiming.up:
            with suppress(SpoolError):  # then the leases run out
                await self._claiming.run(self._give_up, timeout_s=CLAIM_S)
        await self._completing.close()
        await asyncio.gather(self._claiming.close(), self._housekeeping.close())

    def _died(self, words: str) -> None:
        first, self._dead = not self._dead, self._dead or words
        if first and self._on_fatal is not None:
            self._on_fatal(words)

    async def _give_up(self, connection: Connection) -> None:
        await connection.execute(_QUERIES["give_up"], list(self._leases), list(self._leases.values()))

    async def _complete(self, change: complete.OutcomeGroup) -> int:
        if self._changes.closed:
            raise SpoolError("the spool is closed")
        if not change.rows:
            return 0
        if self._completing.suspect:
            raise SpoolError("the spool cannot be used: the database does not answer")
        self._changes.put(change)
        count = await change.future
        for each in change.deliveries:
            if self._leases.get(each.seq) == each.lease:
                del self._leases[each.seq]
        return count

    async def _keep(self, job: Callable[[Connection], Awaitable[_T]]) -> _T:
        return await self._housekeeping.run(job, timeout_s=HOUSE_S)


async def _once_started(link: ReconnectingConnection, work: Callable[[], Awaitable[None]]) -> None:
    """Do it; again while the database says that it is starting or recovering, for ``STARTING_S`` at most."""
    ends = time.monotonic() + STARTING_S
    while True:
        try:
            return await work()
        except SpoolError:
            if not link.starting or time.monotonic() > ends:
                raise
            await asyncio.sleep(max(link.again_in_s, 0.05))


async def _held(connection: Connection) -> tuple[Held, dict[str, Held]]:
    ((hooks, size, _),) = await connection.fetch(_QUERIES["fill"])
    own = await connection.fetch(_QUERIES["all_tenant_fill"])
    return Held(hooks, size), {tenant: Held(*held) for tenant, *held in own}
