"""Does something at the very moment that a trial comes to a named point."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.torture.choices import End


class Trap:
    """Waits for a point to be reached, and then does what it was set for, once."""

    def __init__(self) -> None:
        self._point: End | None = None
        self._then: Callable[[], None] = lambda: None
        self._sprung = asyncio.Event()

    def set(self, point: End, then: Callable[[], None]) -> None:
        """At the next ``reached(point)`` call ``then``."""
        self._sprung.clear()
        self._point, self._then = point, then

    def reached(self, point: End) -> None:
        """It has come to this."""
        if point is self._point:
            self.spring()

    def spring(self) -> None:
        """Do it now, unless it is done."""
        if self._point is not None:
            self._point = None
            self._then()
            self._sprung.set()

    async def sprung(self, *, within_s: float) -> None:
        """Wait for the point; do it anyway if it is not reached in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._sprung.wait()
        self.spring()
