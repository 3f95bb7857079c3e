"""What is particular to the spool on PostgreSQL: replicas side by side, its schema, its server's care."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count

import pytest

from app.errors import NotStored, SpoolError
from app.model import Accepted, Attempt, Delivery, Stream
from app.spool.postgres import schema as postgres_schema
from app.spool.postgres.schema import SCHEMA_VERSION
from app.spool.postgres.spool import PostgresSpool
from app.spool.postgres.url import read_url
from tests.contract.engines import LIMITS, PostgresPlace, hook
from tests.contract.test_spool_contract import ACME, books, claim

GAP_S = 0.005
POST = Attempt(1_700_000_000.0, 0.25, "503 server is busy")


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, timeout_s: float = 60) -> None:
    """Wait for it."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(GAP_S)


# Several replicas on one database.


async def test_two_replicas_never_hand_out_the_same_delivery(place: PostgresPlace) -> None:
    """Both accept, claim and settle at the same time; each delivery is claimed once and the books balance."""
    async with await place.open() as one, await place.open() as other:
        numbers: Iterator[int] = count(1)
        got: Counter[int] = Counter()
        accepted = 0

        async def accept(spool: PostgresSpool) -> None:
            nonlocal accepted
            for number in numbers:
                if number > 400:
                    return
                await spool.accept(hook(number, tenant=f"t{number % 7}"), ["main", "audit"])
                accepted += 1

        async def deliver(spool: PostgresSpool) -> None:
            while sum(got.values()) < 800:
                claimed = await claim(spool, limit=20, per_stream=3)
                got.update(each.seq for each in claimed)
                assert await spool.settle(claimed) == len(claimed)

        work = [job(spool) for spool in (one, other) for job in (accept, accept, accept, deliver, deliver)]
        await asyncio.gather(*work)
        assert accepted == 400
        assert set(got.values()) == {1}
        stats = await one.stats()
        assert (stats.hooks, stats.payload_bytes) == (0, 0)
        assert sum(each.delivered for each in stats.streams) == 800
        await books(one, Stream("t0", "main"))


async def test_the_same_hook_at_two_replicas_at_once_is_stored_once(place: PostgresPlace) -> None:
    """A proxy that asks twice: both are told the same id, one of them that it is new."""
    async with await place.open() as one, await place.open() as other:
        for number in range(30):
            both = [hook(number, body_digest=bytes([100 + number]) * 16) for _ in range(2)]
            answers = await asyncio.gather(one.accept(both[0], ["main"]), other.accept(both[1], ["main"]))
            assert sorted(each.fresh for each in answers) == [False, True]
            assert len({each.delivery_id for each in answers}) == 1
        assert (await books(one)).accepted == 30


async def test_the_same_bytes_at_two_replicas_at_once_are_both_stored_and_one_is_marked(place: PostgresPlace) -> None:
    """Whoever comes second, by a moment, sees the first: in many batches at once, new bytes and known ones."""
    body = {"key_digest": b"", "resendable": True}
    async with await place.open() as one, await place.open() as other:
        for round_ in range(10):
            same = [bytes([20 * (round_ // 2) + place]) * 16 for place in range(20)]
            hooks = [hook(1000 * round_ + n, body_digest=same[n % 20], **body) for n in range(80)]
            answers = await asyncio.gather(
                *(spool.accept(each, ["main"]) for each, spool in zip(hooks, [one, other] * 40, strict=True))
            )
            assert all(each.fresh for each in answers)
            assert len({each.delivery_id for each in answers}) == 80
            assert sum(not each.same_body_as for each in answers) == (0 if round_ % 2 else 20)
        assert (await books(one)).accepted == 800
        assert (await one.stats()).dedup_keys == 100


async def test_what_one_replica_did_not_answer_another_knows_as_a_resend(place: PostgresPlace) -> None:
    """Sentry's retry comes to whichever replica the balancer likes."""
    first, again = (hook(n, key_digest=b"", body_digest=b"s" * 16, resendable=True) for n in (1, 2))
    async with await place.open() as one, await place.open() as other:
        await one.accept(first, ["main"])
        one.unanswered(first, first.delivery_id)
        async with asyncio.timeout(10):
            while not (await place.run("SELECT bool_or(unanswered) FROM spool_seen"))[0][0]:
                await asyncio.sleep(0.01)
        assert await other.accept(again, ["main"]) == Accepted(first.delivery_id, fresh=False)


async def test_two_replicas_with_the_same_hooks_in_opposite_order_do_not_lock_each_other_out(
    place: PostgresPlace,
) -> None:
    """Each has its answer in time, and of each pair one is new: keys are stored in their own order."""
    async with await place.open() as one, await place.open() as other:
        for start in range(0, 1000, 100):
            numbers = range(start, start + 64)
            answers = await asyncio.gather(
                *(one.accept(hook(n), ["main"]) for n in numbers),
                *(other.accept(hook(n), ["main"]) for n in reversed(numbers)),
            )
            assert sum(each.fresh for each in answers) == 64


async def test_a_replica_goes_on_in_the_round_where_it_was(place: PostgresPlace) -> None:
    """Every stream is served once before any is served again."""
    async with await place.open() as spool:
        for number in range(24):
            await spool.accept(hook(number, tenant=f"t{number % 6}"), ["main"])
        for _ in range(3):
            claimed = [each for _ in range(3) for each in await claim(spool, limit=2, per_stream=1)]
            assert {each.stream.tenant for each in claimed} == {f"t{n}" for n in range(6)}


async def test_the_last_two_deliveries_of_a_hook_settled_at_once_leave_nothing(place: PostgresPlace) -> None:
    """Each of two replicas settles one destination; neither leaves the payload to the other."""
    async with await place.open() as one, await place.open() as other:
        for number in range(40):
            await one.accept(hook(number), ["main", "audit"])
        deliveries = await claim(one)
        main = [each for each in deliveries if each.stream == ACME]
        audit = [each for each in deliveries if each.stream != ACME]
        for mine, theirs in zip(main, audit, strict=True):
            await asyncio.gather(one.settle([mine]), other.settle([theirs]))
        assert await place.run("SELECT seq FROM spool_hooks") == []
        assert (await one.stats()).hooks == 0


async def test_what_is_in_flight_of_a_stream_is_capped_over_all_replicas(place: PostgresPlace) -> None:
    """One tenant cannot occupy every replica; another's deliveries still come."""
    async with await place.open(in_flight_max=10) as one, await place.open(in_flight_max=10) as other:
        for number in range(30):
            await one.accept(hook(number), ["main"])
        await one.accept(hook(99, tenant="globex"), ["main"])
        first = await claim(one, per_stream=8)
        second = await claim(other, per_stream=8)
        assert Counter(each.stream.tenant for each in (*first, *second)) == {"acme": 10, "globex": 1}
        assert await claim(one) == []
        await other.settle(first[:4])
        assert len(await claim(other)) == 4


async def test_a_dead_replicas_deliveries_go_to_another_when_its_lease_is_over(place: PostgresPlace) -> None:
    """Not before; and what it comes back with is refused."""
    async with await place.open() as one, await place.open() as other:
        await one.accept(hook(1), ["main"])
        (late,) = await claim(one, lease_s=0.3)
        assert await claim(other) == []
        taken: list[Delivery] = []

        async def is_taken() -> bool:
            taken.extend(await claim(other))
            return bool(taken)

        await until(is_taken)
        assert taken[0].seq == late.seq
        assert await one.settle([late]) == 0
        assert await other.settle(taken) == 1


async def test_a_replica_that_only_accepts_wakes_those_that_deliver(place: PostgresPlace) -> None:
    """By NOTIFY: a hint, not more."""
    woken = asyncio.Event()
    async with await place.open() as accepting, await place.open() as delivering:
        delivering.on_due(woken.set)

        async def is_woken() -> bool:
            await accepting.accept(hook(next(numbers)), ["main"])
            return woken.is_set()

        numbers = count()
        await until(is_woken)


async def test_each_writing_connection_has_rows_of_the_books_to_itself(place: PostgresPlace) -> None:
    """No two replicas queue for one row; shards of replicas that have gone are taken over, so that few stay few."""
    for _ in range(3):
        async with AsyncExitStack() as stack:
            spools = [await stack.enter_async_context(await place.open()) for _ in range(2)]
            await asyncio.gather(*(spool.accept(hook(n), ["main"]) for n in range(100) for spool in spools))
            for spool in spools:
                await spool.settle(await claim(spool))
        assert len(await place.run("SELECT shard FROM spool_shards")) <= 6
    assert (await place.run("SELECT sum(accepted), sum(delivered) FROM spool_ledger"))[0] == (100, 100)


async def test_limits_hold_over_all_replicas(place: PostgresPlace) -> None:
    """Within one batch an accepting connection; whoever sees that it is full refuses."""
    async with await place.open(hooks_max=50) as one, await place.open(hooks_max=50) as other:
        numbers = count()
        accepts = [spool.accept(hook(next(numbers)), ["main"]) for _ in range(300) for spool in (one, other)]
        await asyncio.gather(*accepts, return_exceptions=True)

        async def is_full() -> bool:
            try:
                await other.accept(hook(next(numbers)), ["main"])
            except NotStored as refusal:
                return refusal.reason == "spool_full"
            return False

        await until(is_full)
        assert 50 <= (await one.stats()).hooks <= 50 + 4 * 64


# What comes in.


async def test_a_hook_that_the_database_cannot_take_spoils_no_other(place: PostgresPlace) -> None:
    """NUL and half surrogates in what a sender wrote are stored in another form; what is refused is refused alone."""
    async with await place.open() as spool:
        odd = hook(1, tenant="", installation="a\0b\ud800")
        assert (await spool.accept(odd, [""])).fresh
        bad = hook(2, delivery_id="not\0text")
        answers = await asyncio.gather(
            *(spool.accept(each, ["main"]) for each in (hook(3), bad, hook(4))), return_exceptions=True
        )
        assert [isinstance(each, NotStored) for each in answers] == [False, True, False]
        (delivery, _) = await claim(spool)
        assert await spool.release([delivery], retry_in_s=0, tried=[POST], fault="said \0 and \ud800") == 1


async def test_a_batch_is_bounded_in_bytes(place: PostgresPlace) -> None:
    """Large payloads do not add up to one statement of hundreds of megabytes."""
    async with await place.open() as spool:
        await asyncio.gather(*(spool.accept(hook(n, payload=b"x" * 3_000_000), ["main"]) for n in range(4)))
        assert (await spool.stats()).payload_bytes == 12_000_000


# The schema and the server.


async def test_an_empty_database_is_laid_out_by_whoever_comes_first(place: PostgresPlace) -> None:
    """Three replicas started at once."""
    spools = await asyncio.gather(*(place.open() for _ in range(3)))
    assert (await spools[0].accept(hook(1), ["main"])).fresh
    for spool in spools:
        await spool.close()
    versions = [(number,) for number in range(1, SCHEMA_VERSION + 1)]
    assert (await place.run("SELECT version FROM spool_schema ORDER BY version")) == versions


async def test_another_programs_database_is_left_alone(place: PostgresPlace) -> None:
    """A typing error in the URL must not write tables into it; migrating is how one says that it is meant."""
    await place.run("CREATE TABLE theirs (n integer)")
    with pytest.raises(SpoolError, match="run: relay spool migrate"):
        await place.open()
    assert len(await place.run("SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema()")) == 1
    assert await postgres_schema.migrate_url(place.url) == (0, SCHEMA_VERSION)
    assert await postgres_schema.migrate_url(place.url) == (SCHEMA_VERSION, SCHEMA_VERSION)
    async with await place.open() as spool:
        assert (await spool.accept(hook(1), ["main"])).fresh


async def test_a_schema_is_made_whole_or_not_at_all(place: PostgresPlace) -> None:
    """A replica that starts meanwhile, or after a crash in the middle, never finds an older schema than its own."""
    await place.run("CREATE TABLE spool_audit (of text)")
    with pytest.raises(SpoolError, match=r"the schema cannot be made: .*spool_audit"):
        await postgres_schema.migrate_url(place.url)
    tables = await place.run("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
    assert tables == [("spool_audit",)]
    await place.run("DROP TABLE spool_audit")
    assert await postgres_schema.migrate_url(place.url) == (0, SCHEMA_VERSION)


async def test_a_newer_schema_is_refused_before_any_write(place: PostgresPlace) -> None:
    """By the relay and by migrating; also while it runs, once it has to connect again."""
    async with await place.open() as spool:
        await spool.accept(hook(1), ["main"])
        await place.run("INSERT INTO spool_schema (version) SELECT max(version) + 1 FROM spool_schema RETURNING 1")
        with pytest.raises(SpoolError, match=f"schema version {SCHEMA_VERSION + 1}, this relay knows {SCHEMA_VERSION}"):
            await place.open()
        with pytest.raises(SpoolError, match="or a newer one"):
            await postgres_schema.migrate_url(place.url)


async def test_an_older_schema_says_what_to_run(place: PostgresPlace) -> None:
    """Migrating is the operator's word."""
    async with await place.open():
        pass
    await place.run("DELETE FROM spool_schema WHERE version > 1 RETURNING 1")
    with pytest.raises(SpoolError, match="run: relay spool migrate"):
        await place.open()


async def test_a_server_that_does_not_sync_is_refused_unless_that_is_allowed(place: PostgresPlace) -> None:
    """What it answers as committed may be gone after a power cut."""
    unsafe = PostgresPlace(f"{place.url}&synchronous_commit=off", None)
    with pytest.raises(SpoolError, match=r"synchronous_commit=off.*RELAY_SPOOL_UNSYNCED=allow"):
        await unsafe.open()
    async with await unsafe.open(unsynced_ok=True) as spool:
        assert (await spool.accept(hook(1), ["main"])).fresh


async def test_it_works_behind_a_pooler(place: PostgresPlace) -> None:
    """Without prepared statements that outlive a transaction, without LISTEN; the whole way of a hook."""
    async with await PostgresSpool.open(f"{place.url}&pooler=yes", **LIMITS) as spool:
        woken = asyncio.Event()
        spool.on_due(woken.set)
        await asyncio.gather(*(spool.accept(hook(n), ["main", "audit"]) for n in range(20)))
        assert woken.is_set()
        assert await spool.settle(await claim(spool)) == 40
        assert (await books(spool)).delivered == 20
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%' AND state <> 'active'"
    assert (await place.run(listening))[0] == (0,)


async def test_a_database_that_cannot_be_reached_is_told_without_the_password() -> None:
    """The sentence names host and database."""
    with pytest.raises(SpoolError, match=r"127\.0\.0\.1:1/relay") as refused:
        await PostgresSpool.open("postgresql://relay:hunter2@127.0.0.1:1/relay", **LIMITS)
    assert "hunter2" not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


async def test_a_wrong_password_or_parameter_is_told_without_it(place: PostgresPlace) -> None:
    """Neither the driver's words nor the address show it."""
    for wrong in ("&sslmode=hunter2", "&no_such_setting=hunter2x"):
        with pytest.raises(SpoolError) as refused:
            await PostgresSpool.open(place.url + wrong, **LIMITS)
        assert "hunter2" not in str(refused.value)
    address = read_url("postgresql://relay:hunter2@db:5432,db2:5433/relay?sslmode=require&pooler=yes")
    assert "hunter2" not in repr(address)
    assert (address.shown, address.pooler) == ("postgresql://db:5432,db2:5433/relay", True)
    assert address.dsn == "postgresql://relay:hunter2@db:5432,db2:5433/relay?sslmode=require"
