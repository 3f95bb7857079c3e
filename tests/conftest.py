"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres_server import PostgresServer

# How long an example takes says more about the machine than about the code; one that fails shows how to repeat it.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("any machine")
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
    with PostgresServer(log_in_memory=True) as server:
        yield server.url
