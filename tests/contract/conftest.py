"""Every engine of the spool, each with a clock that a test can turn on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.spool.interface import Spool
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import Clock, Engine, PostgresPlace, make_place


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """An empty schema, dropped at the end."""
    async with make_place(postgres_url) as made:
        yield made


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Engine]:
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
async def _postgres(url: str) -> AsyncIterator[Engine]:
    async with make_place(url, stopped_clock=True) as place:
        opened: list[Spool] = []

        async def open_postgres(**limits: Any) -> Spool:
            opened.append(await place.open(**limits))
            return opened[-1]

        assert place.clock is not None
        yield Engine(open_postgres, place.clock)
        for each in opened:
            await each.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """One engine, empty."""
    made = _sqlite(tmp_path) if request.param == "sqlite" else _postgres(request.getfixturevalue("postgres_url"))
    async with made as engine:
        yield engine


@pytest.fixture
async def spool(engine: Engine) -> Spool:
    """An open, empty spool."""
    return await engine.open()
