"""Storing a group of hooks: dedup check, insert and books in the writer's one transaction."""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from app.errors import NotStored
from app.model import Accepted, Hook
from app.spool.identity import Remembered, after_repeat, repeat_of
from app.spool.keys import PARKED, WAITING, delivery_seq, stream_key
from app.spool.rows import about
from app.spool.sql import Queries, execute_rows, pieces
from app.spool.sqlite.room import HOOK_BYTES, Room, is_full

BOUND_BYTES_MAX = 1_000_000
"""Payload bytes a statement, unless one hook alone has more: SQLite copies what is bound to a prepared statement, and
keeps the copy until something else is bound to it.
"""
NOTES_MAX = 10_000
"""Unanswered hooks that a disk which takes nothing leaves in memory; of the oldest it is not known, then."""
NOTED_S = 1.0
"""The time is noted this often."""


class PendingHook(NamedTuple):
    """A hook to store, with the destinations it has to reach."""

    hook: Hook
    destinations: Sequence[str]


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


class GroupMemory:
    """The digests of a group's hooks, read at once and written at once, inside the writer's transaction."""

    def __init__(self, queries: Queries, connection: sqlite3.Connection, hooks: Iterable[Hook], *, now: float) -> None:
        self._queries = queries
        self._connection = connection
        self._now = now
        digests = [digest for hook in hooks for digest in (hook.key_digest, hook.body_digest) if digest]
        self._known = dict(self._find(digests))
        self._stored = len(self._known)
        self._changed: dict[bytes, None] = {}

    def _find(self, digests: Sequence[bytes]) -> Iterator[tuple[bytes, Remembered]]:
        for part in pieces(digests):
            for digest, *rest in self._connection.execute(self._queries.rows("find_seen", len(part)), part):
                yield digest, Remembered(*rest)

    def repeat_of(self, hook: Hook) -> str | None:
        """The id of the hook that this one is, if it is none of its own."""
        repeat = repeat_of(hook, self._known, now=self._now)
        if repeat is not None and not hook.key_digest:
            self._put(hook.body_digest, after_repeat(self._known[hook.body_digest]))
        return repeat

    def remember(self, hook: Hook) -> str:
        """It is stored as one of its own; the id of the first with the same bytes, empty if it is that."""
        if hook.key_digest:
            self._put(hook.key_digest, Remembered(hook.delivery_id))
        if not hook.body_digest:
            return ""
        known = self._known.get(hook.body_digest)
        self._put(hook.body_digest, known or Remembered(hook.delivery_id))
        return known.delivery_id if known else ""

    def save(self) -> int:
        """Write what has changed; how many digests are new."""
        if self._changed:
            rows = [(digest, self._now, *self._known[digest]) for digest in self._changed]
            execute_rows(self._connection, self._queries, "put_seen", rows)
        return len(self._known) - self._stored

    def _put(self, digest: bytes, remembered: Remembered) -> None:
        self._known[digest] = remembered
        self._changed[digest] = None


class HookStore:
    """The bulk store of ``GroupCommit``: knows how full the spool is and the next hook's seq."""

    def __init__(
        self, queries: Queries, room: Room, *, clock: Callable[[], float], hooks_max: int, bytes_max: int, seq: int
    ) -> None:
        self._queries = queries
        self._room = room
        self._clock = clock
        self._hooks_max = hooks_max
        self._bytes_max = bytes_max
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

    def rolled_back(self, error: Exception) -> None:
        """The seqs given out last are free. If there was no room for what had to be written, there is some more now."""
        self._next_seq, self._next_reached = self._seq, self._reached
        self.unanswered.extendleft(reversed(self._noting))
        self._noting.clear()
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
        memory = GroupMemory(self._queries, connection, (hook for hook, _ in items), now=self._clock())
        hooks, stored_bytes, _ = connection.execute(self._queries["fill"]).fetchone()
        free_hooks, free_bytes = self._hooks_max - hooks, self._bytes_max - stored_bytes
        answers: list[Accepted | NotStored] = []
        fresh: list[FreshHook] = []
        for hook, destinations in items:
            repeat = memory.repeat_of(hook)
            size = len(hook.payload)
            if repeat is not None:
                answers.append(Accepted(repeat, fresh=False))
            elif free_hooks < 1 or free_bytes < size:
                answers.append(NotStored("spool_full", hooks_max=self._hooks_max, bytes_max=self._bytes_max))
            elif not self._room.take(size):
                answers.append(NotStored("disk_full", fault=self._room.problem or "there is no room for it"))
            else:
                free_hooks, free_bytes = free_hooks - 1, free_bytes - size
                same = memory.remember(hook)
                fresh.append(FreshHook(hook, destinations, same))
                answers.append(Accepted(hook.delivery_id, fresh=True, same_body_as=same))
        digests = memory.save()
        if fresh:
            self._insert(connection, fresh, digests)
        return answers

    def _insert(self, connection: sqlite3.Connection, fresh: Sequence[FreshHook], digests: int) -> None:
        now = self._clock()
        hooks: list[tuple[object, ...]] = []
        deliveries: list[tuple[object, ...]] = []
        accepted: Counter[str] = Counter()
        size = 0
        for hook, destinations, same_body_as in fresh:
            self._next_seq += 1
            seq, length = self._next_seq, len(hook.payload)
            size += length
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
