"""Storing a group of hooks: dedup check, insert and books in the writer's one transaction."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from app.errors import NotStored
from app.model import Accepted, Hook
from app.spool.keys import PARKED, WAITING, delivery_seq, stream_key
from app.spool.rows import about
from app.spool.sql import Queries
from app.spool.sqlite.room import HOOK_BYTES, Room, is_full

_T = TypeVar("_T")

ROWS_MAX = 64
"""Rows a statement. Each statement costs the writer the interpreter's lock twice, so a group is not cut finer."""
BOUND_BYTES_MAX = 1_000_000
"""Payload bytes a statement, unless one hook alone has more: SQLite copies what is bound to a prepared statement, and
keeps the copy until something else is bound to it.
"""
NOTED_S = 1.0
"""The time is noted this often."""


class PendingHook(NamedTuple):
    """A hook to store, with the destinations it has to reach."""

    hook: Hook
    destinations: Sequence[str]


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
        """Note the time, once it is another than was noted: after a crash that shows whether the clock was set back."""
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

    def rolled_back(self, error: Exception) -> None:
        """The seqs given out last are free. If there was no room for what had to be written, there is some more now."""
        self._next_seq, self._next_reached = self._seq, self._reached
        if is_full(error):
            self._room.fell_short()

    def __call__(
        self, connection: sqlite3.Connection, items: Sequence[PendingHook], /
    ) -> Sequence[Accepted | NotStored]:
        """Store the new ones among ``items``; repeats get the first one's id, too much is refused."""
        known = self._known(connection, items)
        hooks, stored_bytes = connection.execute(self._queries["fill"]).fetchone()
        free_hooks, free_bytes = self._hooks_max - hooks, self._bytes_max - stored_bytes
        answers: list[Accepted | NotStored] = []
        fresh: list[PendingHook] = []
        for wanted in items:
            hook = wanted.hook
            repeat = next((known[each] for each in hook.dedup_keys if each in known), None)
            size = len(hook.payload)
            if repeat is not None:
                answers.append(Accepted(repeat, fresh=False))
            elif free_hooks < 1 or free_bytes < size:
                answers.append(NotStored("spool_full", hooks_max=self._hooks_max, bytes_max=self._bytes_max))
            elif not self._room.take(size):
                answers.append(NotStored("disk_full", fault=self._room.problem or "there is no room for it"))
            else:
                free_hooks, free_bytes = free_hooks - 1, free_bytes - size
                known.update(dict.fromkeys(hook.dedup_keys, hook.delivery_id))
                fresh.append(wanted)
                answers.append(Accepted(hook.delivery_id, fresh=True))
        if fresh:
            self._insert(connection, fresh)
        return answers

    def _known(self, connection: sqlite3.Connection, items: Sequence[PendingHook]) -> dict[bytes, str]:
        keys = list(chain.from_iterable(wanted.hook.dedup_keys for wanted in items))
        return {
            found: delivery_id
            for part in _pieces(keys)
            for found, delivery_id in connection.execute(self._queries.rows("find_seen", len(part)), part)
        }

    def _insert(self, connection: sqlite3.Connection, fresh: Sequence[PendingHook]) -> None:
        now = self._clock()
        hooks: list[tuple[object, ...]] = []
        deliveries: list[tuple[object, ...]] = []
        seen: list[tuple[object, ...]] = []
        accepted: Counter[str] = Counter()
        size = 0
        for hook, destinations in fresh:
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
                    about(hook),
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
            seen.extend((each, hook.delivery_id, now) for each in hook.dedup_keys)
        for part in _lightly(hooks):
            execute_rows(connection, self._queries, "insert_hooks", part)
        for name, rows in (
            ("insert_deliveries", deliveries),
            ("insert_seen", seen),
            ("book_accepted", list(accepted.items())),
        ):
            execute_rows(connection, self._queries, name, rows)
        connection.execute(self._queries["add_fill"], (len(fresh), size))


def execute_rows(connection: sqlite3.Connection, queries: Queries, name: str, rows: Sequence[Sequence[object]]) -> None:
    """Run the ``(rows)`` statement ``name`` over all rows."""
    for part in _pieces(rows):
        connection.execute(queries.rows(name, len(part)), list(chain.from_iterable(part)))


def _lightly(hooks: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Cut where the payloads become too heavy for one statement."""
    begin = size = 0
    for place, (*_, payload) in enumerate(hooks):
        size += len(payload)
        if size > BOUND_BYTES_MAX and place > begin:
            yield hooks[begin:place]
            begin, size = place, len(payload)
    yield hooks[begin:]


def _pieces(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut into pieces of ``ROWS_MAX`` and what is left: few enough statement texts to keep all of them prepared."""
    for start in range(0, len(rows), ROWS_MAX):
        yield rows[start : start + ROWS_MAX]
