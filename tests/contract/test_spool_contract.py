"""The spool's promise (``app/spool/interface.py``), proved against every engine."""

import asyncio

import pytest

from app.errors import NotStored, SpoolError
from app.model import Accepted, Burial, Cause, Delivery, Search, State, Stream, StreamCounts
from app.spool.interface import Spool
from tests.contract.engines import ANNA, DEAD, Clock, Engine, attempt, budgets_of, hook

ACME = Stream("acme", "main")


async def claim(spool: Spool, **changes: object) -> list[Delivery]:
    """A claim with wide limits."""
    wanted: dict[str, object] = {"limit": 1000, "per_stream": 1000, "bytes_max": 10**9, "lease_s": 60}
    return await spool.claim(**(wanted | changes))  # type: ignore[arg-type] # a test names limits freely


async def books(spool: Spool, stream: Stream = ACME) -> StreamCounts:
    """The books of one stream, after checking that they balance."""
    for count in (await spool.stats()).streams:
        gone = count.delivered + count.filtered + count.discarded + count.adopted
        assert count.accepted == gone + count.waiting + count.dead, count
    return next(each for each in (await spool.stats()).streams if each.stream == stream)


async def test_the_oldest_waiting_delivery_of_a_stream_is_told(spool: Spool) -> None:
    """By when its hook was received; of no other stream, and of nothing that does not wait."""
    assert await spool.oldest_waiting(ACME) is None
    for number, received_at in ((1, 3000.0), (2, 1000.0), (3, 2000.0)):
        await spool.accept(hook(number, received_at=received_at), ["main"])
    await spool.accept(hook(4, tenant="globex", received_at=10.0), ["main"])
    assert await spool.oldest_waiting(ACME) == 1000.0
    claimed = {each.hook.received_at: each for each in await claim(spool)}
    await spool.settle([claimed[1000.0]])
    assert await spool.oldest_waiting(ACME) == 2000.0
    await spool.bury([Burial(claimed[2000.0], Cause.REJECTED, "no")])
    assert await spool.oldest_waiting(ACME) == 3000.0


async def test_what_was_accepted_comes_back_as_it_was(spool: Spool) -> None:
    """A claimed delivery carries the hook, byte for byte and field for field."""
    stored = hook(
        7,
        installation="u-1",
        sender="service_hook",
        sent_at="1700000000",
        request_id="r",
        idempotency_key="k",
        verified_with="env:S",
        payload=bytes(range(256)),
    )
    answer = await spool.accept(stored, ["main"])
    assert answer == Accepted(stored.delivery_id, fresh=True)
    (delivery,) = await claim(spool)
    assert delivery.stream == ACME
    assert (delivery.attempts, delivery.ambiguous) == (0, 0)
    for name in ("delivery_id", "tenant", "installation", "sender", "resource", "sent_at", "request_id"):
        assert getattr(delivery.hook, name) == getattr(stored, name)
    assert delivery.hook.idempotency_key == "k"
    assert delivery.hook.verified_with == "env:S"
    assert delivery.hook.received_at == stored.received_at
    assert delivery.hook.payload == stored.payload


async def test_what_was_accepted_is_there_after_a_restart(engine: Engine) -> None:
    """Closing and opening again loses nothing, leases of the closed one included."""
    first = await engine.open()
    for number in range(5):
        await first.accept(hook(number), ["main"])
    assert len(await claim(first)) == 5
    await first.close()
    second = await engine.open()
    assert len(await claim(second)) == 5
    assert (await books(second)).accepted == 5


async def test_dedup_keys_are_forgotten_after_their_window(engine: Engine, spool: Spool) -> None:
    """A hook that comes again after the window is a new one."""
    await spool.accept(hook(1), ["main"])
    await spool.settle(await claim(spool))
    engine.clock.now += 100
    assert (await spool.expire(budgets_of(dedup_window_s=101), limit=10)).changed == 0
    assert not (await spool.accept(hook(1), ["main"])).fresh
    assert (await spool.expire(budgets_of(dedup_window_s=99, history_age_max_s=1e6), limit=10)).changed == 1
    assert (await spool.accept(hook(1), ["main"])).fresh


async def test_a_hook_with_two_destinations_is_gone_when_both_have_it(spool: Spool) -> None:
    """One delivery per destination; the payload stays for as long as one of them needs it."""
    await spool.accept(hook(1), ["main", "audit"])
    deliveries = await claim(spool)
    assert {each.stream.destination for each in deliveries} == {"main", "audit"}
    await spool.settle(deliveries[:1])
    assert (await spool.stats()).hooks == 1
    await spool.settle(deliveries[1:])
    stats = await spool.stats()
    assert (stats.hooks, stats.payload_bytes) == (0, 0)


async def test_a_claimed_delivery_is_nobody_elses(engine: Engine, spool: Spool) -> None:
    """Until the lease runs out nobody gets it again; then the late holder can change nothing."""
    await spool.accept(hook(1), ["main"])
    late = await claim(spool, lease_s=10)
    assert await claim(spool) == []
    engine.clock.now += 9
    assert await spool.renew(late, lease_s=10) == {late[0].seq}
    engine.clock.now += 9
    assert await claim(spool) == []
    engine.clock.now += 2
    again = await claim(spool)
    assert [each.seq for each in again] == [late[0].seq]
    assert await spool.renew(late, lease_s=10) == set()
    assert await spool.settle(late) == 0
    assert await spool.release(late, retry_in_s=0, tried=(attempt(),)) == 0
    assert await spool.bury([Burial(late[0], Cause.REJECTED, "no")]) == 0
    assert await spool.settle(again) == 1
    assert await spool.settle(again) == 0


async def test_many_claims_at_once_never_share_a_delivery(spool: Spool) -> None:
    """Concurrent claims and accepts: each delivery is handed out exactly once."""
    got: list[int] = []

    async def taker() -> None:
        for _ in range(30):
            got.extend(each.seq for each in await claim(spool, limit=7))
            await asyncio.sleep(0)

    await asyncio.gather(*(spool.accept(hook(n), ["main"]) for n in range(100)), taker(), taker(), taker())
    got.extend(each.seq for each in await claim(spool))
    assert len(got) == len(set(got)) == 100


async def test_released_deliveries_come_back_when_due_with_their_history(engine: Engine, spool: Spool) -> None:
    """Not before ``retry_in_s``; attempts and ambiguous attempts are counted, also over a restart."""
    await spool.accept(hook(1), ["main"])
    assert await spool.release(await claim(spool), retry_in_s=30, tried=(attempt(),), fault="503") == 1
    assert await claim(spool) == []
    engine.clock.now += 31
    first = await claim(spool)
    assert (first[0].attempts, first[0].ambiguous) == (1, 0)
    await spool.release(first, retry_in_s=0, tried=(attempt(ambiguous=True),))
    second = await claim(spool)
    assert (second[0].attempts, second[0].ambiguous) == (2, 1)
    await spool.release(second, retry_in_s=0)
    assert (await claim(spool))[0].attempts == 2


async def test_a_claim_goes_round_robin_over_tenants(spool: Spool) -> None:
    """One tenant's backlog hides no other's, whatever their names, over several claims."""
    for number in range(50):
        await spool.accept(hook(number, tenant="a-flood"), ["main"])
    for number, tenant in enumerate(("b", "c", "d"), start=100):
        await spool.accept(hook(number, tenant=tenant), ["main"])
    first = await claim(spool, per_stream=2, limit=4)
    second = await claim(spool, per_stream=2, limit=4)
    tenants = [each.stream.tenant for each in (*first, *second)]
    assert {"b", "c", "d"} <= set(tenants)
    assert tenants.count("a-flood") <= 4


async def test_busy_streams_and_parked_hooks_are_not_claimed(spool: Spool) -> None:
    """A stream that has enough is passed over, and so is what no tenant claims."""
    await spool.accept(hook(1), ["main", "audit"])
    await spool.accept(hook(2, tenant="", installation="u"), [""])
    (only,) = await claim(spool, busy=[ACME])
    assert only.stream.destination == "audit"


async def test_a_claim_is_bounded_in_bytes_and_order_is_by_age(spool: Spool) -> None:
    """Payloads up to ``bytes_max`` together; one that is larger comes alone; earlier due first."""
    for number in range(4):
        await spool.accept(hook(number, payload=b"x" * 100), ["main"])
    assert [each.hook.delivery_id for each in await claim(spool, bytes_max=250)] == [f"{n:032x}" for n in (0, 1)]
    assert len(await claim(spool, bytes_max=10)) == 1


async def test_dead_letters_keep_cause_and_payload_and_can_be_redelivered(spool: Spool) -> None:
    """Buried, listed, redelivered with id and count kept, delivered; the books balance throughout."""
    await spool.accept(hook(1), ["main"])
    (delivery,) = await claim(spool)
    assert await spool.bury([Burial(delivery, Cause.REJECTED, "code 6", (attempt(),))]) == 1
    assert await claim(spool) == []
    (letter,) = await spool.find(Search(states=frozenset({State.DEAD}), tenant="acme"), limit=9)
    assert (letter.cause, letter.fault, letter.attempts) == (Cause.REJECTED, "code 6", 1)
    assert not await spool.find(Search(tenant="acm"), limit=9)
    assert (await books(spool)).dead == 1
    assert await spool.redeliver([letter.seq], change=ANNA) == 1
    (again,) = await claim(spool)
    assert (again.hook.payload, again.attempts) == (delivery.hook.payload, 1)
    await spool.settle([again])
    counts = await books(spool)
    assert (counts.accepted, counts.delivered, counts.dead) == (1, 1, 0)


async def test_discarded_and_filtered_deliveries_are_counted_as_such(spool: Spool) -> None:
    """Nothing leaves the books without a word for it."""
    await spool.accept(hook(1), ["main"])
    await spool.accept(hook(2), ["main"])
    first, second = await claim(spool)
    await spool.bury([Burial(first, Cause.OVERSIZE, "too large")])
    assert await spool.discard([first.seq, 10**12], change=ANNA) == 1
    await spool.settle([second], filtered=True)
    counts = await books(spool)
    assert (counts.discarded, counts.filtered, counts.waiting) == (1, 1, 0)
    assert (await spool.stats()).hooks == 0


async def test_parked_hooks_go_to_the_tenant_that_claims_their_installation(spool: Spool) -> None:
    """Adopted once, for every destination of the tenant; other installations stay parked."""
    for number in range(3):
        await spool.accept(hook(number, tenant="", installation="u-1"), [""])
    await spool.accept(hook(9, tenant="", installation="u-2"), [""])
    assert sorted(await spool.parked()) == ["u-1", "u-2"]
    assert await spool.adopt("u-1", "acme", ["main", "audit"]) == 3
    assert await spool.adopt("u-1", "acme", ["main"]) == 0
    deliveries = await claim(spool)
    assert len(deliveries) == 6
    assert {each.hook.tenant for each in deliveries} == {"acme"}
    assert (await books(spool)).waiting == 3
    parked = await books(spool, Stream("", ""))
    assert (parked.accepted, parked.adopted, parked.waiting) == (4, 3, 1)


async def test_what_waits_too_long_becomes_a_dead_letter_and_leased_ones_do_not(engine: Engine, spool: Spool) -> None:
    """Expired and unclaimed are different causes; what is being delivered is left alone."""
    await spool.accept(hook(1), ["main"])
    (held,) = await claim(spool, lease_s=1000)
    await spool.accept(hook(2), ["main"])
    await spool.accept(hook(3, tenant="", installation="u"), [""])
    engine.clock.now += 500
    swept = await spool.expire(budgets_of(waiting_age_max_s=400), limit=100)
    assert swept.buried == {(ACME, Cause.EXPIRED): 1, (Stream("", ""), Cause.UNCLAIMED): 1}
    causes = {each.delivery_id: each.cause for each in await spool.find(DEAD, limit=100)}
    assert causes == {f"{2:032x}": Cause.EXPIRED, f"{3:032x}": Cause.UNCLAIMED}
    assert await spool.settle([held]) == 1
    await books(spool)


async def test_a_full_spool_refuses_keeps_what_it_has_and_takes_again_when_there_is_room(
    engine: Engine,
) -> None:
    """Limits on count and bytes; a repeat is still answered while full."""
    spool = await engine.open(hooks_max=2, bytes_max=1000)
    await spool.accept(hook(1, payload=b"x" * 500), ["main"])
    with pytest.raises(NotStored, match="spool_full"):
        await spool.accept(hook(2, payload=b"x" * 501), ["main"])
    await spool.accept(hook(3), ["main"])
    with pytest.raises(NotStored, match="spool_full"):
        await spool.accept(hook(4, payload=b""), ["main"])
    assert not (await spool.accept(hook(1), ["main"])).fresh
    await spool.settle(await claim(spool))
    assert (await spool.accept(hook(4), ["main"])).fresh
    assert (await books(spool)).accepted == 3


async def test_more_than_the_queue_holds_is_refused_at_once(engine: Engine) -> None:
    """What waits for the disk is bounded; what was refused is not stored, what was not is."""
    spool = await engine.open(queue_hooks_max=5)
    answers = await asyncio.gather(*(spool.accept(hook(n), ["main"]) for n in range(200)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, NotStored)]
    assert refused
    assert {each.reason for each in refused} == {"queue_full"}
    assert (await books(spool)).accepted == 200 - len(refused)


async def test_whoever_delivers_is_woken_when_something_becomes_due(spool: Spool) -> None:
    """Accepting, redelivering and adopting wake; a repeat does not."""
    wakes: list[str] = []
    spool.on_due(lambda: wakes.append("!"))
    await spool.accept(hook(1), ["main"])
    assert wakes == ["!"]
    await spool.accept(hook(1), ["main"])
    assert wakes == ["!"]
    (delivery,) = await claim(spool)
    await spool.bury([Burial(delivery, Cause.REJECTED, "")])
    await spool.redeliver([delivery.seq], change=ANNA)
    await spool.accept(hook(2, tenant="", installation="u"), [""])
    before = len(wakes)
    await spool.adopt("u", "acme", ["main"])
    assert len(wakes) > before >= 2


async def test_a_closed_spool_takes_nothing_more(spool: Spool) -> None:
    """After close an accept is refused, not lost; and nobody is shown or changes anything."""
    await spool.close()
    with pytest.raises(NotStored, match="spool_closed"):
        await spool.accept(hook(1), ["main"])
    with pytest.raises(SpoolError):
        await spool.find(Search(), limit=1)
    with pytest.raises(SpoolError):
        await spool.discard([64], change=ANNA)


async def test_the_oldest_waiting_is_told(engine: Engine, spool: Spool) -> None:
    """Its age is the headline of a queue."""
    assert (await spool.stats()).oldest_waiting_at is None
    await spool.accept(hook(1, received_at=5.0), ["main"])
    await spool.accept(hook(2, received_at=9.0), ["main"])
    assert (await spool.stats()).oldest_waiting_at == 5.0
    assert isinstance(engine.clock, Clock)
