"""Lets what may wait go on a few at a time, so that what may not is never behind all of it."""

import asyncio
from collections import deque

AT_ONCE_MAX = 4
"""So many go on in one round of the event loop."""


class Turns:
    """One queue. A round of the loop has ``AT_ONCE_MAX`` turns; between two rounds whoever is ready is served."""

    def __init__(self) -> None:
        self._left = AT_ONCE_MAX
        self._queue: deque[asyncio.Future[None]] = deque()
        self._counting = False

    async def turn(self) -> None:
        """Go on when it is one's turn, in the order of coming."""
        if self._left and not self._queue:
            self._left -= 1
            self._count()
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._count()
        await turn

    def _count(self) -> None:
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        self._counting = False
        self._left = AT_ONCE_MAX
        while self._left and self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        if self._queue:
            self._count()
