"""Which answers did not reach their senders in time, told to the database as soon as it listens."""

import asyncio
from contextlib import suppress

from app.errors import SpoolError
from app.model import Hook
from app.spool.postgres.connection import Connection, ReconnectingConnection
from app.spool.sql import Queries

WRITE_S = 5.0
PATIENCE_S = 0.3
"""A hook with the same bytes waits so long for the note about them: it has an answer due itself."""
NOTES_MAX = 10_000
"""While the database is away; more are not known, then."""


class UnansweredNotes:
    """Collected while others are written; a process that is killed forgets those that it still has."""

    def __init__(self, queries: Queries, link: ReconnectingConnection) -> None:
        self._queries = queries
        self._link = link
        self._notes: dict[bytes, str] = {}
        """By the digest of the bytes: the hook that was not answered."""
        self._task: asyncio.Task[None] | None = None

    def add(self, hook: Hook, delivery_id: str) -> None:
        """The answer about ``hook``, stored as ``delivery_id``, did not reach its sender in time."""
        if not hook.resendable or len(self._notes) >= NOTES_MAX:
            return
        self._notes[hook.body_digest] = delivery_id
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def written(self, digest: bytes) -> None:
        """Until nothing about these bytes is left to write, or for ``PATIENCE_S``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while digest in self._notes and self._task is not None:
                    await asyncio.wait([self._task])

    async def close(self) -> None:
        """Write what there is, if the database is there."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=PATIENCE_S)
            self._task.cancel()

    async def _write(self) -> None:
        while self._notes:
            notes = dict(self._notes)

            async def job(connection: Connection, notes: dict[bytes, str] = notes) -> None:
                await connection.execute(self._queries["note_unanswered"], list(notes), list(notes.values()))

            try:
                await self._link.run(job, timeout_s=WRITE_S)
            except SpoolError:
                await asyncio.sleep(max(self._link.again_in_s, PATIENCE_S))
                continue
            self._notes = {digest: noted for digest, noted in self._notes.items() if notes.get(digest) != noted}
