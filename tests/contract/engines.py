"""What the contract tests open and store."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg

from app.model import Attempt, AuditAuthor, Hook, RetentionLimits, Search, State
from app.spool.interface import Spool
from app.spool.postgres.spool import PostgresSpool
from app.spool.sqlite.spool import SqliteSpool

OpenSpool = Callable[..., Awaitable[Spool]]
LIMITS: dict[str, Any] = {
    "hooks_max": 10_000,
    "bytes_max": 100_000_000,
    "queue_hooks_max": 10_000,
    "in_flight_max": 10_000,
}
ANNA = AuditAuthor("anna", "a test")
"""Who changes something by hand."""
DEAD = Search(states=frozenset({State.DEAD}))
NOW = """
    CREATE TABLE stopped_clock (now double precision);
    INSERT INTO stopped_clock VALUES (1700000000);
    CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT to_timestamp(now) FROM stopped_clock'
"""


class Clock:
    """Unix seconds that only move when told to."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0

    @property
    def now(self) -> float:
        """The time."""
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._now = value
        self.moved()

    def moved(self) -> None:
        """It shows another time."""

    def __call__(self) -> float:
        """The time."""
        return self._now


class DatabaseClock(Clock):
    """The clock of a database: ``now()`` of the test's schema stands before PostgreSQL's own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def moved(self) -> None:
        """Told to the database, by another thread's loop: a test turns a clock without awaiting it."""
        thread = threading.Thread(
            target=asyncio.run,
            args=(run(self._url, f"UPDATE stopped_clock SET now = {self._now}"),),  # noqa: S608 - a number
        )
        thread.start()
        thread.join()


@dataclass
class Engine:
    """How to open a spool of one engine; opening twice gives the same stored state."""

    open: OpenSpool
    clock: Clock


@dataclass
class PostgresPlace:
    """A schema of its own in a database of PostgreSQL."""

    url: str
    clock: DatabaseClock | None

    async def open(self, **limits: Any) -> PostgresSpool:
        """A spool in it; as many as wanted."""
        return await PostgresSpool.open(self.url, **(LIMITS | limits))

    async def run(self, statement: str) -> list[Any]:
        """Look at it, or change it, from outside."""
        return await run(self.url, statement)


@asynccontextmanager
async def make_place(url: str, *, stopped_clock: bool = False) -> AsyncIterator[PostgresPlace]:
    """A schema, dropped at the end. With a stopped clock, ``now()`` is what the test says."""
    name = f"test_{uuid4().hex}"
    await run(url, f"CREATE SCHEMA {name}")
    try:
        own = f"{url}{'&' if '?' in url else '?'}search_path={quote(f'{name},pg_catalog')}"
        clock = DatabaseClock(own) if stopped_clock else None
        if stopped_clock:
            spool = await PostgresSpool.open(own, **LIMITS)  # a schema with tables in it is not laid out by itself
            await spool.close()
            await run(own, NOW)
            await run(own, "UPDATE spool_shards SET until = now()")
        yield PostgresPlace(own, clock)
    finally:
        await run(url, f"DROP SCHEMA {name} CASCADE")


@asynccontextmanager
async def sqlite_engine(folder: Path) -> AsyncIterator[Engine]:
    """SQLite in a file there."""
    clock = Clock()
    opened: list[Spool] = []

    async def open_sqlite(**limits: Any) -> Spool:
        wanted = {"hooks_max": 10_000, "bytes_max": 100_000_000, "queue_hooks_max": 10_000} | limits
        opened.append(await SqliteSpool.open(folder / "spool.db", clock=clock, steady=clock, **wanted))
        return opened[-1]

    yield Engine(open_sqlite, clock)
    for each in opened:
        await each.close()


@asynccontextmanager
async def postgres_engine(url: str) -> AsyncIterator[Engine]:
    """PostgreSQL, in a schema of its own."""
    async with make_place(url, stopped_clock=True) as place:
        opened: list[Spool] = []

        async def open_postgres(**limits: Any) -> Spool:
            opened.append(await place.open(**limits))
            return opened[-1]

        assert place.clock is not None
        yield Engine(open_postgres, place.clock)
        for each in opened:
            await each.close()


async def run(url: str, statement: str) -> list[Any]:
    """One statement (or several without values) on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        if ";" in statement:
            await connection.execute(statement)
            return []
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


def hook(number: int = 0, **changes: object) -> Hook:
    """A hook whose identity is its number."""
    fields: dict[str, object] = {
        "delivery_id": f"{number:032x}",
        "tenant": "acme",
        "resource": "issue",
        "received_at": 1_700_000_000.0,
        "key_digest": number.to_bytes(16, "big"),
        "payload": b'{"n":%d}' % number,
    }
    return Hook(**(fields | changes))  # type: ignore[arg-type] # a test names fields freely


def attempt(at: float = 1_700_000_000.0, **changes: object) -> Attempt:
    """A post that Splunk was too busy for."""
    fields: dict[str, object] = {"took_s": 0.25, "answer": "503/9: Server is busy"}
    return Attempt(at, **(fields | changes))  # type: ignore[arg-type] # a test names fields freely


def budgets_of(**changes: float) -> RetentionLimits:
    """Budgets that nothing reaches, but for these."""
    wide: dict[str, float] = dict.fromkeys(RetentionLimits.__dataclass_fields__, 10**9)
    return RetentionLimits(**(wide | changes))  # type: ignore[arg-type] # a test names fields freely
