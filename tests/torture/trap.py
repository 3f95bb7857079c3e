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
        self._replica = self._passes = 0
        self.missed = False
        """Whether the last one was sprung because its point was not reached."""

    def set(self, point: End, then: Callable[[], None], *, replica: int = 0, passes: int = 0) -> None:
        """At the next ``reached(point)`` of that replica call ``then``, or so many of them later."""
        self._sprung.clear()
        self._point, self._then = point, then
        self._replica, self._passes = replica, passes
        self.missed = False

    def reached(self, point: End, replica: int | None = None) -> bool:
        """It has come to this, whoever that was if no replica is named. Whether that was it."""
        if point is not self._point or replica not in (None, self._replica):
            return False
        self._passes -= 1
        if self._passes >= 0:
            return False
        self.spring()
        return True

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
        self.missed = self._point is not None
        self.spring()
