"""Every engine of the spool, each with a clock that a test can turn on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.spool.interface import Spool
from app.spool.sqlite import SqliteSpool
from tests.contract.engines import Clock, Engine


@pytest.fixture(params=["sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """One engine, empty."""
    clock = Clock()
    opened: list[Spool] = []

    async def open_sqlite(**limits: int) -> Spool:
        wanted = {"hooks_max": 10_000, "bytes_max": 100_000_000, "queue_hooks_max": 10_000} | limits
        opened.append(await SqliteSpool.open(tmp_path / "spool.db", clock=clock, **wanted))
        return opened[-1]

    yield Engine(open_sqlite, clock)
    for each in opened:
        await each.close()


@pytest.fixture
async def spool(engine: Engine) -> Spool:
    """An open, empty spool."""
    return await engine.open()
