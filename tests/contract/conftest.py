"""Every engine of the spool, each with a clock that a test can turn on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.spool.interface import Spool
from tests.contract.engines import Engine, PostgresPlace, make_place, postgres_engine, sqlite_engine


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """An empty schema, dropped at the end."""
    async with make_place(postgres_url) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """One engine, empty."""
    made = (
        sqlite_engine(tmp_path)
        if request.param == "sqlite"
        else postgres_engine(request.getfixturevalue("postgres_url"))
    )
    async with made as engine:
        yield engine


@pytest.fixture
async def spool(engine: Engine) -> Spool:
    """An open, empty spool."""
    return await engine.open()
