"""A backlog: out in full batches and without waiting, while everybody else gets a turn."""

import asyncio
import time
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


class Longest:
    """The longest time for which the event loop was not given back, in seconds that its thread had the processor.

    So that a machine with much else to do does not look like a loop that is held.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._feeling = asyncio.create_task(self._feel())

    async def _feel(self) -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            self.seconds = max(self.seconds, time.thread_time() - begun)

    def end(self) -> None:
        """Feel no more."""
        self._feeling.cancel()


async def test_a_backlog_goes_out_in_full_batches_with_room_for_accepting(tmp_path: Path) -> None:
    """1500 waiting hooks: few posts, and the event loop is never held for long."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, linger_s=0.1) as here:
        await here.accept(1500)
        longest = Longest()
        here.run()
        await here.until_settled()
        longest.end()
        assert splunk.indexed_count == 1500
        assert splunk.request_count < 40
        assert longest.seconds < 0.25


async def test_the_first_batch_of_a_backlog_does_not_wait_for_company(tmp_path: Path) -> None:
    """The destination holds what it may hold before it has proven itself: nobody can join, so it goes."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, linger_s=30) as here:
        await here.accept(500)
        here.run()
        await splunk.wait_for(64 + 128, timeout_s=25)


async def test_a_tenant_that_is_alone_with_its_backlog_gets_more_at_once(tmp_path: Path) -> None:
    """64 at first, as for everybody; more once it has taken some and nobody else waits."""
    made: list[Any] = []

    def quick(hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        """The first one's for all: how much more it gets is not to hang on how fast this machine transforms."""
        if not made:
            made.append(transform(hook, destination, event_bytes_max=event_bytes_max))
        return made[0]

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(1500)
        spool = Sizes(here.spool)
        here.run(spool=spool, transform=quick)
        await here.until_settled()
        assert (spool.asked[0], spool.came[0]) == (64, 64)
        assert 64 < max(spool.came) <= 256


async def test_what_a_tenant_may_have_at_once_follows_what_it_costs(tmp_path: Path) -> None:
    """Hooks that take long to transform are claimed by the 64: another tenant's first hook waits no longer for it."""

    def slow(hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        time.sleep(0.001)
        return transform(hook, destination, event_bytes_max=event_bytes_max)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(500)
        spool = Sizes(here.spool)
        here.run(spool=spool, transform=slow)
        await here.until_settled()
        assert max(spool.asked) == 64


async def test_the_loop_is_given_back_while_a_claim_is_transformed(tmp_path: Path) -> None:
    """64 hooks of 5 ms each are no 0.3 s in which nothing can be accepted."""

    def slow(hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        ends = time.thread_time() + 0.005
        while time.thread_time() < ends:
            pass
        return transform(hook, destination, event_bytes_max=event_bytes_max)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(64)
        longest = Longest()
        here.run(transform=slow)
        await until(lambda: splunk.indexed_count == 64)
        longest.end()
        assert longest.seconds < 0.15
