"""What is done to the spool on PostgreSQL beside the flow: parked hooks, expiry, the books."""

from collections import Counter
from collections.abc import Sequence

from app.model import Cause, RetentionLimits, SpoolStats, Stream
from app.spool.keys import delivery_seq, stream_key, stream_of
from app.spool.postgres.complete import book
from app.spool.postgres.connection import Connection
from app.spool.postgres.shard import CounterShard
from app.spool.rows import stats_of
from app.spool.sql import Queries


class Maintenance:
    """Each is a job for a link. Rows that another replica has in hand are passed over."""

    def __init__(self, queries: Queries, shard: CounterShard) -> None:
        self._queries = queries
        self.shard = shard

    async def adopt(self, connection: Connection, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """Give a bounded number of parked hooks to their tenant; how many."""
        shard = await self.shard.number(connection)
        async with connection.transaction():
            found = await connection.fetch(self._queries["find_parked"], installation)
            if not found:
                return 0
            seqs, delivery_ids, received, sizes = (list(each) for each in zip(*found, strict=True))
            await connection.execute(self._queries["unpark"], [delivery_seq(seq, 0) for seq in seqs])
            await connection.execute(self._queries["adopt_hooks"], tenant, seqs)
            streams = [stream_key(tenant, each) for each in destinations]
            await connection.execute(
                self._queries["insert_adopted"], seqs, delivery_ids, received, sizes, len(streams), streams
            )
            entries = Counter(streams)
            await book(
                self._queries,
                connection,
                shard,
                [
                    (stream_key("", ""), "adopted", len(seqs)),
                    *((stream, "accepted", len(seqs) * count) for stream, count in entries.items()),
                ],
            )
            size = sum(sizes)
            await connection.execute(
                self._queries["add_fill"], shard, 0, 0, 0, ["", tenant], [-len(seqs), len(seqs)], [-size, size]
            )
            return len(seqs)

    async def parked(self, connection: Connection) -> list[str]:
        """The installations that have parked hooks."""
        return [installation for (installation,) in await connection.fetch(self._queries["parked"])]

    async def expire(
        self, connection: Connection, budgets: RetentionLimits, limit: int
    ) -> Counter[tuple[Stream, Cause]]:
        """Bury what waited too long; how many of each stream, and why."""
        buried = await connection.fetch(
            self._queries["expire"],
            float(budgets.waiting_age_max_s),
            Cause.UNCLAIMED.value,
            Cause.EXPIRED.value,
            f"waited longer than {budgets.waiting_age_max_s:g} s",
            limit,
        )
        return Counter((stream_of(stream), Cause(cause)) for stream, cause in buried)

    async def forget_seen(self, connection: Connection, budgets: RetentionLimits, limit: int) -> int:
        """Dedup keys older than their window or over their number; how many."""
        shard = await self.shard.number(connection)
        async with connection.transaction():
            gone = await connection.fetch(
                self._queries["forget_seen"], float(budgets.dedup_window_s), budgets.dedup_keys_max, limit
            )
            if gone:
                await connection.execute(self._queries["add_seen"], shard, -len(gone))
        return len(gone)

    async def oldest_of(self, connection: Connection, *, stream: str) -> float | None:
        """When the oldest of a stream's waiting deliveries was received."""
        ((oldest,),) = await connection.fetch(self._queries["oldest_of"], stream)
        return None if oldest is None else float(oldest)

    async def stats(self, connection: Connection) -> SpoolStats:
        """The books and the rows; to be run on one snapshot."""
        ledger = await connection.fetch(self._queries["ledger"])
        states = await connection.fetch(self._queries["count_states"])
        (fill,) = await connection.fetch(self._queries["fill"])
        (dead,) = await connection.fetch(self._queries["graves"])
        ((history,),) = await connection.fetch(self._queries["remembered"])
        oldest = await connection.fetch(self._queries["oldest_waiting"])
        tenants = await connection.fetch(self._queries["all_tenant_fill"])
        oldest_at = oldest[0] if oldest else None
        return stats_of(ledger, states, fill, oldest_at, dead=dead, history=history, tenants=tenants)
