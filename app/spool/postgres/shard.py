"""The rows of the books that one writing connection has to itself."""

from uuid import uuid4

from app.spool.postgres.connection import Connection
from app.spool.sql import Queries

IDLE_S = 20.0
"""An idle writer says after so long that it is still there: a third of what a shard is kept for its owner."""


class CounterShard:
    """A shard, once it is needed. Two owners of one would only wait for each other: the rows are added to."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._owner = uuid4().hex
        self._number: int | None = None

    async def number(self, connection: Connection) -> int:
        """Which; takes one that is free, or makes one."""
        while self._number is None:
            for name in ("take_shard", "new_shard"):
                for row in await connection.fetch(self._queries[name], self._owner):
                    (self._number,) = row
                    return int(row[0])
        return self._number

    async def keep(self, connection: Connection) -> None:
        """It is still in use; and the connection is tried by the way. Another's by now: the next is taken."""
        changed = await connection.execute(self._queries["keep_shard"], await self.number(connection), self._owner)
        if changed == "UPDATE 0":
            self._number = None
            await self.number(connection)

    async def leave(self, connection: Connection) -> None:
        """Somebody else may have it."""
        if self._number is not None:
            await connection.execute(self._queries["leave_shard"], self._number, self._owner)
            self._number = None
