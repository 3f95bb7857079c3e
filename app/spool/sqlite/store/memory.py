"""What is remembered of idempotency keys and bytes, as one group of hooks finds and leaves it."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from app.model import Hook
from app.spool.identity import Remembered, after_repeat, repeat_of
from app.spool.sql import Queries, execute_rows, pieces


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
