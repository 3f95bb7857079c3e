"""Leases: renewed in time, given up when they are lost, and what is posted is told to the spool that has it."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from app.delivery.claims import Claims
from app.metrics import Metrics
from app.model import AuditAuthor, Burial, Delivery, State
from app.sandbox.splunk import Fault, StandInSplunk
from tests.journey.delivery_world import Counting, Flaky, Part, World, acme, ids_of, until, until_async, world


async def test_leases_of_what_waits_long_are_renewed(tmp_path: Path) -> None:
    """A slow Splunk takes several leases' time: nobody sends the same twice."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=3, lease_s=0.6) as here:
        ids = await here.accept(3)
        splunk.script(Fault.slow(1.8))
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert splunk.request_count == 1


async def test_what_is_still_held_when_its_lease_ran_out_is_not_delivered_twice(tmp_path: Path) -> None:
    """The claims goes on under the new claim, and what it had to say is said under that one."""
    async with world(tmp_path, [Part("acme", "http://127.0.0.1:9", "t")]) as here:
        await here.accept(2)
        rng = Random(1)  # noqa: S311  jitter
        claims = Claims(here.spool, observer=Metrics("test"), rng=rng)

        async def claim(lease_s: float) -> list[Delivery]:
            claimed = await here.spool.claim(limit=9, per_stream=9, bytes_max=10_000, lease_s=lease_s)
            return claims.take(claimed)

        first = await claim(0.01)
        await asyncio.sleep(0.05)
        assert (len(first), await claim(30)) == (2, [])
        assert (len(claims), claims.held(first[0].stream)) == (2, 2)
        await claims.settle(first)
        assert await here.waiting() == 0
        assert (len(claims), claims.bytes_held, claims.bytes_of(first[0].stream)) == (0, 0, 0)


class LateAnswers(Flaky):
    """A real spool whose answer to a write comes only after what was written has been claimed anew."""

    def __init__(self, spool: Any) -> None:
        super().__init__(spool)
        self._written: set[int] = set()
        self._claimed_anew = asyncio.Event()

    async def claim(self, **kwargs: Any) -> list[Delivery]:
        """As the spool."""
        deliveries = await super().claim(**kwargs)
        if any(delivery.seq in self._written for delivery in deliveries):
            asyncio.get_running_loop().call_later(0.05, self._claimed_anew.set)
        return deliveries

    async def release(self, deliveries: Sequence[Delivery], **kwargs: Any) -> int:
        """As the spool, the first time late."""
        return await self._late(deliveries, super().release(deliveries, **kwargs))

    async def bury(self, burials: Sequence[Burial]) -> int:
        """As the spool, the first time late."""
        return await self._late([each.delivery for each in burials], super().bury(burials))

    async def _late(self, deliveries: Sequence[Delivery], writing: Awaitable[int]) -> int:
        count = await writing
        self._written.update(delivery.seq for delivery in deliveries)
        await self._claimed_anew.wait()
        return count


async def test_what_is_claimed_anew_before_its_release_is_answered_is_delivered_at_once(tmp_path: Path) -> None:
    """Two connections to a database are answered in any order: nothing waits for a lease that nobody uses."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=3600) as here:
        ids = await here.accept(3)
        splunk.script(Fault.busy())
        here.run(spool=LateAnswers(here.spool))
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids


async def test_what_is_redelivered_before_its_burial_is_answered_is_delivered_at_once(tmp_path: Path) -> None:
    """An operator is as quick as a command, and no burial undoes what he did."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=3600) as here:
        ids = await here.accept(1)
        splunk.script(Fault.code(6), Fault.none(), Fault.code(6))
        here.run(spool=LateAnswers(here.spool))
        await until_async(here.dead)
        (dead,) = await here.dead()
        await here.spool.redeliver([dead.seq], change=AuditAuthor("anna", "mended"))
        await here.until_settled()
        assert (ids_of(splunk.indexed), await here.dead()) == (ids, [])


class SlowToSettle(Flaky):
    """A real spool to which settling takes longer than the lease, the first time: it is claimed anew on the way."""

    def __init__(self, here: World) -> None:
        super().__init__(here.spool)
        self._here = here
        self.claims = Claims(self, observer=Metrics("test"), rng=Random(1))  # noqa: S311  jitter

    async def take(self) -> list[Delivery]:
        """Claim what there is; what of it is to be delivered."""
        return self.claims.take(await self.claim(limit=9, per_stream=9, bytes_max=10_000, lease_s=30))

    async def settle(self, deliveries: Sequence[Delivery], **kwargs: Any) -> int:
        """As the spool."""
        if not self._here.clock.ahead_s:
            self._here.clock.ahead_s = 31
            assert await self.take() == []
        return await super().settle(deliveries, **kwargs)


async def test_what_is_claimed_anew_while_it_is_settled_is_settled_under_that_claim(tmp_path: Path) -> None:
    """Its lease ran out on the way to the spool: what Splunk took is not sent again for that."""
    async with world(tmp_path, [Part("acme", "http://127.0.0.1:9", "t")]) as here:
        await here.accept(2)
        spool = SlowToSettle(here)
        await spool.claims.settle(await spool.take())
        assert (await here.waiting(), await here.delivered(), len(spool.claims)) == (0, 2, 0)


async def test_what_somebody_else_has_by_now_is_not_posted(tmp_path: Path) -> None:
    """Its lease was lost while it waited for company: it is left to whoever has it, and arrives once."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=1.2, linger_s=2) as here:
        ids = await here.accept(3)
        spool = Counting(here.spool)
        here.run(spool=spool)
        await until(lambda: spool.claimed["acme"] == 3)
        others = await here.steal()
        assert len(others) == 3
        await until(lambda: here.said("lease.lost"))
        assert [(line["doing"], line["deliveries"]) for line in here.said("lease.lost")] == [("post", 3)]
        assert splunk.request_count == 0
        assert await here.waiting() == 3
        await here.spool.release(others, retry_in_s=0)
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids


async def test_a_post_under_way_whose_lease_is_lost_ends_and_changes_nothing(tmp_path: Path) -> None:
    """Splunk answers, and the spool hears of it from whoever has the delivery by now, and from nobody else."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=3, lease_s=0.6) as here:
        await here.accept(3)
        splunk.script(Fault.slow(1))
        here.run()
        await until(lambda: splunk.connections)
        others = await here.steal()
        assert len(others) == 3
        await until(lambda: here.said("lease.lost"))
        assert [(line["doing"], line["deliveries"]) for line in here.said("lease.lost")] == [("settle", 3)]
        assert (splunk.request_count, await here.waiting(), await here.delivered()) == (1, 3, 0)
        assert await here.spool.settle(others) == 3
        assert not here.fatal


async def test_nothing_is_posted_while_nobody_knows_whose_it_is(tmp_path: Path) -> None:
    """The spool does not answer for longer than the leases last: posting waits until it does."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=0.4, linger_s=0.5) as here:
        ids = await here.accept(3)
        flaky = Flaky(here.spool, "renew", "claim")
        flaky.failing.discard("claim")
        here.run(spool=flaky)
        await until(lambda: flaky.failed["renew"] >= 12)
        assert splunk.request_count == 0
        flaky.failing.clear()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert splunk.request_count == 1


async def test_each_post_is_kept_with_its_delivery(tmp_path: Path) -> None:
    """Not taken, perhaps taken, delivered: when, how long, and what Splunk said."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        (delivery_id,) = await here.accept(1)
        splunk.script(Fault.busy(), Fault.none(), Fault.cut(stored=False))
        here.run()
        await here.until_settled()
        life = await here.life(delivery_id)
        assert (life.state, life.attempts, life.ambiguous) == (State.DELIVERED, 3, 1)
        assert [(each.answer, each.ambiguous) for each in life.tried] == [
            ("Splunk is busy (HTTP 503, code 9)", False),
            ("the connection broke before the answer", True),
            ("success (HTTP 200, code 0)", False),
        ]
        assert life.received_at <= life.tried[0].at <= life.tried[1].at <= life.tried[2].at
        assert all(each.took_s >= 0 for each in life.tried)


async def test_the_posts_of_a_dead_letter_are_kept_with_it(tmp_path: Path) -> None:
    """Refused in company, then alone: two posts, and the words of each."""
    async with StandInSplunk([], event_bytes_max=4_000) as splunk, acme(tmp_path, splunk, batch=3) as here:
        await here.accept(1)
        await here.accept(1, size=9_000)
        await here.accept(1)
        here.run()
        await here.until_settled()
        (dead,) = await here.dead()
        assert (dead.attempts, len(dead.tried)) == (2, 2)
        assert all("code 6" in each.answer and not each.ambiguous for each in dead.tried)
