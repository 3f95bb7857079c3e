"""What people and budgets do to a spool on PostgreSQL: dead letters, the history, the audit, and finding in all that.

Each is a job for a link. Replicas may do the same at the same time: what is chosen is locked in order and looked at
again, so that the second finds it done.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any

import orjson

from app.model import AuditAuthor, AuditEntry, DeliveryRecord, RetentionLimits, Search, State, Stream
from app.spool.keys import DEAD, PARKED, stream_of
from app.spool.limits import EVICTED_IDS_MAX, PARKED_OUT, TOO_MANY, TOO_OLD
from app.spool.postgres.complete import book, by_tenant, remove_emptied, take_out
from app.spool.postgres.connection import Connection
from app.spool.postgres.shard import CounterShard
from app.spool.postgres.store.fill import Fill
from app.spool.rows import STATES, audit_of
from app.spool.search import SEARCHES, SEQ_MAX, latest, streams
from app.spool.shares import Held, payers
from app.spool.sql import Queries
from app.spool.text import storable

_QUERIES = Queries("postgres/sql/archive.sql")


class Archive:
    """See the interface. ``history``: whether what is discarded goes there."""

    def __init__(self, queries: Queries, shard: CounterShard, fill: Fill, *, history: bool) -> None:
        self._queries = queries
        self._shard = shard
        self._fill = fill
        self._history = history

    async def redeliver(
        self, connection: Connection, seqs: Sequence[int], *, change: AuditAuthor, every_s: float, starts_in_s: float
    ) -> int:
        """Make dead letters wait again, ``every_s`` apart; how many."""
        async with connection.transaction():
            found = await connection.fetch(
                _QUERIES["redeliver"], list(dict.fromkeys(seqs)), float(starts_in_s), float(every_s)
            )
            await self._audit(connection, "redeliver", change, [delivery_id for (delivery_id,) in found])
        return len(found)

    async def discard(self, connection: Connection, seqs: Sequence[int], *, change: AuditAuthor) -> int:
        """Remove dead letters for good; how many."""
        shard = await self._shard.number(connection)
        async with connection.transaction():
            gone, emptied = await self._discard(connection, shard, seqs)
            await self._audit(connection, "discard", change, [delivery_id for *_, delivery_id in gone])
        self._fill.remove(emptied)
        return len(gone)

    async def evict(self, connection: Connection, shard: int, seqs: Sequence[int]) -> int:
        """Discard parked deliveries because there are others; how many. The audit names the first of them."""
        async with connection.transaction():
            gone, emptied = await self._discard(connection, shard, seqs, state=PARKED)
            ids = [delivery_id for *_, delivery_id in gone]
            await self._audit(connection, "discard", PARKED_OUT, ids[:EVICTED_IDS_MAX], count=len(ids))
        self._fill.remove(emptied)
        return len(gone)

    async def discard_too_old(self, connection: Connection, budgets: RetentionLimits, limit: int) -> Counter[Stream]:
        """Those buried too long ago; how many of each stream."""
        return await self._sweep(connection, "too_old", float(budgets.dead_age_max_s), limit, change=TOO_OLD)

    async def discard_too_many(self, connection: Connection, budgets: RetentionLimits, limit: int) -> Counter[Stream]:
        """The oldest of those tenants that have most, where there are too many; how many of each stream."""
        sizes: Counter[str] = Counter()
        streams_of: defaultdict[str, list[str]] = defaultdict(list)
        for stream, size in await connection.fetch(_QUERIES["dead_bytes"]):
            tenant = stream_of(stream).tenant
            sizes[tenant] += size
            streams_of[tenant].append(stream)
        discarded: Counter[Stream] = Counter()
        for tenant, excess in payers(sizes, budgets.dead_bytes_max).items():
            if (left := limit - discarded.total()) > 0:
                wanted = (excess, streams_of[tenant], left)
                discarded += await self._sweep(connection, "too_many", *wanted, change=TOO_MANY)
        return discarded

    async def forget(self, connection: Connection, budgets: RetentionLimits, limit: int) -> int:
        """What ended too long ago or is too much; how many."""
        shard = await self._shard.number(connection)
        async with connection.transaction():
            gone = await connection.fetch(
                _QUERIES["forget_history"], float(budgets.history_age_max_s), budgets.history_max, limit
            )
            if gone:
                await take_out(self._queries, connection, shard, {}, ended=-len(gone))
        return len(gone)

    async def find(
        self, connection: Connection, search: Search, limit: int, before: int | None
    ) -> list[DeliveryRecord]:
        """The latest that match; to be run on one snapshot, because deliveries end meanwhile."""
        wanted = search.states or frozenset(State)
        values = [
            SEQ_MAX if before is None else before,
            limit,
            [STATES.index(each) for each in wanted],
            *streams(search, storable),
            [each.value for each in search.causes] or None,
            -inf if search.received_from is None else float(search.received_from),
            inf if search.received_before is None else float(search.received_before),
        ]
        if search.delivery_ids:
            names = ["find_stored_by_id", "find_ended_by_id"]
            values.append([storable(each) for each in search.delivery_ids])
        else:
            names = [name for name, states in SEARCHES.items() if states & wanted]
        found = [await connection.fetch(_QUERIES[name], *values) for name in names]
        return latest(found, limit)

    async def audit(self, connection: Connection, limit: int, before: int | None) -> list[AuditEntry]:
        """The newest entries."""
        wanted = SEQ_MAX if before is None else before
        return [audit_of(row) for row in await connection.fetch(_QUERIES["audit"], wanted, limit)]

    async def _sweep(self, connection: Connection, name: str, *budget: object, change: AuditAuthor) -> Counter[Stream]:
        shard = await self._shard.number(connection)
        async with connection.transaction():
            found = await connection.fetch(_QUERIES[name], *budget)
            if not found:
                return Counter()
            gone, emptied = await self._discard(
                connection, shard, [seq for seq, _ in found], by=max(buried_at for _, buried_at in found)
            )
            counts = Counter(stream for _, stream, *_ in gone)
            for stream in counts:
                await self._audit(
                    connection, "discard", change, [delivery_id for _, of, _, delivery_id in gone if of == stream]
                )
        self._fill.remove(emptied)
        return Counter({stream_of(stream): count for stream, count in counts.items()})

    async def _discard(
        self, connection: Connection, shard: int, seqs: Sequence[int], *, by: datetime | None = None, state: int = DEAD
    ) -> tuple[Sequence[Any], dict[str, Held]]:
        """Rows of the statement, and what is not stored any more, by tenant."""
        gone = await connection.fetch(_QUERIES["discard"], sorted(set(seqs)), by, self._history, state)
        emptied = by_tenant(await remove_emptied(self._queries, connection, [(row[0], row[2]) for row in gone]))
        booked = Counter(stream for _, stream, *_ in gone)
        await book(self._queries, connection, shard, [(stream, "discarded", n) for stream, n in booked.items()])
        if gone:
            await take_out(self._queries, connection, shard, emptied, ended=len(gone) if self._history else 0)
        return gone, emptied

    async def _audit(
        self,
        connection: Connection,
        action: str,
        change: AuditAuthor,
        delivery_ids: Sequence[str],
        *,
        count: int | None = None,
    ) -> None:
        if delivery_ids:
            words = (action, storable(change.actor), storable(change.reason))
            listed = orjson.dumps(delivery_ids).decode()
            total = len(delivery_ids) if count is None else count
            await connection.execute(_QUERIES["put_audit"], *words, total, listed)
