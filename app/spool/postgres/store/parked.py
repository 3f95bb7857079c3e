"""The room that parked hooks have: a small part of the spool, of which the oldest go when it is full."""

from collections.abc import Awaitable, Callable, Sequence

from app.model import Hook
from app.spool.postgres.connection import Connection
from app.spool.shares import EVICTED_MAX, NOTHING, Held, what_fits, who_goes
from app.spool.sql import Queries

Evict = Callable[[Connection, int, Sequence[int]], Awaitable[int]]
"""Discards these parked deliveries, with the books of that shard; how many there were."""
LOOKS = 20
"""Several replicas fill the same room: it is looked at again once this one has filled such a part of it."""


class ParkedRoom:
    """Counts on, and looks at the rows only now and then: parked hooks also leave the room, and come in elsewhere."""

    def __init__(self, queries: Queries, budget: Held, evict: Evict) -> None:
        self._queries = queries
        self._budget = budget
        self._evict = evict
        self._held = budget
        """So much was parked when it was last looked at; at first that is not known."""
        self._added = NOTHING
        self.evicted = 0
        """How many have had to go. Only ever grows."""

    async def make_room(self, connection: Connection, shard: int, hooks: Sequence[Hook]) -> set[int]:
        """For these, which are stored next; the places of those that there is none for.

        What comes at once and is more than all of the room has its first part stored.
        """
        more, refused = what_fits((len(hook.payload) for hook in hooks), self._budget)
        if more.hooks:
            await self._gain(connection, shard, more)
        return refused

    async def _gain(self, connection: Connection, shard: int, more: Held) -> None:
        self._added = self._added.plus(more)
        known = self._added.fits(self._budget.part(1 / LOOKS))
        if known and self._held.plus(self._added).fits(self._budget):
            return
        ((count, size),) = await connection.fetch(self._queries["parked_fill"])
        self._held, self._added = Held(count, size), more
        if self._held.plus(more).fits(self._budget):
            return
        oldest = await connection.fetch(self._queries["oldest_parked"], EVICTED_MAX)
        seqs, self._held = who_goes(oldest, self._held, more, self._budget)
        self.evicted += await self._evict(connection, shard, seqs)
