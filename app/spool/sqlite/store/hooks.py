"""Storing a group of hooks: dedup check, insert and books in the writer's one transaction."""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from app.errors import NotStored
from app.model import Accepted, Hook
from app.spool.keys import PARKED, WAITING, delivery_seq, stream_key
from app.spool.rows import about
from app.spool.shares import NOTHING, Held, Occupancy, may_be_shares, not_stored
from app.spool.sql import Queries, execute_rows, pieces
from app.spool.sqlite.room import HOOK_BYTES, Room, is_full
from app.spool.sqlite.store.memory import GroupMemory
from app.spool.sqlite.store.parked import ParkedRoom

BOUND_BYTES_MAX = 1_000_000
"""Payload bytes a statement, unless one hook alone has more: SQLite copies what is bound to a prepared statement, and
keeps the copy until something else is bound to it.
"""
NOTES_MAX = 10_000
"""Unanswered hooks that a disk which takes nothing leaves in memory; of the oldest it is not known, then."""
NOTED_S = 1.0
"""The time is noted this often."""


class PendingHook(NamedTuple):
    """A hook to store, with the destinations it has to reach, and its tenant's share of the spool."""

    hook: Hook
    destinations: Sequence[str]
    share: float


class UnansweredNote(NamedTuple):
    """The answer about a hook with these bytes did not reach its sender in time, as was found at ``now``."""

    digest: bytes
    id: str
    now: float


class FreshHook(NamedTuple):
    """A hook of its own, and the id of the first with the same bytes (empty: it is that)."""

    hook: Hook
    destinations: Sequence[str]
    same_body_as: str


class HookStore:
    """The bulk store of ``GroupCommit``: knows how full the spool is and the next hook's seq."""

    def __init__(
        self,
        queries: Queries,
        room: Room,
        *,
        clock: Callable[[], float],
        limit: Held,
        parked: ParkedRoom,
        seq: int,
    ) -> None:
        self._queries = queries
        self._room = room
        self._clock = clock
        self._limit = limit
        self._parked = parked
        self._seq = self._next_seq = seq
        self._reached = self._next_reached = 0.0
        self.unanswered: deque[UnansweredNote] = deque(maxlen=NOTES_MAX)
        """Any thread adds to it."""
        self._noting: list[UnansweredNote] = []
        """Those of the transaction that is under way."""

    @property
    def problem(self) -> str | None:
        """Why the disk takes no hooks."""
        return self._room.problem

    @property
    def remark(self) -> str | None:
        """What there is to say of the disk."""
        return self._room.remark

    @property
    def evicted(self) -> int:
        """How many parked hooks have had to go for others. Only ever grows."""
        return self._parked.evicted

    def opening(self, connection: sqlite3.Connection, items: Sequence[PendingHook], /) -> None:
        """See how much room there is."""
        self._room.look(connection, sum(len(each.hook.payload) + HOOK_BYTES for each in items))

    def closing(self, connection: sqlite3.Connection, /) -> None:
        """Note who was not answered, and the time, once it is another than was noted.

        After a crash the time shows whether the clock was set back.
        """
        self.note(connection)
        now = self._clock()
        if abs(now - self._reached) > NOTED_S:
            connection.execute(self._queries["reach"], (now,))
            self._next_reached = now

    def probe(self, connection: sqlite3.Connection, /) -> None:
        """Write a page and change nothing."""
        connection.execute(self._queries["add_fill"], (0, 0))

    def committed(self) -> None:
        """The seqs given out last are taken."""
        self._seq, self._reached = self._next_seq, self._next_reached
        self._noting.clear()
        self._parked.committed()

    def rolled_back(self, error: Exception) -> None:
        """The seqs given out last are free. If there was no room for what had to be written, there is some more now."""
        self._next_seq, self._next_reached = self._seq, self._reached
        self.unanswered.extendleft(reversed(self._noting))
        self._noting.clear()
        self._parked.rolled_back()
        if is_full(error):
            self._room.fell_short()

    def unread(self, item: PendingHook, result: object) -> None:
        """It was answered for before it was stored: if it was stored, its sender does not know."""
        if item.hook.resendable and isinstance(result, Accepted):
            self.unanswered.append(UnansweredNote(item.hook.body_digest, result.delivery_id, self._clock()))

    def note(self, connection: sqlite3.Connection) -> None:
        """Write down which answers did not reach their senders in time, as far as it is known by now."""
        while self.unanswered:
            self._noting.append(self.unanswered.popleft())
            connection.execute(self._queries["note_unanswered"], self._noting[-1]._asdict())

    def __call__(
        self, connection: sqlite3.Connection, items: Sequence[PendingHook], /
    ) -> Sequence[Accepted | NotStored]:
        """Store the new ones among ``items``; repeats get the first one's id, too much is refused."""
        self.note(connection)
        memory = GroupMemory(self._queries, connection, (hook for hook, *_ in items), now=self._clock())
        parked = [place for place, (hook, *_) in enumerate(items) if not hook.tenant]
        outside = {
            parked[place] for place in self._parked.make_room(connection, [items[place].hook for place in parked])
        }
        occupancy = self._occupancy(connection, items)
        answers: list[Accepted | NotStored] = []
        fresh: list[FreshHook] = []
        for place, (hook, destinations, share) in enumerate(items):
            repeat = memory.repeat_of(hook)
            size = len(hook.payload)
            if repeat is not None:
                answers.append(Accepted(repeat, fresh=False))
            elif place in outside:
                answers.append(not_stored("share_full", hook, share, self._limit))
            elif why := occupancy.refusal(hook.tenant, size, share) if occupancy else "":
                answers.append(not_stored(why, hook, share, self._limit))
            elif not self._room.take(size):
                answers.append(NotStored("disk_full", fault=self._room.problem or "there is no room for it"))
            else:
                same = memory.remember(hook)
                fresh.append(FreshHook(hook, destinations, same))
                answers.append(Accepted(hook.delivery_id, fresh=True, same_body_as=same))
        digests = memory.save()
        if fresh:
            self._insert(connection, fresh, digests)
        return answers

    def _occupancy(self, connection: sqlite3.Connection, items: Sequence[PendingHook]) -> Occupancy | None:
        """Who holds how much; ``None`` while there is room for all of them whoever they are."""
        hooks, size, _ = connection.execute(self._queries["fill"]).fetchone()
        total = Held(hooks, size)
        sizes = [len(hook.payload) for hook, *_ in items]
        if not may_be_shares(total, sizes, min(share for *_, share in items), self._limit):
            return None
        tenants = list({hook.tenant for hook, *_ in items})
        own = {
            tenant: Held(count, held)
            for part in pieces(tenants)
            for tenant, count, held in connection.execute(self._queries.rows("tenant_fill", len(part)), part)
        }
        return Occupancy(self._limit, total, own)

    def _insert(self, connection: sqlite3.Connection, fresh: Sequence[FreshHook], digests: int) -> None:
        now = self._clock()
        hooks: list[tuple[object, ...]] = []
        deliveries: list[tuple[object, ...]] = []
        accepted: Counter[str] = Counter()
        held: dict[str, Held] = {}
        size = 0
        for hook, destinations, same_body_as in fresh:
            self._next_seq += 1
            seq, length = self._next_seq, len(hook.payload)
            size += length
            held[hook.tenant] = held.get(hook.tenant, NOTHING).plus(Held(1, length))
            hooks.append(
                (
                    seq,
                    hook.delivery_id,
                    hook.tenant,
                    hook.installation,
                    hook.received_at,
                    length,
                    about(hook, same_body_as),
                    hook.payload,
                )
            )
            for number, destination in enumerate(destinations):
                stream = stream_key(hook.tenant, destination)
                accepted[stream] += 1
                state = WAITING if hook.tenant else PARKED
                row = (
                    delivery_seq(seq, number),
                    state,
                    stream,
                    now,
                    now,
                    hook.received_at,
                    length,
                    hook.delivery_id,
                )
                deliveries.append(row)
        for part in _lightly(hooks):
            execute_rows(connection, self._queries, "insert_hooks", part)
        execute_rows(connection, self._queries, "insert_deliveries", deliveries)
        execute_rows(connection, self._queries, "book_accepted", list(accepted.items()))
        execute_rows(connection, self._queries, "add_tenant_fill", [(tenant, *more) for tenant, more in held.items()])
        connection.execute(self._queries["add_accepted"], (len(fresh), size, digests))


def _lightly(hooks: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Cut where the payloads become too heavy for one statement."""
    begin = size = 0
    for place, (*_, payload) in enumerate(hooks):
        size += len(payload)
        if size > BOUND_BYTES_MAX and place > begin:
            yield hooks[begin:place]
            begin, size = place, len(payload)
    yield hooks[begin:]
