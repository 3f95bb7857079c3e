"""A value that is made once for all who ask at the same time, and kept for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """``make`` is called no more often than every ``fresh_s`` seconds, and never twice at once.

    So that what many may ask for costs what one costs, however many ask.
    """

    def __init__(self, make: Callable[[], Awaitable[_Value]], *, fresh_s: float) -> None:
        self._make = make
        self._fresh_s = fresh_s
        self._made: tuple[float, _Value] | None = None
        self._making: asyncio.Task[_Value] | None = None

    async def get(self) -> _Value:
        """The value, at most ``fresh_s`` old. Raises what ``make`` raises."""
        loop = asyncio.get_running_loop()
        if self._made is not None and loop.time() - self._made[0] < self._fresh_s:
            return self._made[1]
        if self._making is None:
            self._making = asyncio.create_task(self._keep())
        # Whoever hangs up does not take it away from the others.
        return await asyncio.shield(self._making)

    def forget(self) -> None:
        """What is there is out of date."""
        self._made = None

    async def _keep(self) -> _Value:
        loop = asyncio.get_running_loop()
        try:
            value = await self._make()
            self._made = (loop.time(), value)
            return value
        finally:
            self._making = None
