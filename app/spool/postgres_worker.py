"""One connection that works off a queue in groups, and comes back by itself when it is lost."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from app.errors import SpoolError
from app.spool.postgres_link import Connection, Link, Unavailable
from app.spool.postgres_shard import IDLE_S, Shard

GATHER_S = 0.002
"""A group that is not half of the one before waits this long, once: a transaction costs as much as many rows."""
PATIENCE_S = 5.0
"""A statement that takes longer is given up, and its connection with it."""


class Job(Protocol):
    """Something in the queue, and whoever waits for it."""

    tries: int

    @property
    def done(self) -> bool:
        """Nobody waits for it any more."""
        ...

    def answer(self, result: object) -> None:
        """Tell whoever waits; an exception is raised to them."""
        ...

    def fail(self, error: SpoolError) -> None:
        """The same, with the error as this kind of job tells it."""
        ...


J = TypeVar("J", bound=Job)


class Line(Generic[J]):
    """A queue that several workers draw from."""

    def __init__(self) -> None:
        self.jobs: deque[J] = deque()
        self.closed = False
        self._some = asyncio.Event()

    def put(self, job: J) -> None:
        """Queue it."""
        self.jobs.append(job)
        self._some.set()

    def put_back(self, jobs: Sequence[J]) -> None:
        """Those that have to wait for another group, to the front."""
        self.jobs.extendleft(reversed(jobs))
        if jobs:
            self._some.set()

    def close(self) -> None:
        """Workers end once it is empty."""
        self.closed = True
        self._some.set()

    def fail_all(self, error: SpoolError) -> None:
        """Nobody is there to do them."""
        while self.jobs:
            self.jobs.popleft().fail(error)

    async def wait(self) -> None:
        """Until there is something, or it is closed; ``IDLE_S`` at the most."""
        if not self.jobs and not self.closed:
            self._some.clear()
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._some.wait()
            except TimeoutError:
                return


class Worker(Generic[J]):
    """``choose`` takes a group from the line, ``store`` writes it in one transaction and returns its answers."""

    def __init__(
        self,
        line: Line[J],
        link: Link,
        shard: Shard,
        *,
        choose: Callable[[Line[J]], list[J]],
        store: Callable[[Connection, int, Sequence[J]], Awaitable[Sequence[object]]],
        on_down: Callable[[SpoolError], None],
    ) -> None:
        self._line = line
        self._link = link
        self._shard = shard
        self._choose = choose
        self._store = store
        self._on_down = on_down
        self._expected = 0
        self.suspect = False
        """It does not answer, or is not connected."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Do what is in the line, then let go of the connection."""
        await self._task
        if self._link.up:
            try:
                await self._link.run(self._shard.leave, timeout_s=1)
            except SpoolError:
                pass  # it is free by itself after a while
        await self._link.close()

    async def _run(self) -> None:
        while True:
            await self._line.wait()
            if self._line.closed and not self._line.jobs:
                return
            group = await self._gather()
            try:
                await self._do(group)
            except SpoolError as error:
                await self._lost(group, error)
            else:
                self.suspect = False

    async def _gather(self) -> list[J]:
        group = self._choose(self._line)
        if group and len(group) * 2 <= self._expected:
            await asyncio.sleep(GATHER_S)
            self._line.put_back(group)
            group = self._choose(self._line)
        self._expected = len(group)
        return group

    async def _do(self, group: Sequence[J]) -> None:
        """Write a group; without one, see that the connection is still there."""
        if not group:
            await self._link.run(self._shard.keep, timeout_s=PATIENCE_S)
            return

        async def job(connection: Connection) -> Sequence[object]:
            return await self._store(connection, await self._shard.number(connection), group)

        answers = await self._link.run(job, timeout_s=PATIENCE_S)
        for each, answer in zip(group, answers, strict=True):
            each.answer(answer)

    async def _lost(self, group: Sequence[J], error: SpoolError) -> None:
        """A connection that ended is replaced once, at once; then everybody is told, until it is back."""
        again = [each for each in group if isinstance(error, Unavailable) and not each.tries and not each.done]
        for each in group:
            if each not in again:
                each.fail(error)
            each.tries += 1
        if not isinstance(error, Unavailable):
            return
        self.suspect = True
        self._line.put_back(again)
        while not self._link.up:
            try:
                await self._link.connect()
            except SpoolError as fault:
                self._on_down(fault)
                if self._line.closed:
                    self._line.fail_all(fault)
                    return
                await asyncio.sleep(self._link.again_in_s)
        self.suspect = False
