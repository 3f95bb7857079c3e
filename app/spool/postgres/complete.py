"""Settling, releasing and burying on PostgreSQL: whatever waits goes into one transaction, fenced by its leases."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from app.errors import SpoolError
from app.model import Attempt, Burial, Delivery, State
from app.spool.keys import hook_seq_of
from app.spool.postgres.connection import Connection
from app.spool.postgres.store.fill import Fill
from app.spool.postgres.worker import JobQueue
from app.spool.rows import NUMBERS, tried_text
from app.spool.shares import NOTHING, Held
from app.spool.sql import Queries
from app.spool.text import storable

GROUP_DELIVERIES_MAX = 2_000
COLUMNS: Final = ("accepted", "delivered", "filtered", "discarded", "adopted")
Column = Literal["accepted", "delivered", "filtered", "discarded", "adopted"]
Entry = tuple[str, Column, int]
"""A stream's key, a column of its books, and how many more."""
_COLUMN_OF: Final[dict[int, Column]] = {NUMBERS[State.DELIVERED]: "delivered", NUMBERS[State.FILTERED]: "filtered"}


class OutcomeGroup:
    """What became of claimed deliveries, and whoever waits for it to be written. Answers how many were still ours."""

    def __init__(self, name: str, deliveries: Sequence[Delivery], rows: Sequence[tuple[object, ...]]) -> None:
        self.name = name
        """``settle``, ``release`` or ``bury``, as the statements are called."""
        self.deliveries = deliveries
        self.rows = rows
        self.tries = 0
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        """Nobody waits for it any more."""
        return self.future.done()

    def answer(self, result: object) -> None:
        """Tell whoever waits."""
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)  # type: ignore[arg-type]  # the store answers with nothing else

    def fail(self, error: SpoolError) -> None:
        """It is not written."""
        self.answer(error)


def settled(deliveries: Sequence[Delivery], *, filtered: bool, tried: Sequence[Attempt]) -> OutcomeGroup:
    """They are done."""
    rest = (NUMBERS[State.FILTERED if filtered else State.DELIVERED], *_posts(tried))
    return OutcomeGroup("settle", deliveries, [(each.seq, each.lease, *rest) for each in deliveries])


def released(
    deliveries: Sequence[Delivery], *, retry_in_s: float, tried: Sequence[Attempt], fault: str
) -> OutcomeGroup:
    """They are given back."""
    rest = (*_posts(tried), float(retry_in_s), storable(fault))
    return OutcomeGroup("release", deliveries, [(each.seq, each.lease, *rest) for each in deliveries])


def buried(burials: Sequence[Burial]) -> OutcomeGroup:
    """They are dead letters."""
    rows = [
        (each.delivery.seq, each.delivery.lease, *_posts(each.tried), each.cause.value, storable(each.detail))
        for each in burials
    ]
    return OutcomeGroup("bury", [each.delivery for each in burials], rows)


def _posts(tried: Sequence[Attempt]) -> tuple[int, int, float | None, str]:
    """How many, how many of them ambiguous, when the first began, and their lines."""
    return len(tried), sum(each.ambiguous for each in tried), tried[0].at if tried else None, tried_text(tried)


def choose(line: JobQueue[OutcomeGroup]) -> list[OutcomeGroup]:
    """The next group."""
    group: list[OutcomeGroup] = []
    count = 0
    while line.jobs and (not group or count + len(line.jobs[0].rows) <= GROUP_DELIVERIES_MAX):
        each = line.jobs.popleft()
        count += len(each.rows)
        group.append(each)
    return group


class Completions:
    """Writes a group of changes; what ends goes to the history if there is one."""

    def __init__(self, queries: Queries, fill: Fill, *, history: bool) -> None:
        self._queries = queries
        self._fill = fill
        self._history = history

    async def __call__(self, connection: Connection, shard: int, group: Sequence[OutcomeGroup]) -> Sequence[int]:
        """One transaction; how many of each were still ours."""
        async with connection.transaction():
            done: set[int] = set()
            entries: list[Entry] = []
            for name in ("release", "bury"):
                done |= await self._update(connection, name, group)
            emptied, ended = await self._settle(connection, group, done, entries)
            await book(self._queries, connection, shard, entries)
            if ended:
                await take_out(self._queries, connection, shard, emptied, ended=ended if self._history else 0)
        self._fill.remove(emptied)
        return [_count(change, done) for change in group]

    async def _update(self, connection: Connection, name: str, group: Sequence[OutcomeGroup]) -> set[int]:
        rows = [row for change in group if change.name == name for row in change.rows]
        if not rows:
            return set()
        return {seq for (seq,) in await connection.fetch(self._queries[name], *columns(rows))}

    async def _settle(
        self, connection: Connection, group: Sequence[OutcomeGroup], done: set[int], entries: list[Entry]
    ) -> tuple[dict[str, Held], int]:
        """What is not stored any more, by tenant, and how many deliveries have ended."""
        rows = [row for change in group if change.name == "settle" for row in change.rows]
        if not rows:
            return {}, 0
        gone = await connection.fetch(self._queries["settle"], *columns(rows), self._history)
        if not gone:
            return {}, 0
        done.update(row[0] for row in gone)
        counts = Counter((row[1], _COLUMN_OF[row[3]]) for row in gone)
        entries += [(stream, column, count) for (stream, column), count in counts.items()]
        more = await remove_emptied(self._queries, connection, [(row[0], row[2]) for row in gone], above=1)
        return by_tenant([*((row[4], row[5]) for row in gone if row[5] is not None), *more]), len(gone)


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows as the arrays of a statement."""
    return [list(each) for each in zip(*rows, strict=True)]


def _count(change: OutcomeGroup, done: set[int]) -> int:
    """How many of its deliveries were changed; nobody counts them again."""
    ours = {each.seq for each in change.deliveries} & done
    done -= ours
    return len(ours)


async def remove_emptied(
    queries: Queries, connection: Connection, gone: Iterable[tuple[int, int]], *, above: int = 0
) -> list[tuple[str, int]]:
    """Remove the hooks of deliveries that are gone (seq, siblings), if nothing is left of them: tenant and bytes.

    Looked at are hooks that had more than ``above`` deliveries.
    """
    hooks = sorted({hook_seq_of(seq) for seq, siblings in gone if siblings > above})
    if not hooks:
        return []
    await connection.fetch(queries["lock_hooks"], hooks)
    return [(tenant, size) for tenant, size in await connection.fetch(queries["delete_emptied"], hooks)]


def by_tenant(hooks: Iterable[tuple[str, int]]) -> dict[str, Held]:
    """Hooks (tenant and bytes) added up."""
    held: dict[str, Held] = {}
    for tenant, size in hooks:
        held[tenant] = held.get(tenant, NOTHING).plus(Held(1, size))
    return held


async def take_out(
    queries: Queries, connection: Connection, shard: int, held: Mapping[str, Held], *, ended: int
) -> None:
    """So much is not stored any more, and so many more are in the history."""
    rows = [(tenant, -less.hooks, -less.bytes) for tenant, less in sorted(held.items())]
    hooks, size = sum(row[1] for row in rows), sum(row[2] for row in rows)
    await connection.execute(queries["add_fill"], shard, hooks, size, ended, *(columns(rows) if rows else ([], [], [])))


async def book(queries: Queries, connection: Connection, shard: int, entries: Iterable[Entry]) -> None:
    """Add to the books of these streams, in one statement."""
    by_stream: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
    for stream, column, count in entries:
        by_stream[stream][column] += count
    if by_stream:
        rows: list[tuple[Any, ...]] = [(stream, *counts.values()) for stream, counts in sorted(by_stream.items())]
        await connection.execute(queries["book"], shard, *columns(rows))
