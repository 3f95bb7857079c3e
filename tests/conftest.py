"""What every test may ask for."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the relay runs on."""
    return "asyncio"
