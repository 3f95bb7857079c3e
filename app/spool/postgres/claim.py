"""Claiming on PostgreSQL: round robin over the streams, and those without a backlog before those with one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.spool.postgres.connection import DAMAGED, Connection
from app.spool.sql import Queries

LOOK_STREAMS_MAX = 512
"""Among so many streams, from where the round is, those without a backlog are looked for at each claim."""
LIGHT_MAX = 8
"""Deliveries taken of a stream that is not known to have a backlog, while others have. Who has as many has one."""
HEAVY_MIN = 16
"""Deliveries taken of a stream with a backlog, while many have one: the more there are, the fewer of each."""
_ALL_STREAMS = 2**31 - 1
_STREAM = 1


class ClaimQuery(NamedTuple):
    """What a claim asks for."""

    busy: Sequence[str]
    per_stream: int
    in_flight_max: int
    limit: int
    bytes_max: int
    lease: str
    lease_s: float


class FairClaimer:
    """Where this replica is in its round, and which streams had more due than it could take.

    A round through a hundred backlogs takes seconds. So half of a claim may go to streams that have none, whoever's
    turn it is: a hook that comes in beside the backlogs waits for one claim and not for a round.
    """

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._after = ""
        self._heavy: set[str] = set()

    async def claim(self, connection: Connection, wanted: ClaimQuery) -> Sequence[Any]:
        """Rows of the statement, now under lease; one transaction.

        Raises:
            DamagedError: not every hook can be read.
        """
        return await self._claim(connection, wanted, "claim")

    async def claim_bare(self, connection: Connection, wanted: ClaimQuery) -> list[int]:
        """The same without reading a hook; which."""
        return [row[0] for row in await self._claim(connection, wanted, "claim_bare")]

    async def _claim(self, connection: Connection, wanted: ClaimQuery, name: str) -> Sequence[Any]:
        if self._heavy <= set(wanted.busy):
            rows = await self._take(connection, name, wanted, look=_ALL_STREAMS, alone=True)
            self._see(rows, wanted)
        else:
            light = wanted._replace(
                busy=[*wanted.busy, *self._heavy],
                per_stream=min(wanted.per_stream, LIGHT_MAX),
                limit=max(1, wanted.limit // 2),
            )
            async with connection.transaction():
                rows = await self._take(connection, name, light, look=LOOK_STREAMS_MAX, alone=True)
                heavy = wanted._replace(
                    busy=[*wanted.busy, *{row[_STREAM] for row in rows}],
                    per_stream=min(wanted.per_stream, max(HEAVY_MIN, wanted.limit // len(self._heavy))),
                    limit=wanted.limit - len(rows),
                    bytes_max=wanted.bytes_max - sum(_size(row) for row in rows),
                )
                others = await self._take(connection, name, heavy, look=_ALL_STREAMS, alone=not rows)
            self._see(rows, light)
            self._see(others, heavy)
            if len(others) < heavy.limit:  # then the others of them have nothing due
                self._heavy &= {*wanted.busy, *(row[_STREAM] for row in others)}
            rows = [*rows, *others]
        if rows:
            self._after = rows[-1][_STREAM]
        return rows

    async def _take(
        self, connection: Connection, name: str, wanted: ClaimQuery, *, look: int, alone: bool
    ) -> Sequence[Any]:
        return await connection.fetch(self._queries[name], self._after, *wanted, look, alone)

    def _see(self, rows: Sequence[Any], wanted: ClaimQuery) -> None:
        """Who had as many as anyone may have has a backlog. The last one may have been cut short by the limit."""
        counts = Counter(row[_STREAM] for row in rows)
        if rows and len(rows) >= wanted.limit and counts[rows[-1][_STREAM]] < wanted.per_stream:
            del counts[rows[-1][_STREAM]]
        backlogs = {stream for stream, count in counts.items() if count >= wanted.per_stream}
        self._heavy = self._heavy - counts.keys() | backlogs


def _size(row: Any) -> int:  # noqa: ANN401 - the driver's
    """The last column: the payload, or its bytes."""
    last = row[-1]
    return last if isinstance(last, int) else len(last)


async def load(queries: Queries, connection: Connection, seqs: Sequence[int], lease: str) -> list[Any]:
    """Rows as those of a claim, of deliveries that were claimed bare. What cannot be read is found by halving."""
    try:
        async with connection.transaction():  # a savepoint, where there is one: a fault spoils it and nothing else
            return list(await connection.fetch(queries["load"], seqs, lease))
    except DAMAGED:
        if len(seqs) == 1:
            return list(await connection.fetch(queries["load_bare"], seqs[0], lease))
        half = len(seqs) // 2
        first = await load(queries, connection, seqs[:half], lease)
        return first + await load(queries, connection, seqs[half:], lease)
