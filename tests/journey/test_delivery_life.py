"""Delivering as a whole: many tenants, bad neighbours, a failing disk, a file that changes."""

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from app.metrics import Metrics
from app.model import Cause, Hook, State, Stream
from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from app.transform import transform
from tests.goldens import only
from tests.journey.delivery_world import (
    Counting,
    Flaky,
    Part,
    World,
    acme,
    ids_of,
    tenants_file,
    until,
    until_async,
    world,
)


class Counts(Metrics):
    """How many were buried, by stream and cause."""

    def __init__(self) -> None:
        super().__init__("test")
        self.burials: Counter[tuple[Stream, str]] = Counter()

    def buried(self, stream: Stream, *, cause: str, count: int) -> None:
        """As delivering tells it."""
        self.burials[stream, cause] += count


async def test_a_full_disk_does_not_make_it_send_twice(tmp_path: Path) -> None:
    """Splunk took it and the spool cannot note it: that is noted as soon as it can, also after the lease is over."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, lease_s=0.1) as here:
        ids = await here.accept(5)
        flaky = Flaky(here.spool, "settle")
        here.run(spool=flaky)
        await splunk.wait_for(5, timeout_s=60)
        await until(lambda: flaky.failed["settle"] >= 4)
        assert await here.waiting() == 5
        trouble = here.supervisor.trouble or ""
        assert trouble.startswith("what became of 5 deliveries cannot be written to the spool")
        flaky.failing.clear()
        await here.until_settled()
        assert here.supervisor.trouble is None
        assert sorted(ids_of(splunk.indexed)) == ids
        assert not here.fatal


async def test_a_spool_that_cannot_be_read_for_a_while_ends_nothing(tmp_path: Path) -> None:
    """Claims fail, then work again."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        flaky = Flaky(here.spool, "claim", "release", "bury")
        here.run(spool=flaky)
        ids = await here.accept(3)
        await until(lambda: flaky.failed["claim"] >= 3)
        flaky.failing.clear()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert not here.fatal


async def test_a_spool_that_fails_is_asked_ever_more_seldom(tmp_path: Path) -> None:
    """Also while something happens all the time that would be a reason to ask."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        flaky = Flaky(here.spool, "claim")
        here.run(spool=flaky)
        ends = time.monotonic() + 1
        while time.monotonic() < ends:
            await here.accept(1)
            await asyncio.sleep(0.01)
        assert 1 <= flaky.failed["claim"] < 20


async def test_a_dead_and_a_hanging_tenant_delay_nobody(tmp_path: Path) -> None:
    """One Splunk is away, one never answers, both with a backlog: a third tenant's hooks arrive at once."""
    async with StandInSplunk([]) as splunk, StandInSplunk([]) as hanging:
        for each in ("good", "dead", "hang"):
            splunk.set_token(HecToken(each))
            hanging.set_token(HecToken(each))
        hanging.always(Fault.hang(stored=False))
        parts = [
            Part("good", splunk.url, "good"),
            Part("dead", "http://127.0.0.1:9", "dead"),
            Part("hang", hanging.url, "hang"),
        ]
        async with world(tmp_path, parts, hec_timeout_s=3600) as here:
            for tenant in ("dead", "hang"):
                await here.accept(300, tenant=tenant)
            spool = Counting(here.spool)
            here.run(spool=spool)
            await until(lambda: hanging.connections and here.supervisor.states())
            for round_ in range(1, 11):
                await here.accept(5, tenant="good")
                await splunk.wait_for(round_ * 5, timeout_s=180)
            assert await here.waiting("dead") == 300
            assert await here.waiting("hang") == 300
            assert spool.claimed["dead"] < 200
            assert spool.claimed["hang"] < 200


async def test_posts_at_once_grow_from_two_to_the_limit_and_no_further(tmp_path: Path) -> None:
    """A connection a post: so many connections as posts at once."""
    for limit, least in ((1, 1), (4, 3)):
        folder = tmp_path / str(limit)
        folder.mkdir()
        async with StandInSplunk([]) as splunk, acme(folder, splunk, batch=5, concurrency_max=limit) as here:
            splunk.always(Fault.slow(0.02 if limit == 1 else 0.1))  # so long that more are ready meanwhile
            await here.accept(200)
            here.run()
            await here.until_settled()
            assert least <= splunk.connections <= limit


async def test_no_hec_event_ever_arrives_under_another_tenants_hec_token(tmp_path: Path) -> None:
    """200 tenants on two Splunks, faults shuffled among them, lanes all at work: every token brings its own only."""
    rng = Random(11)  # noqa: S311  the same shuffle in every run
    faults = [
        Fault.busy(),
        Fault.busy(after=1),
        Fault.code(4),
        Fault.status(404),
        Fault.cut(stored=False),
        Fault.none(),
    ]
    names = [f"t{number:03}" for number in range(200)]
    async with AsyncExitStack() as stack:
        splunks = [await stack.enter_async_context(StandInSplunk([])) for _ in range(2)]
        for name in names:
            for splunk in splunks:
                splunk.set_token(HecToken(f"token-of-{name}"))
                splunk.script(*rng.choices(faults, k=1), token=f"token-of-{name}")
        parts = [Part(name, splunks[n % 2].url, f"token-of-{name}") for n, name in enumerate(names)]
        here: World = await stack.enter_async_context(world(tmp_path, parts))
        owners: dict[str, str] = {}
        order = names * 2
        rng.shuffle(order)
        here.run()
        while order:
            burst, order = order[:40], order[40:]
            ids = await asyncio.gather(*(here.accept(1, tenant=name) for name in burst))
            owners |= {delivery_id: name for (delivery_id,), name in zip(ids, burst, strict=True)}
        await here.until_settled()
        indexed = [each for splunk in splunks for each in splunk.indexed]
        assert {str(each.fields["relay_delivery_id"]) for each in indexed} == set(owners)
        for each in indexed:
            assert each.token == f"token-of-{owners[str(each.fields['relay_delivery_id'])]}"
            assert each.fields["relay_tenant"] == owners[str(each.fields["relay_delivery_id"])]
        assert not await here.dead()


async def test_a_hook_that_cannot_be_transformed_is_buried_and_the_others_arrive(tmp_path: Path) -> None:
    """A bug of ours costs one hook its way, and keeps it for the next version."""

    def buggy(hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        if hook.delivery_id.endswith("2"):
            raise KeyError("a secret of the payload")
        return transform(hook, destination, event_bytes_max=event_bytes_max)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(3)
        here.run(transform=buggy)
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == [ids[0], ids[2]]
        (dead,) = await here.dead()
        assert (dead.delivery_id, dead.cause) == (ids[1], Cause.UNTRANSFORMABLE)
        assert dead.fault == "transform failed with KeyError"
        assert dead.attempts == 0


async def test_what_cannot_be_read_is_a_dead_letter_and_its_neighbours_arrive(tmp_path: Path) -> None:
    """A damaged record stops nobody, and is counted by its cause."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(3)
        with sqlite3.connect(tmp_path / "spool.db") as connection:
            connection.execute("UPDATE hooks SET about = 'x' WHERE delivery_id = ?", (ids[1],))
        connection.close()
        counts = Counts()
        here.run(observer=counts)
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == [ids[0], ids[2]]
        (dead,) = await here.dead()
        assert (dead.delivery_id, dead.cause, dead.fault) == (ids[1], Cause.UNREADABLE, "its fields cannot be read")
        assert counts.burials == {(dead.stream, Cause.UNREADABLE): 1}


async def test_a_hec_event_that_splunk_would_refuse_is_not_sent(tmp_path: Path) -> None:
    """The validator stands before the wire: the faults are the dead letter's words."""

    def blank(hook: Hook, destination: Any, *, event_bytes_max: int) -> Any:
        made = only(transform(hook, destination, event_bytes_max=event_bytes_max))
        return (msgspec.structs.replace(made, host="", time="1E9"),)

    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(1)
        here.run(transform=blank)
        await here.until_settled()
        (dead,) = await here.dead()
        assert (dead.cause, dead.fault) == (
            Cause.UNTRANSFORMABLE,
            "host is blank; time is not a fixed decimal",
        )
        assert splunk.request_count == 0


async def test_parked_hooks_go_to_the_tenant_that_claims_them_later(tmp_path: Path) -> None:
    """The tenants file names the installation while the relay runs; a disk that fails meanwhile is survived."""
    installation = "7a485448-a9e2-4c85-8a3c-4f44175783c9"
    async with StandInSplunk([HecToken("t")]) as splunk:
        parts = [Part("acme", splunk.url, "t")]
        async with world(tmp_path, parts, waiting_age_max_s=10) as here:
            parked = replace(here.hook(tenant=""), installation=installation)
            await here.spool.accept(parked, [""])
            flaky = Flaky(here.spool, "adopt")
            here.run(spool=flaky)
            watching = asyncio.create_task(here.registry.watch(poll_s=0.02))
            tenants_file(tmp_path, parts, installations={"acme": [installation]})
            await until(lambda: flaky.failed["adopt"])
            flaky.failing.clear()
            await splunk.wait_for(1, timeout_s=60)
            assert ids_of(splunk.indexed) == [parked.delivery_id]
            await here.until_settled()
            assert here.said("hooks.adopted")
            assert not here.fatal
            watching.cancel()


async def test_what_a_route_drops_is_settled_as_filtered(tmp_path: Path) -> None:
    """It counts as filtered, and Splunk hears nothing of it."""
    async with StandInSplunk([HecToken("t")]) as splunk:
        routes = ({"when": {"project": ["noise"]}, "drop": True},)
        async with world(tmp_path, [Part("acme", splunk.url, "t", routes=routes)]) as here:
            await here.accept(4, project="noise")
            kept = await here.accept(2)
            here.run()
            await here.until_settled()
            assert sorted(ids_of(splunk.indexed)) == kept
            (books,) = (await here.spool.stats()).streams
            assert (books.filtered, books.delivered) == (4, 2)


async def test_a_destination_that_the_file_lost_keeps_its_deliveries(tmp_path: Path) -> None:
    """They wait, readiness says so, and they go once the file names it again."""
    async with StandInSplunk([HecToken("t")]) as splunk:
        both = [Part("acme", splunk.url, "t"), Part("other", splunk.url, "t")]
        async with world(tmp_path, both) as here:
            tenants_file(tmp_path, both[1:])
            watching = asyncio.create_task(here.registry.watch(poll_s=0.02))
            await until(lambda: "acme" not in here.registry.snapshot.tenants)
            ids = await here.accept(3)
            here.run()
            await until(here.supervisor.states)
            assert "does not name any more" in str(here.supervisor.states()[0])
            assert await here.waiting() == 3
            tenants_file(tmp_path, both)
            await here.until_settled()
            assert sorted(ids_of(splunk.indexed)) == ids
            assert not here.supervisor.states()
            watching.cancel()


async def test_a_destination_that_moves_is_followed(tmp_path: Path) -> None:
    """The file names another address: what waits goes there, without a restart."""
    async with StandInSplunk([]) as old, StandInSplunk([]) as new:
        for splunk in (old, new):
            splunk.set_token(HecToken("t"))
        old.always(Fault.status(503))
        async with world(tmp_path, [Part("acme", old.url, "t")]) as here:
            watching = asyncio.create_task(here.registry.watch(poll_s=0.02))
            ids = await here.accept(5)
            here.run()
            await until(here.supervisor.states)
            tenants_file(tmp_path, [Part("acme", new.url, "t")])
            await here.until_settled()
            assert sorted(ids_of(new.indexed)) == ids
            assert not old.indexed
            watching.cancel()


async def test_what_waited_too_long_becomes_a_dead_letter(tmp_path: Path) -> None:
    """While its Splunk is away; the log says of whom and how many, and it is counted by its cause."""
    counts = Counts()
    async with world(tmp_path, [Part("acme", "http://127.0.0.1:9", "t")], waiting_age_max_s=0) as here:
        await here.accept(2)
        here.run(observer=counts)

        async def buried() -> bool:
            return len(await here.dead()) == 2

        await until_async(buried)
        assert {each.cause for each in await here.dead()} == {Cause.EXPIRED}
        await until(lambda: counts.burials[Stream("acme", "main"), Cause.EXPIRED] == 2)
        lines = here.said("deliveries.expired")
        assert sum(line["deliveries"] for line in lines) == 2
        assert {(line["tenant"], line["destination"], line["cause"]) for line in lines} == {("acme", "main", "expired")}


async def test_nothing_is_discarded_in_the_first_minute(tmp_path: Path) -> None:
    """The clock may have been set while nobody ran."""
    parts = [Part("acme", "http://127.0.0.1:9", "t")]
    async with world(tmp_path, parts, waiting_age_max_s=0, dead_age_max_s=0) as here:
        here.run()
        for count in (3, 6):  # several rounds of housekeeping

            async def buried(count: int = count) -> bool:
                return len(await here.dead()) == count

            await here.accept(3)
            await until_async(buried)
        assert not here.said("dead_letters.discarded")


async def test_dead_letters_beyond_their_budget_are_discarded_and_said(tmp_path: Path) -> None:
    """The log says of whom and how many; the books and the history have them."""
    async with world(
        tmp_path, [Part("acme", "http://127.0.0.1:9", "t")], waiting_age_max_s=0, dead_age_max_s=0
    ) as here:
        ids = await here.accept(3)
        here.run(calm_s=0)
        await until(lambda: sum(line["dead_letters"] for line in here.said("dead_letters.discarded")) == 3)
        assert not await here.dead()
        (books,) = (await here.spool.stats()).streams
        assert books.discarded == 3
        assert (await here.life(ids[0])).state is State.DISCARDED
        assert {(line["tenant"], line["destination"]) for line in here.said("dead_letters.discarded")} == {
            ("acme", "main")
        }
