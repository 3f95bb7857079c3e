"""What is done to the spool on PostgreSQL beside the flow: parked hooks, expiry, dead letters, the books."""

from collections import Counter
from collections.abc import Sequence

from app.model import Cause, DeadLetter, SpoolStats
from app.spool.leases import key
from app.spool.postgres_accept import Fill
from app.spool.postgres_complete import book, remove_emptied
from app.spool.postgres_link import Connection
from app.spool.postgres_shard import Shard
from app.spool.queries import Queries
from app.spool.rows import stats_of, stream_of


class House:
    """Each is a job for a link. Rows that another replica has in hand are passed over."""

    def __init__(self, queries: Queries, shard: Shard, fill: Fill) -> None:
        self._queries = queries
        self.shard = shard
        self._fill = fill

    async def adopt(self, connection: Connection, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """Give a bounded number of parked hooks to their tenant; how many."""
        shard = await self.shard.number(connection)
        async with connection.transaction():
            found = await connection.fetch(self._queries["find_parked"], installation)
            if not found:
                return 0
            seqs, delivery_ids, received, sizes = (list(each) for each in zip(*found, strict=True))
            await connection.execute(self._queries["unpark"], [seq * 64 for seq in seqs])
            await connection.execute(self._queries["adopt_hooks"], tenant, seqs)
            streams = [key(tenant, each) for each in destinations]
            await connection.execute(
                self._queries["insert_adopted"], seqs, delivery_ids, received, sizes, len(streams), streams
            )
            entries = Counter(streams)
            await book(
                self._queries,
                connection,
                shard,
                [
                    (key("", ""), "adopted", len(seqs)),
                    *((stream, "accepted", len(seqs) * count) for stream, count in entries.items()),
                ],
            )
            return len(seqs)

    async def parked(self, connection: Connection) -> list[str]:
        """The installations that have parked hooks."""
        return [installation for (installation,) in await connection.fetch(self._queries["parked"])]

    async def expire(self, connection: Connection, *, waiting_age_s: float, dedup_window_s: float, limit: int) -> int:
        """Bury what waited too long, forget old dedup keys; how many rows in all."""
        buried = await connection.fetch(
            self._queries["expire"],
            float(waiting_age_s),
            Cause.UNCLAIMED.value,
            Cause.EXPIRED.value,
            f"waited longer than {waiting_age_s:g} s",
            limit,
        )
        forgotten = await connection.fetch(self._queries["forget_seen"], float(dedup_window_s), limit)
        return len(buried) + len(forgotten)

    async def dead_letters(self, connection: Connection, tenant: str | None, limit: int) -> list[DeadLetter]:
        """The newest first."""
        prefix = None if tenant is None else key(tenant, "")
        return [
            DeadLetter(
                delivery_id=delivery_id,
                stream=stream_of(stream),
                cause=Cause(cause),
                detail=detail,
                attempts=attempts,
                received_at=received_at,
                buried_at=buried_at,
            )
            for delivery_id, stream, cause, detail, attempts, received_at, buried_at in await connection.fetch(
                self._queries["dead_letters"], prefix, limit
            )
        ]

    async def redeliver(self, connection: Connection, delivery_ids: Sequence[str]) -> int:
        """Make dead letters wait again; how many."""
        return len(await connection.fetch(self._queries["redeliver"], list(delivery_ids)))

    async def discard(self, connection: Connection, delivery_ids: Sequence[str]) -> int:
        """Remove dead letters for good; how many."""
        shard = await self.shard.number(connection)
        async with connection.transaction():
            gone = await connection.fetch(self._queries["discard"], list(delivery_ids))
            hooks, size = await remove_emptied(
                self._queries, connection, [(seq, siblings) for seq, _, siblings in gone]
            )
            booked = Counter(stream for _, stream, _ in gone)
            await book(
                self._queries, connection, shard, [(stream, "discarded", count) for stream, count in booked.items()]
            )
            if hooks:
                await connection.execute(self._queries["add_fill"], shard, -hooks, -size)
        self._fill.add(-hooks, -size)
        return len(gone)

    async def stats(self, connection: Connection) -> SpoolStats:
        """The books and the rows; to be run on one snapshot."""
        ledger = await connection.fetch(self._queries["ledger"])
        states = await connection.fetch(self._queries["count_states"])
        (fill,) = await connection.fetch(self._queries["fill"])
        oldest = await connection.fetch(self._queries["oldest_waiting"])
        return stats_of(ledger, states, fill, oldest[0] if oldest else None)
