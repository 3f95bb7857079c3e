"""A backlog: out in full batches and without waiting, while everybody else gets a turn."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from app.model import Delivery, Hook
from app.sandbox.splunk import StandInSplunk
from app.transform import transform
from tests.journey.delivery_world import Flaky, acme, until


class Sizes(Flaky):
    """A real spool that notes how much of a stream was asked for, and how much came."""

    def __init__(self, spool: Any) -> None:
        super().__init__(spool)
        self.asked: list[int] = []
        self.came: list[int] = []

    async def claim(self, **kwargs: Any) -> list[Delivery]:
        """As the spool."""
        deliveries = await super().claim(**kwargs)
        self.asked.append(kwargs["per_stream"])
        self.came.append(len(deliveries))
        return deliveries


class Holds:
    """The longest time for which the event loop was not given back, as a part of all that its thread did meanwhile.

    Both are seconds that the thread had the processor, so neither a slow machine nor a busy one changes their ratio.
    """

    def __init__(self) -> None:
        self._begun = time.thread_time()
        self._longest = 0.0
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            self._longest = max(self._longest, time.thread_time() - begun)

    def end(self) -> float:
        """Look no more; the part, from 0 to 1."""
        self._looking.cancel()
        return self._longest / (time.thread_time() - self._begun)


class Costly:
    """A transform that takes so many seconds a hook, by a clock that nothing else moves."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.calls = 0

    def clock(self) -> float:
        """Seconds."""
        return self.calls * self._seconds

    def __call__(self, hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        """As the real one."""
        self.calls += 1
        return transform(hook, destination, event_bytes_max=event_bytes_max)


async def test_a_backlog_goes_out_in_full_batches_with_room_for_accepting(tmp_path: Path) -> None:
    """1500 waiting hooks: few posts, and the event loop is never held for long."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, linger_s=1) as here:
        await here.accept(1500)
        holds = Holds()
        here.run()
        await here.until_settled()
        assert holds.end() < 0.25
        assert splunk.indexed_count == 1500
        assert splunk.request_count < 40


async def test_the_first_batch_of_a_backlog_does_not_wait_for_company(tmp_path: Path) -> None:
    """The destination holds what it may hold before it has proven itself: nobody can join, so it goes."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, linger_s=600) as here:
        await here.accept(500)
        here.run()
        await splunk.wait_for(64, timeout_s=180)


async def test_a_tenant_that_is_alone_with_its_backlog_gets_more_at_once(tmp_path: Path) -> None:
    """64 at first, as for everybody; more once it has taken some and nobody else waits."""
    quick = Costly(0.0001)
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(1500)
        spool = Sizes(here.spool)
        here.run(spool=spool, transform=quick, steady=quick.clock)
        await here.until_settled()
        assert (spool.asked[0], spool.came[0]) == (64, 64)
        assert 64 < max(spool.came) <= 256


async def test_what_a_tenant_may_have_at_once_follows_what_it_costs(tmp_path: Path) -> None:
    """Hooks that take long to transform are claimed by the 64: another tenant's first hook waits no longer for it."""
    slow = Costly(0.001)
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(500)
        spool = Sizes(here.spool)
        here.run(spool=spool, transform=slow, steady=slow.clock)
        await here.until_settled()
        assert max(spool.asked) == 64


async def test_the_loop_is_given_back_while_a_claim_is_transformed(tmp_path: Path) -> None:
    """64 hooks of 2 ms each are no 0.1 s in which nothing can be accepted: others get a turn after 5 ms."""
    slow = Costly(0.002)
    at_turns: list[int] = []

    async def take_turns() -> None:
        while True:
            at_turns.append(slow.calls)
            await asyncio.sleep(0)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(64)
        here.run(transform=slow, steady=slow.clock)
        turns = asyncio.create_task(take_turns())
        await until(lambda: slow.calls == 64)
        turns.cancel()
        assert max(later - earlier for earlier, later in pairwise(at_turns)) == 3
        await here.until_settled()
