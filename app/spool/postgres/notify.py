"""NOTIFY and LISTEN between replicas: a hint to look sooner. Whatever is lost of it, polling finds."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from app.errors import SpoolError
from app.spool.postgres.connection import Connection, ReconnectingConnection

CHANNEL = "spool_due"
EVERY_S = 0.05
"""A replica hints no more often. Never inside a transaction that stores: NOTIFY makes commits queue for each other."""
ALONE_S = 5.0


class Notifier:
    """Those who accept and do not deliver tell; those who deliver listen."""

    def __init__(self, link: ReconnectingConnection, *, enabled: bool, on_fatal: Callable[[str], None]) -> None:
        self._link = link
        self._enabled = enabled
        self._on_fatal = on_fatal
        self._wake: Callable[[], None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    def on_due(self, wake: Callable[[], None]) -> None:
        """This process delivers: ``wake`` it, and listen for others."""
        first, self._wake = self._wake is None, wake
        if first and self._enabled:
            self._listening = self._begin(self._listen())

    def tell(self) -> None:
        """Something is due: here, or else to whoever listens."""
        if self._wake is not None:
            self._wake()
        elif self._enabled and (self._telling is None or self._telling.done()):
            self._telling = self._begin(self._notify())

    async def close(self) -> None:
        """No more hints."""
        tasks = [each for each in (self._listening, self._telling) if each is not None]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._on_fatal(f"the spool's hints died: {type(fault).__name__}: {fault}")

    async def _notify(self) -> None:
        async def job(connection: Connection) -> None:
            await connection.execute(f"NOTIFY {CHANNEL}")

        await asyncio.sleep(EVERY_S)
        try:
            await self._link.run(job, timeout_s=1)
        except SpoolError:
            return

    async def _listen(self) -> None:
        """Keeps a connection that listens. Where the database has no LISTEN, polling does it all."""

        async def job(connection: Connection) -> None:
            await connection.add_listener(CHANNEL, self._heard)

        again = False
        while True:
            try:
                if not self._link.up:
                    await self._link.run(job, timeout_s=ALONE_S)
                    if again:  # something may have been told while nobody listened
                        self._heard()
                    again = True
            except SpoolError:
                if self._link.up:
                    return
            await asyncio.sleep(max(1.0, self._link.again_in_s))

    def _heard(self, *_about: object) -> None:
        if self._wake is not None:
            self._wake()
