"""Looking into the file on threads of its own, so that neither the event loop nor the writer waits for it."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from app.errors import SpoolError
from app.spool.sqlite.checkpointer import close

_T = TypeVar("_T")

LOOKS_MAX = 4
"""Looks that may take long, at once; more wait for their turn."""


class Reader:
    """Two ways to look: ``quick`` over one kept connection, one after the other, and ``look`` for what may take long.

    After an error the connection is a new one: nothing that the old one believes is certain.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="spool-reader")
        self._looks = ThreadPoolExecutor(LOOKS_MAX, thread_name_prefix="spool-look")

    async def quick(self, job: Callable[[sqlite3.Connection], _T], *, deadline_s: float) -> _T:
        """The job's result.

        Raises:
            SpoolError: it cannot be read, or not within ``deadline_s``.
        """
        return await self._run(self._quick, self._kept, job, deadline_s)

    async def look(self, job: Callable[[sqlite3.Connection], _T], *, deadline_s: float) -> _T:
        """The same, on a connection for this once."""
        return await self._run(self._looks, self._once, job, deadline_s)

    async def close(self, *, deadline_s: float) -> None:
        """Let go of the file. What does not come back within ``deadline_s`` is left behind."""
        with suppress(TimeoutError, RuntimeError):  # the latter: it is closed already
            async with asyncio.timeout(deadline_s):
                await asyncio.get_running_loop().run_in_executor(self._quick, self._let_go)
        for threads in (self._quick, self._looks):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        run: Callable[[Callable[[sqlite3.Connection], _T]], _T],
        job: Callable[[sqlite3.Connection], _T],
        deadline_s: float,
    ) -> _T:
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.get_running_loop().run_in_executor(threads, run, job)
        except TimeoutError:
            raise SpoolError(f"spool_unavailable: the disk has not answered within {deadline_s:g} s") from None
        except (sqlite3.Error, RuntimeError) as error:  # the latter: the reader is closed
            raise SpoolError(f"spool_unavailable: {error}") from error

    def _kept(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        self._connection = self._connection or self._connect()
        try:
            return job(self._connection)
        except sqlite3.Error:
            self._let_go()
            raise

    def _once(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._connect()
        try:
            return job(connection)
        finally:
            connection.close()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        close(connection)
