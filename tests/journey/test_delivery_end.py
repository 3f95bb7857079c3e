"""How delivering ends: in order, at a deadline, or because something in it died."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.model import Delivery
from app.sandbox.splunk import Fault, StandInSplunk
from tests.journey.delivery_world import Flaky, acme, ids_of, until


async def test_a_drain_ends_what_is_under_way_and_leaves_the_rest_due_at_once(tmp_path: Path) -> None:
    """The post that Splunk is answering is settled; everything else waits in the spool, for the next start."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch_hec_events_max=10) as here:
        ids = await here.accept(200)
        splunk.always(Fault.slow(0.3))
        here.run()
        await until(lambda: splunk.indexed_count)
        await here.supervisor.drain(5)
        taken = splunk.indexed_count
        assert 0 < taken < 200
        assert await here.delivered() == taken
        assert await here.waiting() == 200 - taken
        splunk.always(None)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert all("relay_attempt" not in each.fields for each in splunk.indexed)


async def test_a_drain_gives_back_what_a_refusal_left(tmp_path: Path) -> None:
    """The last answer names a culprit: what follows it is neither posted any more nor kept."""
    async with StandInSplunk([], event_bytes_max=4_000) as splunk, acme(tmp_path, splunk, batch=4) as here:
        good = await here.accept(1)
        await here.accept(1, size=9_000)
        good += await here.accept(2)
        splunk.script(Fault.slow(0.3))
        here.run()
        await splunk.wait_for(1, timeout_s=60)
        await here.supervisor.drain(5)
        assert (splunk.request_count, await here.waiting()) == (1, 3)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == good
        assert len(await here.dead()) == 1


async def test_a_drain_whose_deadline_passes_marks_what_it_cut_off(tmp_path: Path) -> None:
    """Splunk took it and would have answered later: it goes again after the restart, with a mark."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=3, hec_timeout_s=90) as here:
        ids = await here.accept(3)
        splunk.script(Fault.hang(stored=True))
        here.run()
        await splunk.wait_for(3, timeout_s=60)
        async with asyncio.timeout(30):
            await here.supervisor.drain(0.2)
        assert await here.waiting() == 3
        here.run()
        await here.until_settled()
        assert Counter(ids_of(splunk.indexed)) == dict.fromkeys(ids, 2)
        assert [each.fields.get("relay_attempt") for each in splunk.indexed] == [None] * 3 + [2] * 3


async def test_a_worker_that_dies_is_fatal_and_said(tmp_path: Path) -> None:
    """The spool breaks in a way nobody foresaw: delivering says so once instead of standing still."""

    class Broken(Flaky):
        async def claim(self, **_: Any) -> list[Delivery]:
            raise ZeroDivisionError

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        here.run(spool=Broken(here.spool))
        await until(lambda: here.fatal)
        assert here.fatal == ["worker dispatcher died: ZeroDivisionError"]
        assert here.supervisor.problem == here.fatal[0]
        assert here.said("worker.died")


async def test_a_post_that_dies_is_fatal_too(tmp_path: Path) -> None:
    """Not only the long-lived workers are watched."""

    class Broken:
        async def post(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError

        async def close(self) -> None:
            pass

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(1)
        here.run(open_client=lambda _: Broken())
        await until(lambda: here.fatal)
        assert here.fatal == ["worker post died: ZeroDivisionError"]


async def test_a_supervisor_that_never_started_drains(tmp_path: Path) -> None:
    """Start-up may fail half-way."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        supervisor = here.run()
        await supervisor.drain(0)
        await supervisor.drain(1)
        assert not here.fatal


async def test_while_nothing_is_claimed_it_is_not_said_that_all_is_delivered(tmp_path: Path) -> None:
    """Before the first look, while claims fail, and once it is stopping; between these there is nothing to say."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        spool = Flaky(here.spool, "claim")
        supervisor = here.run(spool=spool)
        assert supervisor.trouble == "nothing has been claimed from the spool yet"
        await until(lambda: "disk is full" in str(supervisor.trouble))
        assert supervisor.trouble is not None
        assert supervisor.trouble.startswith("nothing can be claimed from the spool")
        spool.failing.clear()
        await until(lambda: supervisor.trouble is None)
        await supervisor.drain(0)
        assert supervisor.trouble == "nothing more is claimed: the relay is stopping"


async def test_a_lease_that_cannot_be_renewed_is_said(tmp_path: Path) -> None:
    """Nothing is posted then, and nobody says that every lane delivers."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=0.4, hec_timeout_s=90) as here:
        splunk.always(Fault.hang(stored=True))
        await here.accept(1)
        supervisor = here.run(spool=Flaky(here.spool, "renew"))
        await until(lambda: "leases of 1 claimed deliveries could not be renewed" in str(supervisor.trouble))


class Stubborn:
    """A way to Splunk that does not let itself be cancelled, as a library with a shield around it."""

    def __init__(self) -> None:
        self.posting = asyncio.Event()
        self.over = asyncio.Event()

    async def post(self, *_: Any, **__: Any) -> Any:
        """No answer."""
        self.posting.set()
        await self.hang()

    async def close(self) -> None:
        """No end."""
        await self.hang()

    async def hang(self) -> None:
        """Until the test is over."""
        while not self.over.is_set():
            with suppress(asyncio.CancelledError):
                await self.over.wait()


async def test_a_drain_ends_whatever_hangs(tmp_path: Path) -> None:
    """A post, a connection and a spool that swallow their cancelling hold up nobody; what was posted is in doubt."""
    client = Stubborn()

    class Hanging(Flaky):
        async def claim(self, **how: Any) -> list[Delivery]:
            if client.posting.is_set():
                await client.hang()
            return await super().claim(**how)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(1)
        supervisor = here.run(spool=Hanging(here.spool), open_client=lambda _: client)
        await client.posting.wait()
        begun = time.monotonic()
        async with asyncio.timeout(60):
            await supervisor.drain(0.1)
        assert time.monotonic() - begun >= 0.1
        assert (await here.life(ids[0])).ambiguous == 1
        client.over.set()
