"""A PostgreSQL for one job of the torture: each trial has a schema of it, and may kill it or fill its disk."""

import asyncio
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.postgres_server import PostgresServer
from tests.torture.shim import Shim, build

_AGAIN_S = 0.05
_UP_S = 30.0


class _ShimmedServer(PostgresServer):
    """A server under the shim."""

    def __init__(self, shim_folder: Path) -> None:
        super().__init__(max_connections="200", restart_after_crash="on")
        folder = Path(parse_qs(urlsplit(self.url).query)["host"][0])
        self.folder = folder
        shim_folder.mkdir(exist_ok=True)
        library = folder / "shim.so"
        shutil.copy(build(shim_folder), library)
        self.shim = Shim(library, folder)

    def is_running(self) -> bool:
        """Whether its postmaster is there."""
        return self._process is not None and self._process.poll() is None

    def start_again(self) -> None:
        """After it was killed."""
        self._end(signal.SIGKILL)
        self.start()

    def _who(self) -> dict[str, Any]:
        return {**super()._who(), "env": {**os.environ, **self.shim.environ}}


class Database:
    """``with`` it. Its clock, and only its clock, is never touched."""

    def __init__(self, folder: Path) -> None:
        self._server = _ShimmedServer(folder)
        self._socket = self._server.folder / ".s.PGSQL.5432"
        self.away: list[tuple[float, float]] = []
        """From when to when it was not there, or could not write, on the loop's clock."""

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """For whoever is on this machine and has no wire to cut."""
        return self._server.url

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to it, for a wire."""
        return await asyncio.open_unix_connection(str(self._socket))

    async def make_schema(self, name: str) -> None:
        """An empty one."""
        await self._execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE', f'CREATE SCHEMA "{name}"')

    async def drop_schema(self, name: str) -> None:
        """With all that is in it."""
        await self._execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            for each in statements:
                await connection.execute(each)
        finally:
            await connection.close()

    async def kill(self, seconds: float) -> None:
        """SIGKILL the postmaster and every process of it; started again after so long, to recover."""
        began = asyncio.get_running_loop().time()
        children = _children(self._server.pid)
        for pid in (self._server.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._revive(children)
            self.away.append((began, asyncio.get_running_loop().time()))

    async def kill_backend(self) -> None:
        """SIGKILL one process that serves a relay: PostgreSQL then ends all others and recovers by itself."""
        began = asyncio.get_running_loop().time()
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()
        if rows:
            with suppress(ProcessLookupError):
                os.kill(rows[len(rows) // 2][0], signal.SIGKILL)
        try:
            await asyncio.sleep(_AGAIN_S)
        finally:
            await self._revive(())
            self.away.append((began, asyncio.get_running_loop().time()))

    async def fill_disk(self, seconds: float) -> None:
        """For so long none of its files can grow (ENOSPC)."""
        began = asyncio.get_running_loop().time()
        self._server.shim.fill_disk(full=True)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._server.shim.fill_disk(full=False)
            await self._revive(())
            self.away.append((began, asyncio.get_running_loop().time()))

    async def _revive(self, gone: tuple[int, ...]) -> None:
        """Until it takes connections, started if it has to be. ``gone`` are processes that have to be gone before."""
        ends = time.monotonic() + _UP_S
        while any(_state(pid) != "Z" for pid in gone):
            await asyncio.sleep(0.01)
        while True:
            if not self._server.is_running():
                with suppress(RuntimeError):
                    await asyncio.to_thread(self._server.start_again)
            try:
                connection = await asyncpg.connect(self.url, timeout=2)
            except (OSError, asyncpg.PostgresError, TimeoutError):
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                await connection.close()
                return


def _children(pid: int) -> tuple[int, ...]:
    return tuple(int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"
