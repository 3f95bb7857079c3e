"""The room that parked hooks have: a small part of the spool, of which the oldest go when it is full."""

import sqlite3
from collections.abc import Callable, Sequence

from app.model import Hook, State
from app.spool.shares import Held, what_fits, who_goes
from app.spool.sql import Queries
from app.spool.sqlite import archive
from app.spool.sqlite.writes import Ending


class ParkedRoom:
    """Counts on, and looks at the rows only when that says that the room is full: parked hooks also leave it."""

    def __init__(self, queries: Queries, budget: Held, *, clock: Callable[[], float], history: bool) -> None:
        self._queries = queries
        self._budget = budget
        self._clock = clock
        self._history = history
        self._held = budget
        """At most so much is parked; at first that is not known."""
        self._next = self._held
        self.evicted = 0
        """How many have had to go. Only ever grows."""
        self._next_evicted = 0

    def make_room(self, connection: sqlite3.Connection, hooks: Sequence[Hook]) -> set[int]:
        """For these, inside the writer's transaction; the places of those that there is none for.

        What comes at once and is more than all of the room has its first part stored.
        """
        more, refused = what_fits((len(hook.payload) for hook in hooks), self._budget)
        if not more.hooks:
            return refused
        if not self._next.plus(more).fits(self._budget):
            self._next = Held(*connection.execute(self._queries["parked_fill"]).fetchone())
        if not self._next.plus(more).fits(self._budget):
            oldest = connection.execute(self._queries["oldest_parked"])
            seqs, self._next = who_goes(oldest, self._next, more, self._budget)
            ending = Ending(self._clock(), State.DISCARDED, history=self._history)
            self._next_evicted += archive.evict(seqs, self._queries, connection, ending=ending)
        self._next = self._next.plus(more)
        return refused

    def committed(self) -> None:
        """What was done last is so."""
        self._held, self.evicted = self._next, self._next_evicted

    def rolled_back(self) -> None:
        """What was done last never happened."""
        self._next, self._next_evicted = self._held, self.evicted
