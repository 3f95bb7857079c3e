"""A bound on time that a machine with much else to do does not break."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")

_TURNS = 1_000


async def soon(coming: Awaitable[_T], seconds: float) -> _T:
    """Its outcome, which has to be there after so long.

    A process that stood still meanwhile owes its event loop some turns; those are given first. Nothing that waits for
    a later time comes true in them.
    """
    task = asyncio.ensure_future(coming)
    await asyncio.wait([task], timeout=seconds)
    for _ in range(_TURNS):
        if task.done():
            return await task
        await asyncio.sleep(0)
    task.cancel()
    raise AssertionError(f"not within {seconds} s")
