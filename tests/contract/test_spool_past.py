"""What has become of deliveries: the history, dead letters and what people do to them, the budgets, on every engine."""

import asyncio

import pytest

from app.model import Attempt, AuditAuthor, Burial, Cause, Delivery, DeliveryRecord, Search, State, Stream
from app.spool.interface import Spool
from tests.contract.engines import ANNA, DEAD, Engine, attempt, budgets_of, hook

ACME = Stream("acme", "main")
START = 1_700_000_000.0


async def claim(spool: Spool) -> list[Delivery]:
    """Everything that is due."""
    return await spool.claim(limit=1000, per_stream=1000, bytes_max=10**9, lease_s=60)


async def buried(spool: Spool, *numbers: int, cause: Cause = Cause.REJECTED, **changes: object) -> list[int]:
    """Hooks that are dead letters now; their seqs."""
    for number in numbers:
        await spool.accept(hook(number, **changes), ["main"])
    deliveries = await claim(spool)
    await spool.bury([Burial(each, cause, "code 6", (attempt(),)) for each in deliveries])
    return [each.seq for each in deliveries]


async def only(spool: Spool, delivery_id: str = f"{1:032x}") -> DeliveryRecord:
    """The one life of a hook."""
    (life,) = await spool.find(Search(delivery_ids=frozenset({delivery_id})), limit=10)
    return life


async def balance(spool: Spool) -> None:
    """The equation of the books holds for every stream."""
    for each in (await spool.stats()).streams:
        gone = each.delivered + each.filtered + each.discarded + each.adopted
        assert each.accepted == gone + each.waiting + each.dead, each


async def test_a_waiting_delivery_tells_its_life_so_far(engine: Engine, spool: Spool) -> None:
    """Where it came from, which secret verified it, each post with its time and answer, and when it is due."""
    await spool.accept(
        hook(1, verified_with="env:S", request_id="r", installation="u", sender="service_hook"), ["main"]
    )
    tried = (attempt(START + 1), attempt(START + 3, took_s=30.0, answer="no answer in 30 s", ambiguous=True))
    await spool.release(await claim(spool), retry_in_s=60, tried=tried, fault="no answer in 30 s")
    life = await only(spool)
    assert (life.state, life.stream, life.cause, life.ended_at) == (State.WAITING, ACME, None, None)
    assert (life.sender, life.resource, life.request_id) == ("service_hook", "issue", "r")
    assert (life.verified_with, life.installation, life.payload_bytes) == ("env:S", "u", len(hook(1).payload))
    assert (life.received_at, life.attempts, life.ambiguous) == (START, 2, 1)
    assert (life.first_attempt_at, life.last_attempt_at) == (START + 1, START + 3)
    assert (tuple(life.tried), life.fault) == (tried, "no answer in 30 s")
    assert life.due_at == engine.clock.now + 60


async def test_a_release_without_a_fault_keeps_the_last_one(engine: Engine, spool: Spool) -> None:
    """Giving back what was never posted is nothing that went wrong."""
    await spool.accept(hook(1), ["main"])
    await spool.release(await claim(spool), retry_in_s=0, tried=(attempt(),), fault="busy")
    engine.clock.now += 1
    await spool.release(await claim(spool), retry_in_s=0)
    life = await only(spool)
    assert (life.fault, life.attempts) == ("busy", 1)


async def test_what_was_delivered_filtered_or_discarded_is_remembered(engine: Engine, spool: Spool) -> None:
    """Without its payload, with everything else, the last post included."""
    for number in (1, 2, 3):
        await spool.accept(hook(number, verified_with="env:S"), ["main"])
    first, second, third = await claim(spool)
    engine.clock.now += 5
    await spool.settle([first], tried=(attempt(START + 4, answer="200/0: Success"),))
    await spool.settle([second], filtered=True)
    await spool.bury([Burial(third, Cause.OVERSIZE, "413")])
    await spool.discard([third.seq], change=ANNA)
    lives = await spool.find(Search(), limit=10)
    assert [each.state for each in lives] == [State.DISCARDED, State.FILTERED, State.DELIVERED]
    assert {each.ended_at for each in lives} == {engine.clock.now}
    assert {each.verified_with for each in lives} == {"env:S"}
    assert (lives[0].cause, lives[0].fault, lives[1].attempts) == (Cause.OVERSIZE, "413", 0)
    assert tuple(lives[2].tried) == (attempt(START + 4, answer="200/0: Success"),)
    stats = await spool.stats()
    assert (stats.hooks, stats.payload_bytes, stats.history) == (0, 0, 3)


async def test_without_a_history_nothing_that_ended_is_remembered(engine: Engine) -> None:
    """An operator who wants none does not pay for one."""
    spool = await engine.open(history=False)
    await spool.accept(hook(1), ["main"])
    await spool.settle(await claim(spool), tried=(attempt(),))
    assert not await spool.find(Search(), limit=10)
    assert (await spool.stats()).history == 0
    await balance(spool)


async def test_of_very_many_posts_the_latest_are_kept(engine: Engine, spool: Spool) -> None:
    """A delivery that is tried for a week does not grow for a week; the count and the first time stay."""
    await spool.accept(hook(1), ["main"])
    for number in range(60):
        tried = tuple(attempt(START + number + part / 10, answer="x" * 50) for part in range(5))
        await spool.release(await claim(spool), retry_in_s=0, tried=tried)
        engine.clock.now += 1
    life = await only(spool)
    assert (life.attempts, life.first_attempt_at, life.last_attempt_at) == (300, START, START + 59.4)
    assert 20 < len(life.tried) < 80
    assert life.tried[-1] == Attempt(START + 59.4, 0.25, "x" * 50)


async def test_deliveries_are_found_by_what_an_operator_knows(engine: Engine, spool: Spool) -> None:
    """Tenant, destination, cause, state, id and time of receipt; the newest first, page by page."""
    for number in range(6):
        tenant = "acme" if number % 2 else "globex"
        await spool.accept(hook(number, tenant=tenant, received_at=START + number), ["main", "audit"])
    await spool.accept(hook(9, tenant="", installation="u"), [""])
    deliveries = await claim(spool)
    await spool.settle(deliveries[:2])
    await spool.bury([Burial(each, Cause.OVERSIZE, "413") for each in deliveries[2:4]])
    engine.clock.now += 1

    async def count(**wanted: object) -> int:
        return len(await spool.find(Search(**wanted), limit=100))  # type: ignore[arg-type] # any of its fields

    assert await count() == 13
    assert await count(tenant="acme") == await count(tenant="globex") == 6
    assert await count(tenant="acme", destination="audit") == 3
    assert await count(destination="main") == 6
    assert await count(tenant="acm") == await count(tenant="nobody") == 0
    assert await count(states=frozenset({State.DELIVERED})) == 2
    assert await count(states=frozenset({State.PARKED})) == 1
    assert await count(states=frozenset({State.DEAD, State.DELIVERED})) == 4
    assert await count(causes=frozenset({Cause.OVERSIZE})) == 2
    assert await count(causes=frozenset({Cause.EXPIRED})) == 0
    assert await count(delivery_ids=frozenset({f"{1:032x}", f"{2:032x}", "none"})) == 4
    assert await count(received_from=START + 2, received_before=START + 4) == 4
    pages: list[int] = []
    before = None
    while page := await spool.find(Search(), limit=5, before=before):
        pages += [each.seq for each in page]
        before = page[-1].seq
    assert len(pages) == len(set(pages)) == 13
    assert pages == sorted(pages, reverse=True)


async def test_redelivered_dead_letters_keep_id_and_counts_and_leave_a_trace(engine: Engine, spool: Spool) -> None:
    """In the order given, and only what is a dead letter; one entry in the audit."""
    seqs = await buried(spool, 1, 2, 3)
    change = AuditAuthor("anna", "the index exists now")
    assert await spool.redeliver([seqs[1], seqs[0], seqs[1], 10**12], change=change) == 2
    assert await spool.redeliver([seqs[1]], change=ANNA) == 0
    again = await claim(spool)
    assert {each.seq for each in again} == {seqs[0], seqs[1]}
    assert {each.attempts for each in again} == {1}
    (entry,) = await spool.audit(limit=10)
    assert (entry.action, entry.at) == ("redeliver", engine.clock.now)
    assert AuditAuthor(entry.actor, entry.reason) == change
    assert (entry.count, list(entry.delivery_ids)) == (2, [f"{2:032x}", f"{1:032x}"])
    await spool.settle(again, tried=(attempt(),))
    assert (await only(spool)).attempts == 2
    await balance(spool)


async def test_redelivering_is_spread_over_time(engine: Engine, spool: Spool) -> None:
    """``per_s`` become due in a second, from ``starts_in_s`` on."""
    seqs = await buried(spool, *range(10))
    assert await spool.redeliver(seqs, change=ANNA, per_s=2, starts_in_s=10) == 10
    assert await claim(spool) == []
    engine.clock.now += 10.1
    assert [each.seq for each in await claim(spool)] == seqs[:1]
    engine.clock.now += 2
    assert [each.seq for each in await claim(spool)] == seqs[1:5]
    swept = await spool.expire(budgets_of(waiting_age_max_s=12), limit=100)
    assert not swept.buried, "what is put off for longer than anything may wait is not late"


async def test_a_redelivered_dead_letter_waits_its_whole_age_again(engine: Engine, spool: Spool) -> None:
    """However long ago its hook was received."""
    seqs = await buried(spool, 1)
    engine.clock.now += 10_000
    await spool.redeliver(seqs, change=ANNA)
    assert (await spool.expire(budgets_of(waiting_age_max_s=1_000), limit=10)).changed == 0
    engine.clock.now += 1_001
    swept = await spool.expire(budgets_of(waiting_age_max_s=1_000), limit=10)
    assert swept.buried == {(ACME, Cause.EXPIRED): 1}
    await balance(spool)


async def test_the_audit_is_told_page_by_page(spool: Spool) -> None:
    """The newest first; what changed nothing is not in it."""
    seqs = await buried(spool, 1, 2, 3)
    await spool.discard([10**12], change=ANNA)
    for seq in seqs:
        await spool.discard([seq], change=ANNA)
    page = await spool.audit(limit=2)
    rest = await spool.audit(limit=2, before=page[-1].number)
    assert [each.delivery_ids for each in (*page, *rest)] == [[f"{number:032x}"] for number in (3, 2, 1)]
    assert {each.action for each in page} == {"discard"}


async def test_dead_letters_over_their_age_are_discarded(engine: Engine, spool: Spool) -> None:
    """By when they were buried; told, booked, remembered, and in the audit under the budget's name."""
    await buried(spool, 1, 2)
    engine.clock.now += 100
    await buried(spool, 3)
    swept = await spool.expire(budgets_of(dead_age_max_s=50), limit=10)
    assert (swept.discarded, swept.changed) == ({ACME: 2}, 2)
    (left,) = await spool.find(DEAD, limit=10)
    assert left.delivery_id == f"{3:032x}"
    (entry,) = await spool.audit(limit=10)
    assert (entry.actor, entry.reason, entry.count) == ("relay", "dead letters older than RELAY_DEAD_AGE_MAX_S", 2)
    assert (await only(spool)).state is State.DISCARDED
    await balance(spool)


async def test_of_too_many_dead_letters_those_buried_first_are_discarded(engine: Engine, spool: Spool) -> None:
    """Until the rest fits, a chunk at a time; what waits does not count."""
    for number in range(6):
        await buried(spool, number, payload=b"x" * 100)
        engine.clock.now += 1
    await spool.accept(hook(50, payload=b"x" * 1000), ["main"])
    assert (await spool.stats()).dead_bytes == 600
    assert (await spool.stats()).oldest_dead_at == START
    assert (await spool.expire(budgets_of(dead_bytes_max=250), limit=3)).discarded == {ACME: 3}
    swept = await spool.expire(budgets_of(dead_bytes_max=250), limit=3)
    assert swept.discarded == {ACME: 1}
    assert [each.delivery_id for each in await spool.find(DEAD, limit=10)] == [f"{number:032x}" for number in (5, 4)]
    assert {each.reason for each in await spool.audit(limit=10)} == {"dead letters over RELAY_DEAD_BYTES_MAX"}
    assert (await spool.stats()).dead_bytes == 200
    await balance(spool)


async def test_without_dead_letters_none_is_the_oldest(spool: Spool) -> None:
    """And they have no bytes."""
    stats = await spool.stats()
    assert (stats.dead_bytes, stats.oldest_dead_at, stats.history) == (0, None, 0)


@pytest.mark.parametrize("limits", [{"history_age_max_s": 30}, {"history_max": 2}])
async def test_the_history_keeps_to_its_age_and_number(engine: Engine, spool: Spool, limits: dict[str, float]) -> None:
    """The oldest are forgotten, the others stay."""
    for number in (1, 2, 3):
        await spool.accept(hook(number), ["main"])
    first, *later = await claim(spool)
    await spool.settle(later[:1])
    engine.clock.now += 50
    await spool.settle([first])
    await spool.settle(later[1:])
    assert (await spool.stats()).history == 3
    swept = await spool.expire(budgets_of(**limits), limit=10)
    assert swept.changed == 1
    left = {each.delivery_id for each in await spool.find(Search(), limit=10)}
    assert left == {f"{1:032x}", f"{3:032x}"}
    assert (await spool.stats()).history == 2
    assert (await spool.expire(budgets_of(**limits), limit=10)).changed == 0


async def test_what_is_claimed_meanwhile_is_not_buried_by_a_budget(engine: Engine, spool: Spool) -> None:
    """A claim and the keeping to the budgets at the same instant: one of them has the delivery, never both."""
    for number in range(10):
        await spool.accept(hook(number), ["main"])
        engine.clock.now += 100
        over = budgets_of(waiting_age_max_s=50, dead_bytes_max=0)
        swept, got = await asyncio.gather(spool.expire(over, limit=10), claim(spool))
        assert sum(swept.buried.values()) + len(got) == 1
        assert await spool.settle(got) == len(got)
        await balance(spool)


async def test_words_that_cannot_be_stored_as_they_are_spoil_nothing(spool: Spool) -> None:
    """Half a surrogate pair, NUL, or very long: a post is in the log all the same, and so is who did what."""
    words = "said \0 and \ud800"
    await spool.accept(hook(1), ["main"])
    long = attempt(answer="\0" * 10_000)
    assert await spool.release(await claim(spool), retry_in_s=0, tried=(attempt(answer=words), long), fault=words) == 1
    life = await only(spool)
    assert life.attempts == 2
    assert life.tried[-1].answer.startswith("\0" * 100)
    (delivery,) = await claim(spool)
    assert await spool.bury([Burial(delivery, Cause.REJECTED, words, (attempt(answer=words),))]) == 1
    assert (await only(spool)).tried[-1].answer.startswith("said \0 and ")
    assert not await spool.find(Search(tenant=words, destination=words, delivery_ids=frozenset({words})), limit=10)
    assert await spool.discard([delivery.seq], change=AuditAuthor(words, words)) == 1
    (entry,) = await spool.audit(limit=10)
    assert entry.reason.startswith("said ")


async def test_a_delivery_ends_in_one_place_only(spool: Spool) -> None:
    """What is redelivered and delivered is not a dead letter as well, and the other destination is its own."""
    await spool.accept(hook(1), ["main", "audit"])
    main, other = sorted(await claim(spool), key=lambda each: each.stream.destination, reverse=True)
    await spool.settle([main])
    await spool.bury([Burial(other, Cause.REJECTED, "code 6")])
    lives = await spool.find(Search(delivery_ids=frozenset({f"{1:032x}"})), limit=10)
    assert {(each.stream.destination, each.state) for each in lives} == {
        ("main", State.DELIVERED),
        ("audit", State.DEAD),
    }
    await spool.discard([other.seq], change=ANNA)
    assert (await spool.stats()).hooks == 0
    await balance(spool)
