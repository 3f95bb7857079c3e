"""Several replicas on one PostgreSQL: leases that are lost while others claim, and budgets that all of them keep."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.errors import SpoolError
from app.model import Accepted, Attempt, AuditAuthor, Burial, Cause, Delivery, RetentionLimits, Search, State
from app.spool.postgres.schema import SCHEMA_VERSION, migrate_url
from app.spool.postgres.spool import PostgresSpool
from app.spool.sql import Queries
from tests.contract.engines import PostgresPlace, hook, make_place
from tests.contract.test_spool_contract import books, claim

POST = Attempt(1_700_000_000.0, 0.25, "200 Success")
OURS = AuditAuthor("ann", "a test")
LEASE_S = 0.3
WIDE = {
    "waiting_age_max_s": 1e6,
    "dedup_window_s": 1e6,
    "dedup_keys_max": 10**6,
    "dead_age_max_s": 1e6,
    "dead_bytes_max": 10**9,
    "history_age_max_s": 1e6,
    "history_max": 10**6,
}


def budgets(**changes: float) -> RetentionLimits:
    """Wide ones but for these."""
    return RetentionLimits(**(WIDE | changes))  # type: ignore[arg-type] # a test names budgets freely


@pytest.fixture
async def stopped(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """A schema whose ``now()`` is the test's."""
    async with make_place(postgres_url, stopped_clock=True) as made:
        yield made


async def buried(spool: PostgresSpool, count: int, *, first: int = 0) -> None:
    """So many dead letters of ten bytes each."""
    for number in range(first, first + count):
        await spool.accept(hook(number, payload=b"x" * 10), ["main"])
    deliveries = await claim(spool)
    assert await spool.bury([Burial(each, Cause.REJECTED, "code 6", (POST,)) for each in deliveries]) == count


# Leases.


async def test_renewing_tells_which_are_still_ours(stopped: PostgresPlace) -> None:
    """Of those that ran out, were claimed by another, or are done, none; and what ran out is not taken back."""
    assert stopped.clock is not None
    async with await stopped.open() as one, await stopped.open() as other:
        for number in range(4):
            await one.accept(hook(number), ["main"])
        early = await claim(one, limit=2, lease_s=10)
        late = await claim(one, lease_s=30)
        await one.settle(late[:1])
        stopped.clock.now += 11
        assert await one.renew([*early, *late], lease_s=30) == {late[1].seq}
        taken = await claim(other, limit=1, lease_s=30)
        assert [each.seq for each in taken] == [early[0].seq]
        assert await one.renew([*early, *late], lease_s=30) == {late[1].seq}
        assert await other.renew(taken, lease_s=30) == {taken[0].seq}
        assert [each.seq for each in await claim(other)] == [early[1].seq]


async def test_what_is_written_under_a_lost_lease_changes_nothing(stopped: PostgresPlace) -> None:
    """Neither attempts nor faults nor books nor history, whether another has the delivery now or nobody."""
    assert stopped.clock is not None
    async with await stopped.open() as one, await stopped.open() as other:
        for number in range(6):
            await one.accept(hook(number), ["main"])
        late = await claim(one, lease_s=10)
        stopped.clock.now += 11
        taken = await claim(other, limit=3)
        assert len(taken) == 3
        before = await one.find(Search(), limit=10), await one.stats()
        assert await one.release(late, retry_in_s=0, tried=[POST], fault="too late") == 0
        assert await one.bury([Burial(each, Cause.REJECTED, "too late", (POST,)) for each in late]) == 0
        assert await one.settle(late, filtered=True) == 0
        assert await one.settle(late, tried=[POST]) == 0
        assert (await one.find(Search(), limit=10), await one.stats()) == before
        assert await other.settle(taken, tried=[POST]) == 3
        assert (await books(one)).delivered == 3
        assert (await one.stats()).history == 3


async def test_a_lease_that_runs_out_while_another_claims_has_one_holder(place: PostgresPlace) -> None:
    """One settles until after its lease, the other claims meanwhile: each delivery ends once, with one of them."""
    async with await place.open() as one, await place.open() as other:
        await asyncio.gather(*(one.accept(hook(n), ["main"]) for n in range(200)))
        settled: Counter[int] = Counter()
        held = await claim(one, lease_s=LEASE_S)
        ends = time.monotonic() + LEASE_S
        renewed = asyncio.Event()

        async def settle_late() -> None:
            await asyncio.sleep(LEASE_S * 0.9)
            for each in held:
                if time.monotonic() < ends + 0.2:
                    written = await one.settle([each], tried=[POST])
                    settled[each.seq] += written
            renewed.set()

        async def take_over() -> None:
            while not renewed.is_set() or (await books(other)).waiting:
                for each in await claim(other, limit=5):
                    written = await other.settle([each], tried=[POST])
                    settled[each.seq] += written

        async with asyncio.timeout(60):
            await asyncio.gather(settle_late(), take_over())
        assert set(settled.values()) == {1}
        assert len(settled) == 200
        lives = await one.find(Search(states=frozenset({State.DELIVERED})), limit=1000)
        assert sorted(each.seq for each in lives) == sorted(settled)
        assert {each.attempts for each in lives} == {1}


# Who is served when.


async def test_a_hook_beside_many_backlogs_waits_for_one_claim_and_not_for_a_round(place: PostgresPlace) -> None:
    """Whoever has a backlog is known after a while; what comes in for others is in the next claim, to its limits."""
    async with await place.open() as spool:
        await asyncio.gather(*(spool.accept(hook(n, tenant=f"t{n % 20:02}"), ["main"]) for n in range(1_000)))
        seen: Counter[str] = Counter()
        for number in range(12):
            await spool.accept(hook(5_000 + number, tenant=f"late{number}"), ["main"])
            claimed = await claim(spool, limit=32, per_stream=16)
            assert len(claimed) <= 32
            seen.update(each.stream.tenant for each in claimed)
            assert number < 8 or f"late{number}" in seen
            await spool.settle(claimed)
        assert min(seen[f"t{number:02}"] for number in range(20)) > 0


async def test_nothing_is_left_behind_when_backlogs_end(place: PostgresPlace) -> None:
    """Every stream is claimed to its end, each once, whatever was thought of it before; and no claim is too large."""
    async with await place.open() as spool:
        payload = b"x" * 100
        hooks = [hook(n, tenant=f"t{min(n % 37, n % 5)}", payload=payload) for n in range(600)]
        await asyncio.gather(*(spool.accept(each, ["main"]) for each in hooks))
        seen: Counter[int] = Counter()
        while claimed := await claim(spool, limit=20, per_stream=7, bytes_max=1_500):
            assert len(claimed) <= 15
            assert max(Counter(each.stream for each in claimed).values()) <= 7
            seen.update(each.seq for each in claimed)
        assert (len(seen), set(seen.values())) == (600, {1})
        await spool.accept(hook(900, tenant="t1", payload=payload * 20), ["main"])
        assert len(await claim(spool, bytes_max=1_500)) == 1


# Budgets that every replica keeps at the same time.


async def test_replicas_that_sweep_at_once_discard_no_more_than_the_budget_says(place: PostgresPlace) -> None:
    """Both see the same excess; the oldest go, once, and the audit and the history have each of them once."""
    async with await place.open() as one, await place.open() as other, await place.open() as third:
        await buried(one, 60)
        for _ in range(3):
            swept = await asyncio.gather(
                *(s.expire(budgets(dead_bytes_max=250), limit=20) for s in (one, other, third))
            )
            assert sum(sum(each.discarded.values()) for each in swept) <= 35
        stats = await one.stats()
        assert (stats.dead_bytes, stats.hooks, stats.history) == (250, 25, 35)
        entries = await one.audit(limit=100)
        listed = [each for entry in entries for each in entry.delivery_ids]
        assert sorted(listed) == [f"{number:032x}" for number in range(35)]
        assert sum(entry.count for entry in entries) == 35
        assert {(entry.actor, entry.reason) for entry in entries} == {
            ("relay", "dead letters over RELAY_DEAD_BYTES_MAX")
        }
        assert (await books(one)).discarded == 35


async def test_replicas_that_forget_at_once_forget_no_more_than_the_budget_says(place: PostgresPlace) -> None:
    """The latest of the history stay, as many as there may be; how many there are is known without counting."""
    async with await place.open() as one, await place.open() as other:
        for number in range(50):
            await one.accept(hook(number), ["main"])
        deliveries = sorted(await claim(one), key=lambda each: each.seq)
        for each in deliveries:
            await one.settle([each], tried=[POST])
        for _ in range(6):
            await asyncio.gather(*(s.expire(budgets(history_max=10), limit=15) for s in (one, other)))
        left = await one.find(Search(), limit=100)
        assert [each.seq for each in left] == [each.seq for each in reversed(deliveries[-10:])]
        assert (await other.stats()).history == 10
        assert (await place.run("SELECT count(*) FROM spool_history"))[0] == (10,)


async def test_two_who_change_the_same_dead_letters_change_each_once(place: PostgresPlace) -> None:
    """One redelivers while the other discards: what one got the other did not, and the audit says so."""
    async with await place.open() as one, await place.open() as other:
        await buried(one, 40)
        seqs = [each.seq for each in await one.find(Search(), limit=100)]
        again, gone = await asyncio.gather(one.redeliver(seqs, change=OURS), other.discard(seqs, change=OURS))
        assert again + gone == 40
        count = await books(one)
        assert (count.waiting, count.discarded, count.dead) == (again, gone, 0)
        assert sum(entry.count for entry in await one.audit(limit=10)) == 40


async def test_what_is_remembered_without_a_history_is_nothing(place: PostgresPlace) -> None:
    """Books and audit are kept all the same."""
    async with await place.open(history=False) as spool:
        await buried(spool, 2)
        await spool.accept(hook(5), ["main"])
        assert await spool.settle(await claim(spool), tried=[POST]) == 1
        seqs = [each.seq for each in await spool.find(Search(), limit=100)]
        assert await spool.discard(seqs, change=OURS) == 2
        assert (await spool.find(Search(), limit=100), (await spool.stats()).history) == ([], 0)
        assert [entry.count for entry in await spool.audit(limit=9)] == [2]
        count = await books(spool)
        assert (count.delivered, count.discarded) == (1, 2)


async def test_a_role_that_may_only_add_to_the_audit_is_enough(place: PostgresPlace) -> None:
    """As docs/postgres.md grants it: the relay does all its work, and cannot change what was written there."""
    async with await place.open():
        pass
    ((schema,),) = await place.run("SELECT current_schema()")
    role = f"relay_of_{schema}"
    names = ("hooks", "deliveries", "seen", "shards", "ledger", "tenant_fill", "history")
    worked_on = ", ".join(f"spool_{name}" for name in names)
    await place.run(
        f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {worked_on} TO {role};"
        f"GRANT SELECT, INSERT ON spool_audit TO {role}; GRANT SELECT ON spool_schema TO {role};"
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
    )
    narrow = PostgresPlace(f"{place.url}&role={role}", None)
    try:
        async with await narrow.open() as spool:
            await buried(spool, 3)
            seqs = [each.seq for each in await spool.find(Search(), limit=10)]
            assert await spool.redeliver(seqs[:1], change=OURS) == 1
            assert await spool.settle(await claim(spool), tried=[POST]) == 1
            await spool.expire(budgets(dead_bytes_max=10, history_max=1), limit=10)
            assert [entry.count for entry in await spool.audit(limit=9)] == [1, 1]
            await spool.stats()
        for statement in ("DELETE FROM spool_audit", "UPDATE spool_audit SET actor = 'nobody'", "TRUNCATE spool_audit"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await narrow.run(statement)
    finally:
        await place.run(f"DROP OWNED BY {role}; DROP ROLE {role};")


# The schema before this one.


V1 = """
    INSERT INTO spool_schema (version) VALUES (1);
    INSERT INTO spool_hooks (seq, delivery_id, tenant, installation, received_at, bytes, about, payload) VALUES
        (1, 'a1', 'acme', '', 1700000000.5, 2, '["integration","issue","","r-1","","env:S"]', 'hi'),
        (2, 'a2', 'acme', '', 1700000001.5, 2, '["integration","issue","","r-2","","env:S"]', 'ho'),
        (3, 'a3', '', 'u-1', 1700000002.5, 2, '["integration","issue","","r-3","","env:S"]', 'he');
    INSERT INTO spool_deliveries (seq, state, stream, due_at, waiting_since, received_at, bytes, siblings, attempts,
        ambiguous, fault, delivery_id, cause, buried_at) VALUES
        (64, 0, 'acme/main', now(), now(), 1700000000.5, 2, 2, 3, 1, '503', 'a1', NULL, NULL),
        (65, 2, 'acme/audit', now(), now(), 1700000000.5, 2, 2, 1, 0, 'code 6', 'a1', 'rejected', now()),
        (128, 0, 'acme/main', now(), now(), 1700000001.5, 2, 1, 0, 0, '', 'a2', NULL, NULL),
        (192, 1, '/', now(), now(), 1700000002.5, 2, 1, 0, 0, '', 'a3', NULL, NULL);
    INSERT INTO spool_ledger (stream, shard, accepted) VALUES ('acme/main', 1, 2), ('acme/audit', 1, 1), ('/', 1, 1);
    INSERT INTO spool_shards (shard, owner, until, hooks, bytes)
        VALUES (1, '00000000-0000-0000-0000-000000000000', now(), 3, 6);
    INSERT INTO spool_seen (dedup_key, delivery_id, at) VALUES
        ('kkkkkkkkkkkkkkkk', 'a1', now()), ('ssssssssssssssss', 'a1', now());
    SELECT setval('spool_hook_seq', 3);
"""
"""What a relay with the first schema left behind: waiting, retried, dead and parked."""


async def test_a_spool_of_the_first_schema_is_migrated_with_everything_in_it(place: PostgresPlace) -> None:
    """Deliveries, dead letters, attempts and books are as they were; a second migration finds nothing to do."""
    await place.run(Queries.text("postgres/sql/migrations/0001_spool.sql"))
    await place.run(V1)
    with pytest.raises(SpoolError, match=f"schema version 1, this relay needs {SCHEMA_VERSION}: run: relay spool mig"):
        await place.open()
    assert await migrate_url(place.url) == (1, SCHEMA_VERSION)
    assert await migrate_url(place.url) == (SCHEMA_VERSION, SCHEMA_VERSION)
    async with await place.open() as spool:
        lives = {each.seq: each for each in await spool.find(Search(), limit=10)}
        assert [each.state for each in lives.values()] == [State.PARKED, State.WAITING, State.DEAD, State.WAITING]
        assert (lives[64].attempts, lives[64].ambiguous, lives[64].tried) == (3, 1, [])
        assert lives[65].cause is Cause.REJECTED
        stats = await spool.stats()
        assert (stats.hooks, stats.payload_bytes, stats.dead_bytes, stats.history) == (3, 6, 2, 0)
        assert await spool.redeliver([65], change=OURS) == 1
        assert await spool.adopt("u-1", "globex", ["main"]) == 1
        claimed: list[Delivery] = await claim(spool)
        assert {each.seq: bytes(each.hook.payload) for each in claimed} == {
            64: b"hi",
            65: b"hi",
            128: b"ho",
            192: b"he",
        }
        assert await spool.settle(claimed, tried=[POST]) == 4
        (ended,) = await spool.find(Search(delivery_ids=frozenset({"a2"})), limit=9)
        assert (ended.state, ended.request_id, ended.attempts) == (State.DELIVERED, "r-2", 1)
        assert (await spool.stats()).hooks == 0
        repeat, alike = hook(1, key_digest=b"k" * 16), hook(2, key_digest=b"", body_digest=b"s" * 16, resendable=True)
        assert await spool.accept(repeat, ["main"]) == Accepted("a1", fresh=False)
        assert await spool.accept(alike, ["main"]) == Accepted(alike.delivery_id, fresh=True, same_body_as="a1")
        assert (await spool.stats()).dedup_keys == 2
        await books(spool)
