"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest

from tests.postgres_server import PostgresServer

POSTGRES_URL = "RELAY_TEST_POSTGRES_URL"
"""Any server may be tested; each test has a schema of its own there."""


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the relay runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of PostgreSQL: that of the environment, or one that is there for as long as the tests run."""
    given = os.environ.get(POSTGRES_URL)
    if given:
        yield given
        return
    with PostgresServer() as server:
        yield server.url
