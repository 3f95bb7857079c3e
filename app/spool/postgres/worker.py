"""One connection that works off a queue in groups, and comes back by itself when it is lost."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from app.errors import SpoolError
from app.spool.postgres.connection import Connection, FullError, ReconnectingConnection, RepeatedError, UnavailableError
from app.spool.postgres.shard import IDLE_S, CounterShard

GATHER_S = 0.002
"""A group that is not half of the one before waits this long, once: a transaction costs as much as many rows."""
PATIENCE_S = 5.0
"""A statement that takes longer is given up, and its connection with it."""
GRACE_S = 0.2
"""So long after it was lost, a connection that cannot be made yet is nobody's business."""
SUSPECT_S = 0.8
"""A worker whose statement takes longer is sent nothing more until it has its answer."""
REPEATS_MAX = 10
TRIES_MAX = 3
"""A job whose connection was lost is tried again so often, if connecting works at once."""


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


class JobQueue(Generic[J]):
    """A queue that several workers draw from."""

    def __init__(self) -> None:
        self.jobs: deque[J] = deque()
        self.closed = False
        self._changed = asyncio.Event()

    def put(self, job: J) -> None:
        """Queue it."""
        self.jobs.append(job)
        self._changed.set()

    def put_back(self, jobs: Sequence[J]) -> None:
        """Those that have to wait for another group, to the front."""
        self.jobs.extendleft(reversed(jobs))

    def close(self) -> None:
        """Workers end once it is empty."""
        self.closed = True
        self._changed.set()

    def look_again(self) -> None:
        """What could not be taken before perhaps can be now."""
        self._changed.set()

    def fail_all(self, error: SpoolError) -> None:
        """Nobody is there to do them."""
        while self.jobs:
            self.jobs.popleft().fail(error)

    async def wait(self) -> bool:
        """Until something has changed (True), or for ``IDLE_S``."""
        self._changed.clear()
        try:
            async with asyncio.timeout(IDLE_S):
                return await self._changed.wait()
        except TimeoutError:
            return False


class BatchWorker(Generic[J]):
    """``choose`` takes a group from the line, ``store`` writes it in one transaction and returns its answers.

    ``on_end`` is called with every group once it is written or has failed, before anything of it is tried again.
    """

    def __init__(
        self,
        line: JobQueue[J],
        link: ReconnectingConnection,
        shard: CounterShard,
        *,
        choose: Callable[[JobQueue[J]], list[J]],
        store: Callable[[Connection, int, Sequence[J]], Awaitable[Sequence[object]]],
        on_down: Callable[[SpoolError], None],
        on_fatal: Callable[[str], None],
        on_end: Callable[[Sequence[J]], None] = lambda _group: None,
    ) -> None:
        self._line = line
        self._link = link
        self._shard = shard
        self._choose = choose
        self._store = store
        self._on_down = on_down
        self._on_fatal = on_fatal
        self._on_end = on_end
        self._expected = 0
        self._down = False
        self._began: float | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def suspect(self) -> bool:
        """It is not connected, or does not answer."""
        return self._down or (self._began is not None and self._loop.time() - self._began > SUSPECT_S)

    async def close(self) -> None:
        """Do what is in the line, then let go of the connection."""
        await self._task
        if self._link.up:
            with suppress(SpoolError):  # then it is free by itself after a while
                await self._link.run(self._shard.leave, timeout_s=1)
        await self._link.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """It ends when the line is closed; otherwise those in the line would wait for ever."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            self._down = True
            words = f"a writer of the spool died: {type(fault).__name__}: {fault}"
            self._line.fail_all(UnavailableError(words))
            self._on_fatal(words)

    async def _run(self) -> None:
        await self._work([])  # connected before the first job comes
        while True:
            group = await self._gather()
            if group:
                await self._work(group)
            elif self._line.closed and not self._line.jobs:
                self._line.look_again()  # for those who wait beside us
                return
            elif not await self._line.wait():
                await self._work(group)

    async def _gather(self) -> list[J]:
        if self._line.jobs and len(self._line.jobs) * 2 <= self._expected:
            await asyncio.sleep(GATHER_S)
        group = self._choose(self._line)
        self._expected = len(group)
        return group

    async def _work(self, group: Sequence[J]) -> None:
        fault: SpoolError | None = None
        try:
            await self._do(group)
        except SpoolError as error:
            fault = error
        except Exception as error:  # noqa: BLE001 - a bug met by one group must not end the worker of all others
            fault = SpoolError(f"the spool cannot be used: {type(error).__name__}")
        self._on_end(group)
        if isinstance(fault, UnavailableError):
            await self._lost(group, fault)
        elif fault is not None:
            await self._refused(group, fault)
        self._line.look_again()

    async def _do(self, group: Sequence[J]) -> None:
        """Write a group; without one, see that the connection is there, and say that the shard is in use."""
        if not group:
            await self._link.run(self._shard.keep, timeout_s=PATIENCE_S)
            return

        async def job(connection: Connection) -> Sequence[object]:
            return await self._store(connection, await self._shard.number(connection), group)

        self._began = self._loop.time()
        try:
            for left in reversed(range(REPEATS_MAX)):
                try:
                    answers = await self._link.run(job, timeout_s=PATIENCE_S)
                except RepeatedError:
                    if not left:
                        raise
                else:
                    break
        finally:
            self._began = None
        for each, answer in zip(group, answers, strict=True):
            each.answer(answer)

    async def _refused(self, group: Sequence[J], error: SpoolError) -> None:
        """One bad apple must not spoil the others: each is tried alone."""
        if len(group) == 1 or isinstance(error, FullError):
            for each in group:
                each.fail(error)
            return
        for each in group:
            try:
                await self._do([each])
            except SpoolError as fault:
                each.fail(fault)

    async def _lost(self, group: Sequence[J], error: UnavailableError) -> None:
        """A connection that ended is replaced at once; if that does not work everybody is told, until it is back."""
        lost_at = self._loop.time()
        again = [each for each in group if each.tries < TRIES_MAX and not each.done]
        for each in group:
            if each not in again:
                each.fail(error)
            each.tries += 1
        self._line.put_back(again)
        self._line.look_again()
        while not self._link.up:
            try:
                await self._link.connect()
            except SpoolError as fault:
                if self._loop.time() - lost_at > GRACE_S:
                    self._down = True
                    self._on_down(fault)
                if self._line.closed:
                    self._line.fail_all(fault)
                    return
                await asyncio.sleep(self._link.again_in_s)
        self._down = False
