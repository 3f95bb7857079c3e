"""No tenant takes another's room (``app/spool/shares.py``), proved against every engine."""

import asyncio

import pytest

from app.errors import NotStored
from app.model import Burial, Cause, Search, State, Stream, TenantFill
from app.spool.interface import Spool
from app.spool.shares import Held
from tests.contract.engines import ANNA, Engine, budgets_of, hook
from tests.contract.test_spool_contract import books, claim

HALF = 0.5
PARKED = Stream("", "")


async def post(spool: Spool, tenant: str, numbers: range, *, share: float = HALF) -> list[str]:
    """What becomes of hooks of a tenant that come at once: ``ok``, or why not."""

    async def one(number: int) -> str:
        try:
            await spool.accept(hook(number, tenant=tenant), ["main"], share=share)
        except NotStored as refusal:
            return refusal.reason
        return "ok"

    return list(await asyncio.gather(*(one(number) for number in numbers)))


async def park(spool: Spool, number: int, *, size: int = 10) -> None:
    """A hook of an installation that nobody claims."""
    await spool.accept(hook(number, tenant="", installation="u-1", payload=b"x" * size), [""])


async def held(spool: Spool) -> dict[str, tuple[int, int]]:
    """Who holds how much; those that hold nothing left out."""
    fills = (await spool.stats()).tenants
    return {tenant: (hooks, size) for tenant, hooks, size in fills if hooks or size}


async def test_who_fills_the_spool_is_refused_and_the_others_are_not(engine: Engine) -> None:
    """Flooded by one tenant: the next has all that it needs, and a third one finds room too."""
    spool = await engine.open(hooks_max=100)
    flood = await post(spool, "acme", range(1000, 1200))
    assert (flood.count("ok"), flood.count("share_full")) == (50, 150)
    assert await post(spool, "globex", range(2000, 2020)) == ["ok"] * 20
    more = await post(spool, "globex", range(2100, 2200))
    assert (more.count("ok"), set(more)) == (20, {"ok", "share_full"})
    assert await post(spool, "initech", range(3000, 3001)) == ["ok"]
    assert await post(spool, "acme", range(1200, 1201)) == ["share_full"]


async def test_a_refusal_says_whose_share_is_full(engine: Engine) -> None:
    """And how large that is."""
    spool = await engine.open(hooks_max=10)
    await post(spool, "acme", range(20))
    with pytest.raises(NotStored) as refusal:
        await spool.accept(hook(30), ["main"], share=HALF)
    assert refusal.value.reason == "share_full"
    assert refusal.value.facts == {"tenant": "acme", "installation": None, "share": HALF}


async def test_what_is_delivered_is_room_again(engine: Engine) -> None:
    """The share counts what is stored, through restarts; and a tenant that is alone has all of it."""
    spool = await engine.open(hooks_max=20)
    assert (await post(spool, "acme", range(20))).count("ok") == 10
    await spool.settle((await claim(spool))[:4])
    await spool.close()
    spool = await engine.open(hooks_max=20)
    assert (await post(spool, "acme", range(100, 120))).count("ok") == 4
    assert (await post(spool, "acme", range(200, 220), share=1.0)).count("ok") == 10


async def test_who_holds_how_much_is_counted_whatever_becomes_of_it(spool: Spool) -> None:
    """Several destinations, delivered, dead and discarded, parked and adopted: as the rows say."""
    for number in range(4):
        await spool.accept(hook(number, payload=b"x" * 10), ["main", "audit"])
    await spool.accept(hook(10, tenant="globex", payload=b"x" * 7), ["main"])
    for number in (20, 21):
        await park(spool, number, size=5)
    assert await held(spool) == {"acme": (4, 40), "globex": (1, 7), "": (2, 10)}
    of = {(each.hook.delivery_id, each.stream): each for each in await claim(spool)}
    acme = [each for each in of.values() if each.stream.tenant == "acme"]
    first = [each for each in acme if each.hook.delivery_id == hook(0).delivery_id]
    await spool.settle(first[:1])
    assert await held(spool) == {"acme": (4, 40), "globex": (1, 7), "": (2, 10)}
    await spool.settle(first[1:])
    await spool.bury([Burial(each, Cause.REJECTED, "no") for each in acme if each not in first])
    assert await held(spool) == {"acme": (3, 30), "globex": (1, 7), "": (2, 10)}
    dead = [each.seq for each in await spool.find(Search(states=frozenset({State.DEAD})), limit=99)]
    await spool.discard(dead, change=ANNA)
    assert await spool.adopt("u-1", "initech", ["main", "audit"]) == 2
    assert await held(spool) == {"globex": (1, 7), "initech": (2, 10)}
    stats = await spool.stats()
    assert (stats.hooks, stats.payload_bytes) == (3, 17)


async def test_the_oldest_parked_hooks_go_for_new_ones(engine: Engine) -> None:
    """Whoever installs a public integration fills the part of the parked and no more; what went is counted."""
    spool = await engine.open(hooks_max=1000, parked=Held(50, 10**6))
    await spool.accept(hook(1), ["main"])
    for number in range(100, 220):
        await park(spool, number)
    left = await spool.find(Search(states=frozenset({State.PARKED})), limit=999)
    assert 40 <= len(left) <= 50
    assert [each.delivery_id for each in left] == [hook(219 - n).delivery_id for n in range(len(left))]
    count = await books(spool, PARKED)
    assert (count.accepted, count.waiting, count.discarded) == (120, len(left), 120 - len(left))
    swept = await spool.expire(budgets_of(), limit=10)
    assert (swept.evicted, swept.discarded) == (120 - len(left), {})
    assert (await spool.expire(budgets_of(), limit=10)).evicted == 0
    entries = await spool.audit(limit=99)
    assert sum(entry.count for entry in entries) == 120 - len(left)
    assert {(entry.action, entry.actor) for entry in entries} == {("discard", "relay")}
    assert len(entries) <= 20
    gone = await spool.find(Search(states=frozenset({State.DISCARDED})), limit=999)
    assert len(gone) == 120 - len(left)
    assert await held(spool) == {"acme": (1, len(hook(1).payload)), "": (len(left), 10 * len(left))}


async def test_parked_hooks_are_bounded_by_bytes_and_by_a_tenth_of_the_spool(engine: Engine) -> None:
    """A hook that is larger than all of that is refused."""
    spool = await engine.open(hooks_max=10_000, bytes_max=100_000, parked=Held(1_000, 10**9))
    for number in range(30):
        await park(spool, number, size=1_000)
    count = await books(spool, PARKED)
    assert 8 <= count.waiting <= 10
    with pytest.raises(NotStored) as refusal:
        await park(spool, 99, size=10_001)
    assert refusal.value.facts["installation"] == "u-1"
    assert await post(spool, "acme", range(1000, 1050), share=1.0) == ["ok"] * 50


async def test_many_parked_hooks_at_once_take_no_more_room_than_there_is(engine: Engine) -> None:
    """Some are stored; who is no parked hook finds room beside them."""
    spool = await engine.open(hooks_max=100)
    parking = [park(spool, number) for number in range(300)]
    answers = await asyncio.gather(*parking, post(spool, "acme", range(1000, 1050), share=1.0), return_exceptions=True)
    assert answers[-1] == ["ok"] * 50
    refused = [each for each in answers[:-1] if each is not None]
    assert {each.reason for each in refused if isinstance(each, NotStored)} <= {"share_full"}
    count = await books(spool, PARKED)
    assert count.accepted == 300 - len(refused)
    assert count.waiting <= 20  # on PostgreSQL each of two connections fills the room, until the next one comes
    await park(spool, 2000)
    assert (await books(spool, PARKED)).waiting <= 10


async def test_the_dead_letters_of_the_largest_go_first(engine: Engine) -> None:
    """One tenant's dead letters push out its own, the oldest of them, over all of its destinations."""
    spool = await engine.open()
    for number in range(5):
        await spool.accept(hook(number, tenant="globex", payload=b"x" * 10), ["main"])
    await spool.bury([Burial(each, Cause.REJECTED, "no") for each in await claim(spool)])
    for number in range(100, 130):
        engine.clock.now += 1
        await spool.accept(hook(number, payload=b"x" * 10), ["main" if number % 2 else "audit"])
        await spool.bury([Burial(each, Cause.REJECTED, "no") for each in await claim(spool)])
    discarded = 0
    while (swept := await spool.expire(budgets_of(dead_bytes_max=150), limit=7)).changed:
        assert {stream.tenant for stream in swept.discarded} == {"acme"}
        discarded += sum(swept.discarded.values())
    assert discarded == 20
    left = await spool.find(Search(states=frozenset({State.DEAD})), limit=99)
    assert sorted(each.delivery_id for each in left) == sorted(
        hook(number).delivery_id for number in (*range(5), *range(120, 130))
    )
    assert TenantFill("globex", 5, 50) in (await spool.stats()).tenants
